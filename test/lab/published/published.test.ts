import { capture } from '#earshot/kernel/capture.js';
import { parseAddress, parsePrefix, prefixHolds } from '#earshot/model/address.js';
import type { SocketFilter } from '#earshot/model/socket.js';
import { type Exposure, exposure } from '#earshot/reach/exposure.js';
import type { Flow } from '#earshot/reach/flow.js';
import { hostOf } from '#earshot/reach/host.js';
import { follow, trace } from '#earshot/reach/trace.js';
import type { Verdict } from '#earshot/reach/verdict.js';
import { type Lab, withLab } from '../harness.js';
import { labTest } from '../lab-test.js';
import { LAN4 } from '../networks.js';
import { Random } from '../random/random.js';
import { compareWithKernel } from '../witness.js';
import { filtering, published, publishing, sourceNats } from './rules.js';
import { APP4, flowsTo, servers, world } from './world.js';

/*
 * Ports that rules send on to a container: whether its answer gets back through the host, and the rest
 * of the handshake through it again. The container serves, so that who is let through must be answered.
 */

const test = labTest(['nft']);

/** What earshot says of each flow against what happened; how many were let through. */
async function hold(lab: Lab): Promise<{ wrong: string[]; through: number; stopped: number }> {
  const compared = await compareWithKernel(lab, flowsTo(published));
  const state = await capture({ netns: lab.host.namespace.path });
  const host = hostOf(state);
  const exposures = exposure(state);
  const wrong: string[] = [];
  let through = 0;
  let stopped = 0;
  for (const { flow, asked, verdict, result, disagreement } of compared) {
    const { letThroughTo } = follow(host, asked).fate;
    // The handshake is what is foretold; rules may still drop what is said afterwards.
    const answered = result.outcome === 'reachable' || result.connected;
    const say = (what: string) =>
      wrong.push(
        `${what}: ${JSON.stringify(flow)} ${verdict.explanation} ${JSON.stringify([letThroughTo, result.outcome, result.symptom])}`,
      );
    const atDoor = asked.ingress !== 'lo'; // its own door is 127.0.0.1
    if (atDoor && reaches(exposures, asked) !== (letThroughTo !== undefined))
      say('exposure says otherwise');
    if (letThroughTo) through++;
    else stopped++;
    if (disagreement !== null) say(disagreement);
    if (letThroughTo && !answered) say('it was not let through');
    if (!letThroughTo && isSentOn(verdict) && answered) say('it was let through');
  }
  return { wrong, through, stopped };
}

/** Is the peer of a flow among those whom the record of its port lets through? */
function reaches(exposures: readonly Exposure[], flow: Flow): boolean {
  const { protocol, ingress, source, destination } = flow;
  const rows = exposures
    .filter(({ endpoint }) => endpoint.protocol === protocol && endpoint.port === destination.port)
    .flatMap(({ reach }) => reach)
    .filter((row) => row.interface === ingress && row.address === destination.address);
  const peer = parseAddress(source!.address)!;
  return rows.some(({ peers }) => peers.some((text) => prefixHolds(parsePrefix(text)!, peer)));
}

const isSentOn = ({ cause }: Verdict) =>
  cause?.code === 'forwarded' || cause?.code === 'leaves-this-host';

for (const snat of sourceNats) {
  test(`a published port is let through and its answer back, with '${snat}'`, async (t) => {
    await withLab(world(publishing(snat)), async (lab) => {
      lab.listen(servers, 'app');
      const { wrong, through } = await hold(lab);
      t.deepEqual(wrong, []);
      t.is(through, 19, 'sixteen, one by its source, and two of the host itself');
    });
  });
}

const day = Math.floor(Date.now() / 86_400_000);
const seeds = [...Array.from({ length: 12 }, (_, place) => place + 1), day * 2, day * 2 + 1];

test('rules that stop the packet, its answer or what follows are told from those that let it through', async (t) => {
  t.timeout(240_000);
  t.log(`seeds: ${seeds.join(' ')}`);
  let all = 0;
  let none = 0;
  for (const seed of seeds) {
    const random = new Random(seed);
    const rules = `${publishing(random.pick(sourceNats))}${filtering(random)}`;
    await withLab(world(rules), async (lab) => {
      lab.listen(servers, 'app');
      const { wrong, through, stopped } = await hold(lab);
      t.deepEqual(wrong, [], `seed ${seed}: ${rules}`);
      all += through;
      none += stopped;
    });
  }
  t.true(all > 20, `${all} were let through`);
  t.true(none > 20, `${none} were stopped`);
});

test('ports that rules redirect to this host, or send on in a row, have records too', async (t) => {
  const nft = `
table inet nat {
  chain pre {
    type nat hook prerouting priority -100
    tcp dport 81 redirect to :3000
    tcp dport 9000-9002 dnat ip to ${APP4}:80
    meta l4proto . th dport { udp . 53, udp . 54 } dnat ip to ${APP4}
    tcp dport 20000-29999 dnat ip to ${APP4}:80
  }
}`;
  await withLab(world(nft), async (lab) => {
    const [listener] = lab.listen([{ protocol: 'tcp', address: '0.0.0.0', port: 3000 }]);
    lab.listen(servers, 'app');
    const state = await capture({ netns: lab.host.namespace.path });
    const ports = (filter: SocketFilter) =>
      exposure(state, filter).map(({ endpoint: { protocol, port } }) => `${port}/${protocol}`);
    const all = ['3000/tcp', '81/tcp', '9000/tcp', '9001/tcp', '9002/tcp', '53/udp', '54/udp'];
    t.deepEqual(ports({}), all);
    t.deepEqual(ports({ localPort: 9001 }), ['9001/tcp']);
    t.deepEqual(ports({ protocol: 'udp' }), ['53/udp', '54/udp']);
    t.deepEqual(ports({ state: 'listen' }), ['3000/tcp'], 'a state is asked of sockets');
    const [redirected] = exposure(state, { localPort: 81 });
    t.is(redirected!.socket?.inode, listener!.inode);
    t.is(redirected!.scope, 'routed');
    t.true(redirected!.reach.every(({ forwardedTo, port }) => forwardedTo === null && port === 81));
    const [sent] = exposure(state, { localPort: 9002 });
    t.is(sent!.socket, null);
    t.deepEqual([...new Set(sent!.reach.map(({ forwardedTo }) => forwardedTo))], [`${APP4}:80`]);
    const results = await lab.run(
      [81, 9002].map((port) => ({
        from: 'neighbour',
        protocol: 'tcp',
        destination: { address: LAN4, port },
      })),
    );
    t.deepEqual(
      results.map(({ outcome }) => outcome),
      ['reachable', 'reachable'],
    );
  });
});

test('who asks a broadcast address takes an answer from anybody: its way is left open', async (t) => {
  const nft = `
table ip nat {
  chain pre {
    type nat hook prerouting priority -100
    udp dport 8080 dnat to ${APP4}:80
  }
  chain answers {
    type filter hook forward priority 0
    iifname "br0" drop
  }
}`;
  await withLab(world(nft), async (lab) => {
    lab.listen(servers, 'app');
    const state = await capture({ netns: lab.host.namespace.path });
    const ask = (address: string) =>
      trace(state, {
        protocol: 'udp',
        ingress: 'eth0',
        source: { address: '192.0.2.10' },
        destination: { address, port: 8080 },
      });
    t.like(ask(LAN4), { outcome: 'unreachable', stage: 'reply', cause: { code: 'rule-drop' } });
    t.like(ask('192.0.2.255'), { outcome: 'unknown', cause: { code: 'forwarded' } });
  });
});
