import { capture } from '#earshot/kernel/capture.js';
import { parseAddress } from '#earshot/model/address.js';
import { Course, type Packet } from '#earshot/reach/course.js';
import { hostOf } from '#earshot/reach/host.js';
import { wayOf } from '#earshot/reach/stages/answer-route.js';
import { type Lab, withLab } from '../harness.js';
import { labTest } from '../lab-test.js';
import { both, everyFlow, LAN4, LAN6, lan } from '../networks.js';

/*
 * Marks of packets, and which answers carry them: the host marks what comes in with 7, and refuses
 * everything with that mark a way out.
 */

const test = labTest(['nft']);

const marking = `table inet marks {
  chain pre { type filter hook prerouting priority mangle; iifname "eth0" meta l4proto { tcp, udp } meta mark set 7; }
}`;

const refusing = ['rule', '-6 rule'].map(
  (rule) => `${rule} add priority 5 iif lo fwmark 7 blackhole`,
);

/** Where earshot sends the answer to a packet that carries the mark. */
async function answers(lab: Lab, answer: 'socket' | 'reset' | 'port-unreachable', ipv6: boolean) {
  const state = await capture({ netns: lab.host.namespace.path });
  const host = hostOf(state);
  const protocol = answer === 'port-unreachable' ? 'udp' : 'tcp';
  const [source, destination] = ipv6 ? ['2001:db8::10', LAN6] : ['192.0.2.10', LAN4];
  const packet: Packet = {
    protocol,
    protocolNumber: protocol === 'tcp' ? 6 : 17,
    family: ipv6 ? 'ipv6' : 'ipv4',
    source: parseAddress(source)!,
    sourceText: source,
    sourcePort: 40000,
    destination: parseAddress(destination)!,
    destinationText: destination,
    destinationPort: 80,
    mark: 7,
  };
  const flow = {
    protocol,
    ingress: 'eth0',
    source: { address: source },
    destination: { address: destination, port: 80 },
  } as const;
  const course = new Course(host, flow, packet, false);
  course.arrival = course.device = host.devices.get('eth0')!;
  course.inputIndex = course.device.index;
  const receiver = answer === 'socket' ? (host.receivers('tcp', 80)[0] ?? null) : null;
  return 'lost' in wayOf(course, answer, receiver) ? 'lost' : 'leaves';
}

for (const [family, address] of [
  ['ipv4', LAN4],
  ['ipv6', LAN6],
] as const) {
  const ipv6 = family === 'ipv6';
  test(`${family}: a reset and a port unreachable carry the mark of the packet with fwmark_reflect alone`, async (t) => {
    await withLab({ ...lan, ip: refusing }, async (lab) => {
      await lab.nft(marking);
      const happened = async () =>
        (await lab.run(everyFlow(['neighbour'], [address], 80))).map(({ symptom }) => symptom);
      t.deepEqual(await happened(), ['ECONNREFUSED', 'ECONNREFUSED']);
      t.is(await answers(lab, 'reset', ipv6), 'leaves');
      t.is(await answers(lab, 'port-unreachable', ipv6), 'leaves');
      lab.sysctl({ [`net.${family}.fwmark_reflect`]: 1 });
      t.deepEqual(await happened(), ['ETIMEDOUT', 'ETIMEDOUT']);
      t.is(await answers(lab, 'reset', ipv6), 'lost');
      t.is(await answers(lab, 'port-unreachable', ipv6), 'lost');
    });
  });

  test(`${family}: a SYN-ACK carries the mark of the SYN with tcp_fwmark_accept alone, or that of its socket`, async (t) => {
    await withLab({ ...lan, ip: refusing }, async (lab) => {
      await lab.nft(marking);
      const wildcard = ipv6 ? '::' : '0.0.0.0';
      const happened = async () =>
        (await lab.run(everyFlow(['neighbour'], [address], 80))).map(({ symptom }) => symptom);
      lab.listen(both({ address: wildcard, port: 80 }));
      t.deepEqual(await happened(), [null, null]);
      t.is(await answers(lab, 'socket', ipv6), 'leaves');
      lab.sysctl({ 'net.ipv4.tcp_fwmark_accept': 1 });
      t.deepEqual(await happened(), ['ETIMEDOUT', null], 'UDP answers are not marked');
      t.is(await answers(lab, 'socket', ipv6), 'lost');
      lab.unlisten();
      lab.listen(both({ address: wildcard, port: 80, mark: 8 }));
      t.deepEqual(await happened(), [null, null]);
      t.is(await answers(lab, 'socket', ipv6), 'leaves');
    });
  });
}

test('with src_valid_mark the mark counts when the way back to the source is looked up', async (t) => {
  const ip = ['rule add priority 5 fwmark 7 lookup 100', 'route add default dev eth0 table 100'];
  const description = structuredClone(lan);
  description.interfaces.eth0!.peers!.neighbour!.claims = ['203.0.113.0/24'];
  await withLab({ ...description, ip }, async (lab) => {
    await lab.nft(marking);
    lab.listen([{ protocol: 'udp', address: '0.0.0.0', port: 80 }]);
    lab.sysctl({ 'net.ipv4.conf.eth0.rp_filter': 1 });
    const flow = {
      from: 'neighbour',
      protocol: 'udp' as const,
      source: { address: '203.0.113.7' },
      destination: { address: LAN4, port: 80 },
    };
    t.is((await lab.run([flow]))[0]!.takers.length, 0);
    lab.sysctl({ 'net.ipv4.conf.eth0.src_valid_mark': 1 });
    t.is((await lab.run([flow]))[0]!.takers.length, 1);
  });
});
