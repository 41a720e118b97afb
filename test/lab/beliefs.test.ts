import { type Lab, type LabFlow, withLab } from './harness.js';
import { labTest } from './lab-test.js';
import type { Sysctls } from './namespaces.js';
import { both, everyFlow, LAN4, LAN6, lan, routed, twoFeet } from './networks.js';
import type { FlowResult } from './sockets.js';
import { compareWithKernel, holdAgainstKernel } from './witness.js';

/*
 * What people believe about reachability, and what Linux does. Each test makes it happen, holds
 * earshot's verdict against it, and then says what happened.
 */

const test = labTest();
const withNft = labTest(['nft']);

/** What happened to each flow, after earshot said the same. */
async function happened(lab: Lab, flows: LabFlow[]): Promise<FlowResult[]> {
  return (await holdAgainstKernel(lab, flows)).map(({ result }) => result);
}

/**
 * Did a socket of the host take the flow? Earshot must name the same socket, or the same none. For
 * peers that claim an address that is not theirs: where the answer goes is not the point then.
 */
async function taken(lab: Lab, flow: LabFlow): Promise<boolean> {
  const [compared] = await compareWithKernel(lab, [flow]);
  const { result, verdict } = compared!;
  const inode = result.acceptedBy?.inode ?? null;
  if ((verdict.socket?.inode ?? null) !== inode) {
    throw new Error(`socket ${inode} took it, and earshot says: ${verdict.explanation}`);
  }
  return inode !== null;
}

/** The one symptom, or `reachable`, that all flows met; a list where they differ. */
async function fate(lab: Lab, flows: LabFlow[]): Promise<string> {
  const results = await happened(lab, flows);
  return [...new Set(results.map(({ symptom }) => symptom ?? 'reachable'))].join(', ');
}

test('any interface accepts a packet for any address of the host (weak host model)', async (t) => {
  await withLab(twoFeet, async (lab) => {
    lab.listen([...both({ address: LAN4, port: 80 }), ...both({ address: LAN6, port: 80 })]);
    t.is(await fate(lab, everyFlow(['other'], [LAN4, LAN6], 80)), 'reachable');
  });
});

test('the address of an interface that is down is still reached by IPv4 through another, by IPv6 not', async (t) => {
  await withLab(twoFeet, async (lab) => {
    lab.listen([...both({ address: '0.0.0.0', port: 80 }), ...both({ address: LAN6, port: 80 })]);
    await lab.ip(['link set eth0 down']);
    t.is(await fate(lab, everyFlow(['host', 'other'], [LAN4], 80)), 'reachable');
    t.not(await fate(lab, everyFlow(['host', 'other'], [LAN6], 80)), 'reachable');
  });
});

test('a packet for 127.0.0.0/8 that arrives on another interface is a martian unless route_localnet is on there or on all', async (t) => {
  await withLab(lan, async (lab) => {
    lab.listen([
      ...both({ address: '127.0.0.1', port: 80 }),
      ...both({ address: '::1', port: 80 }),
    ]);
    lab.sysctl({ 'net.ipv4.conf.all.route_localnet': 1 }, 'neighbour');
    const ask = () => fate(lab, everyFlow(['neighbour'], ['127.0.0.1'], 80));
    t.is(await ask(), 'ETIMEDOUT');
    lab.sysctl({ 'net.ipv4.conf.eth0.route_localnet': 1 });
    t.is(await ask(), 'reachable');
    lab.sysctl({ 'net.ipv4.conf.eth0.route_localnet': 0, 'net.ipv4.conf.lo.route_localnet': 1 });
    t.is(await ask(), 'ETIMEDOUT');
    lab.sysctl({ 'net.ipv4.conf.all.route_localnet': 1 });
    t.is(await ask(), 'reachable');
    t.is(await fate(lab, everyFlow(['neighbour'], ['::1'], 80)), 'ETIMEDOUT');
  });
});

test('a packet from 127.0.0.0/8 that arrives on another interface is a martian', async (t) => {
  const description = structuredClone(lan);
  description.interfaces.eth0!.peers!.neighbour!.claims = ['127.5.0.0/16'];
  await withLab(description, async (lab) => {
    lab.sysctl({ 'net.ipv4.conf.all.route_localnet': 1 }, 'neighbour');
    lab.listen(both({ address: '0.0.0.0', port: 80 }));
    const flows = everyFlow(['neighbour'], [LAN4], 80).map((flow) => ({
      ...flow,
      source: { address: '127.5.0.1' },
    }));
    const results = await happened(lab, flows);
    t.deepEqual(
      results.map(({ symptom }) => symptom),
      ['ETIMEDOUT', 'ETIMEDOUT'],
    );
    t.true(results.every(({ takers }) => takers.length === 0));
  });
});

test('the whole of 127.0.0.0/8 is local, so 127.0.0.53 answers too', async (t) => {
  await withLab(lan, async (lab) => {
    lab.listen([
      ...both({ address: '0.0.0.0', port: 80 }),
      ...both({ address: '127.0.0.53', port: 53 }),
    ]);
    const local = ['127.0.0.1', '127.0.0.53', '127.200.3.4', '127.255.255.254'];
    t.is(await fate(lab, everyFlow(['host'], local, 80)), 'reachable');
    t.is(await fate(lab, everyFlow(['host'], ['127.0.0.53'], 53)), 'reachable');
    t.is(await fate(lab, everyFlow(['host'], ['127.0.0.1'], 53)), 'ECONNREFUSED');
  });
});

withNft('a host that connects to its own LAN address goes over lo', async (t) => {
  await withLab(lan, async (lab) => {
    lab.listen([
      ...both({ address: '0.0.0.0', port: 80 }),
      ...both({ address: '::', port: 80, v6only: true }),
    ]);
    const fromHere = everyFlow(['host'], [LAN4, LAN6], 80);
    const fromLan = everyFlow(['neighbour'], [LAN4, LAN6], 80);
    await lab.nft(inputRule('iifname "eth0" meta l4proto { tcp, udp } drop'));
    t.is(await fate(lab, fromHere), 'reachable', 'what works from here says nothing of the LAN');
    t.is(await fate(lab, fromLan), 'ETIMEDOUT');
    await lab.nft(`flush ruleset\n${inputRule('iifname "lo" meta l4proto { tcp, udp } drop')}`);
    t.is(await fate(lab, fromHere), 'ETIMEDOUT');
    t.is(await fate(lab, fromLan), 'reachable');
  });
});

test('a socket bound to a device takes what the host sends to an address of that device, though it goes over lo', async (t) => {
  await withLab(twoFeet, async (lab) => {
    lab.listen([
      ...both({ address: '0.0.0.0', port: 80, device: 'eth0' }),
      ...both({ address: '::', port: 80, device: 'eth0', v6only: true }),
    ]);
    t.is(await fate(lab, everyFlow(['host', 'neighbour'], [LAN4, LAN6], 80)), 'reachable');
    const elsewhere = ['127.0.0.1', '::1', '198.51.100.1', '2001:db8:1::1'];
    t.is(await fate(lab, everyFlow(['host'], elsewhere, 80)), 'ECONNREFUSED');
    t.is(await fate(lab, everyFlow(['other'], [LAN4, LAN6], 80)), 'ECONNREFUSED');
  });
});

test('0.0.0.0 takes every IPv4 address, :: every IPv6 address and, unless IPV6_V6ONLY, every IPv4 one too', async (t) => {
  await withLab(twoFeet, async (lab) => {
    lab.listen([
      ...both({ address: '0.0.0.0', port: 1 }),
      ...both({ address: '::', port: 2, v6only: true }),
      ...both({ address: '::', port: 3, v6only: false }),
    ]);
    const v4 = (port: number) => everyFlow(['host', 'neighbour', 'other'], [LAN4], port);
    const v6 = (port: number) => everyFlow(['host', 'neighbour', 'other'], [LAN6], port);
    t.is(await fate(lab, [...v4(1), ...v6(2), ...v4(3), ...v6(3)]), 'reachable');
    t.is(await fate(lab, [...v6(1), ...v4(2)]), 'ECONNREFUSED');
  });
});

test('a socket on a more exact address takes the flow first: another program can shadow yours on one address', async (t) => {
  await withLab(lan, async (lab) => {
    for (const wide of ['0.0.0.0', '::'] as const) {
      const option = { port: 80, reusePort: true };
      const yours = lab.listen(both({ address: wide, ...option }));
      const shadows = lab.listen(both({ address: LAN4, ...option }));
      const results = await happened(
        lab,
        everyFlow(['neighbour', 'host'], [LAN4, '127.0.0.1'], 80).filter(
          ({ from, destination }) => from === 'host' || destination.address === LAN4,
        ),
      );
      for (const { acceptedBy, askedFrom } of results) {
        const expected = askedFrom!.address === '127.0.0.1' ? yours : shadows;
        t.true(expected.includes(acceptedBy!), `${wide}, asked from ${askedFrom!.address}`);
      }
      lab.unlisten();
    }
  });
});

test('a socket bound to the device takes the flow before one that is not', async (t) => {
  await withLab(lan, async (lab) => {
    const option = { port: 80, reusePort: true };
    const yours = lab.listen(both({ address: '0.0.0.0', ...option }));
    const shadows = lab.listen(both({ address: '0.0.0.0', device: 'eth0', ...option }));
    const outside = await happened(lab, everyFlow(['neighbour'], [LAN4], 80));
    t.deepEqual(
      outside.map(({ acceptedBy }) => acceptedBy),
      shadows,
    );
    const inside = await happened(lab, everyFlow(['host'], ['127.0.0.1'], 80));
    t.deepEqual(
      inside.map(({ acceptedBy }) => acceptedBy),
      yours,
    );
  });
});

withNft(
  "a published container port is nobody's socket: DNAT comes before routing, so INPUT rules never see it",
  async (t) => {
    const description = structuredClone(lan);
    description.interfaces.docker0 = {
      kind: 'bridge',
      addresses: ['172.17.0.1/16'],
      peers: { container: { addresses: ['172.17.0.2/16'] } },
    };
    await withLab({ ...description, sysctls: { 'net.ipv4.ip_forward': 1 } }, async (lab) => {
      lab.listen(both({ address: '0.0.0.0', port: 80 }), 'container');
      lab.listen(both({ address: '0.0.0.0', port: 81 }));
      await lab.nft(
        `${inputRule('meta l4proto { tcp, udp } drop')}
       table ip published {
         chain prerouting {
           type nat hook prerouting priority dstnat
           meta l4proto { tcp, udp } th dport 8080 dnat to 172.17.0.2:80
         }
       }`,
      );
      const results = await happened(lab, everyFlow(['neighbour'], [LAN4], 8080));
      for (const { outcome, acceptedBy } of results) {
        t.is(outcome, 'reachable');
        t.is(acceptedBy!.namespace.name, 'container');
      }
      t.is(await fate(lab, everyFlow(['neighbour'], [LAN4], 81)), 'ETIMEDOUT');
      lab.sysctl({ 'net.ipv4.ip_forward': 0 });
      t.is(await fate(lab, everyFlow(['neighbour'], [LAN4], 8080)), 'ETIMEDOUT');
    });
  },
);

withNft(
  'accept in nftables ends that base chain only: a later base chain at the same hook can still drop',
  async (t) => {
    await withLab(lan, async (lab) => {
      lab.listen(both({ address: '0.0.0.0', port: 80 }));
      await lab.nft(inputRule('accept', -10));
      t.is(await fate(lab, everyFlow(['neighbour', 'host'], [LAN4], 80)), 'reachable');
      await lab.nft(inputRule('meta l4proto { tcp, udp } drop', 10));
      t.is(await fate(lab, everyFlow(['neighbour', 'host'], [LAN4], 80)), 'ETIMEDOUT');
      await lab.nft(
        `flush ruleset\n${inputRule('meta l4proto { tcp, udp } drop', -10)}\n${inputRule('accept', 10)}`,
      );
      t.is(
        await fate(lab, everyFlow(['neighbour', 'host'], [LAN4], 80)),
        'ETIMEDOUT',
        'drop is final',
      );
    });
  },
);

test('the effective rp_filter is the larger of all and its own', async (t) => {
  const description = structuredClone(twoFeet);
  description.interfaces.eth0!.peers!.neighbour!.claims = ['198.51.100.0/24', '203.0.113.0/24'];
  await withLab(description, async (lab) => {
    lab.listen(both({ address: LAN4, port: 80 }));
    // UDP tells what came in even where no answer can find the way back.
    const takenFrom = (address: string) =>
      taken(lab, {
        from: 'neighbour',
        protocol: 'udp',
        source: { address },
        destination: { address: LAN4, port: 80 },
      });
    for (const all of [0, 1, 2]) {
      for (const own of [0, 1, 2]) {
        lab.sysctl({
          'net.ipv4.conf.all.rp_filter': all,
          'net.ipv4.conf.eth0.rp_filter': own,
        });
        const effective = Math.max(all, own);
        const setting = `all ${all}, eth0 ${own}`;
        t.true(await takenFrom('192.0.2.10'), `${setting}: the way back is the way it came`);
        t.is(
          await takenFrom('198.51.100.77'),
          effective !== 1,
          `${setting}: back by another interface`,
        );
        t.is(await takenFrom('203.0.113.7'), effective === 0, `${setting}: no way back`);
      }
    }
  });
});

test('accept_local and route_localnet are on where either all or the interface has them; forwarding asks the interface it came in on', async (t) => {
  const description = structuredClone(routed);
  description.interfaces.eth0!.peers!.neighbour!.claims = [`${LAN4}/32`];
  description.interfaces.eth1 = {
    addresses: ['203.0.113.1/24'],
    peers: { beyond: { addresses: ['203.0.113.10/24'] } },
  };
  await withLab({ ...description, ip: ['address add 192.0.2.99/24 dev eth0'] }, async (lab) => {
    lab.listen([
      ...both({ address: '0.0.0.0', port: 80 }),
      ...both({ address: '127.0.0.1', port: 81 }),
    ]);
    lab.listen(both({ address: '0.0.0.0', port: 80 }), 'beyond');
    await lab.ip(
      [`neighbour replace 192.0.2.99 lladdr ${lab.host.ports.eth0!.mac} dev eth0 nud permanent`],
      'neighbour',
    );
    const ask = async (flow: LabFlow, settings: Sysctls) => {
      lab.sysctl(settings);
      return taken(lab, flow);
    };
    const settings = (name: string, all: number, own: number): Sysctls => ({
      [`net.ipv4.conf.all.${name}`]: all,
      [`net.ipv4.conf.eth0.${name}`]: own,
    });
    const udp = { from: 'neighbour', protocol: 'udp' } as const;
    const claimsOurs = {
      ...udp,
      source: { address: LAN4 },
      destination: { address: '192.0.2.99', port: 80 },
    };
    lab.sysctl({ 'net.ipv4.conf.all.route_localnet': 1 }, 'router');
    const loopback = { ...udp, from: 'router', destination: { address: '127.0.0.1', port: 81 } };
    for (const [all, own] of [
      [0, 0],
      [0, 1],
      [1, 0],
      [1, 1],
    ] as const) {
      const on = all === 1 || own === 1;
      t.is(
        await ask(claimsOurs, settings('accept_local', all, own)),
        on,
        `accept_local ${all} ${own}`,
      );
      t.is(
        await ask(loopback, settings('route_localnet', all, own)),
        on,
        `route_localnet ${all} ${own}`,
      );
    }
    const through = { ...udp, from: 'remote', destination: { address: '203.0.113.10', port: 80 } };
    for (const [eth0, eth1] of [
      [0, 0],
      [0, 1],
      [1, 0],
      [1, 1],
    ] as const) {
      const forwarding = {
        'net.ipv4.conf.eth0.forwarding': eth0,
        'net.ipv4.conf.eth1.forwarding': eth1,
      };
      lab.sysctl(forwarding);
      const [forwarded] = await lab.run([through]);
      t.is(forwarded!.acceptedBy !== null, eth0 === 1, `forwarding eth0 ${eth0}, eth1 ${eth1}`);
    }
  });
});

let tables = 0;

/** A base chain at the input hook with one rule. */
function inputRule(rule: string, priority = 0): string {
  return `table inet filter${tables++} {
    chain input {
      type filter hook input priority ${priority}
      ${rule}
    }
  }`;
}
