import { type LabFlow, withLab } from '../harness.js';
import { labTest } from '../lab-test.js';
import { both, everyFlow, LAN4, LAN6, lan, twoFeet } from '../networks.js';
import { compareWithKernel, holdAgainstKernel } from '../witness.js';

/* Sockets that stand where one would not expect them. */

const test = labTest();

async function fates(lab: Parameters<typeof holdAgainstKernel>[0], flows: LabFlow[]) {
  const compared = await holdAgainstKernel(lab, flows);
  return compared.map(({ result }) => result.symptom ?? 'reachable');
}

test('a socket that IP_FREEBIND put on an address that is not there is reached once the address comes', async (t) => {
  await withLab(lan, async (lab) => {
    lab.listen([
      ...both({ address: '192.0.2.5', port: 80, freebind: true }),
      ...both({ address: '2001:db8::5', port: 80, freebind: true }),
    ]);
    const mac = lab.host.ports.eth0!.mac;
    await lab.ip(
      ['192.0.2.5', '2001:db8::5'].map(
        (address) => `neighbour replace ${address} lladdr ${mac} dev eth0 nud permanent`,
      ),
      'neighbour',
    );
    const flows = everyFlow(['neighbour'], ['192.0.2.5', '2001:db8::5'], 80);
    t.deepEqual([...new Set(await fates(lab, flows))], ['ETIMEDOUT']);
    await lab.ip([
      'address add 192.0.2.5/24 dev eth0',
      'address add 2001:db8::5/64 dev eth0 nodad',
    ]);
    t.deepEqual([...new Set(await fates(lab, flows))], ['reachable']);
  });
});

test('IP_TRANSPARENT lets a socket stand on a foreign address, but what is for that address is not routed to this host', async (t) => {
  await withLab(lan, async (lab) => {
    lab.listen([
      ...both({ address: '203.0.113.5', port: 80, transparent: true, answerFrom: 'asked' }),
      ...both({ address: '2001:db8:5::5', port: 80, transparent: true, answerFrom: 'asked' }),
    ]);
    const flows = everyFlow(['neighbour'], ['203.0.113.5', '2001:db8:5::5'], 80);
    t.deepEqual(await fates(lab, flows), ['ETIMEDOUT', 'ETIMEDOUT', 'ENETUNREACH', 'ETIMEDOUT']);
    // Until a route says that it is local, as transparent proxies have it.
    await lab.ip([
      'route add local 203.0.113.0/24 dev lo',
      'route add local 2001:db8:5::/48 dev lo',
    ]);
    t.deepEqual([...new Set(await fates(lab, flows))], ['reachable']);
  });
});

test('a transparent TCP socket may answer from an address that is local in another table alone, another may not', async (t) => {
  const ip = [
    'rule add priority 1 iif eth0 lookup 100',
    'route add local 203.0.113.0/24 dev lo table 100',
  ];
  await withLab({ ...lan, ip }, async (lab) => {
    lab.listen([
      { protocol: 'tcp', address: '0.0.0.0', port: 1, transparent: true },
      { protocol: 'tcp', address: '0.0.0.0', port: 2 },
    ]);
    const tcp = (port: number) => everyFlow(['neighbour'], ['203.0.113.7'], port).slice(0, 1);
    t.deepEqual(await fates(lab, tcp(1)), ['reachable']);
    t.deepEqual(await fates(lab, tcp(2)), ['ETIMEDOUT']);
  });
});

test('a connected UDP socket takes from its peer before one that is not, and from nobody else', async (t) => {
  await withLab(lan, async (lab) => {
    const [connected] = lab.listen([
      {
        protocol: 'udp',
        address: LAN4,
        port: 80,
        reuseAddress: true,
        connectedTo: { address: '192.0.2.10', port: 5555 },
      },
    ]);
    const [open] = lab.listen([
      { protocol: 'udp', address: '0.0.0.0', port: 80, reuseAddress: true },
    ]);
    const flow = (port: number): LabFlow => ({
      from: 'neighbour',
      protocol: 'udp',
      source: { port },
      destination: { address: LAN4, port: 80 },
    });
    const compared = await holdAgainstKernel(lab, [flow(5555), flow(5556)]);
    t.deepEqual(
      compared.map(({ result }) => result.acceptedBy?.inode),
      [connected!.inode, open!.inode],
    );
    for (const { verdict, result } of compared)
      t.is(verdict.socket?.inode, result.acceptedBy?.inode);
  });
});

test('a connected UDP socket of IPv6 keeps the route of its connect(), which knew no source yet', async (t) => {
  await withLab(lan, async (lab) => {
    await lab.ip([`-6 rule add from ${LAN6} priority 20 prohibit`]);
    lab.listen([
      {
        protocol: 'udp',
        address: '::',
        port: 80,
        connectedTo: { address: '2001:db8::10', port: 5555 },
      },
    ]);
    const [compared] = await holdAgainstKernel(lab, [
      {
        from: 'neighbour',
        protocol: 'udp',
        source: { port: 5555 },
        destination: { address: LAN6, port: 80 },
      },
    ]);
    t.is(compared!.result.outcome, 'reachable');
    t.is(compared!.verdict.outcome, 'unknown');
  });
});

test('a socket on a v4-mapped address takes IPv4 at that address, and nothing of IPv6', async (t) => {
  await withLab(twoFeet, async (lab) => {
    lab.listen([
      ...both({ address: `::ffff:${LAN4}`, port: 80 }),
      ...both({ address: '::ffff:0.0.0.0', port: 81 }),
    ]);
    const clients = ['neighbour', 'host'];
    const all = async (address: string, port: number) => [
      ...new Set(await fates(lab, everyFlow(clients, [address], port))),
    ];
    t.deepEqual(await all(LAN4, 80), ['reachable']);
    t.deepEqual(await all('198.51.100.1', 80), ['ECONNREFUSED']);
    t.deepEqual(await all(LAN6, 80), ['ECONNREFUSED']);
    t.deepEqual(await all(LAN4, 81), ['reachable']);
    t.deepEqual(await all('198.51.100.1', 81), ['reachable']);
    t.deepEqual(await all(LAN6, 81), ['ECONNREFUSED']);
  });
});

test('a socket bound to a device that is down lets no IPv4 answer out, though this host asks it over lo', async (t) => {
  await withLab(twoFeet, async (lab) => {
    lab.listen(both({ address: '0.0.0.0', port: 80, device: 'eth0' }));
    t.deepEqual(await fates(lab, everyFlow(['host'], [LAN4], 80)), ['reachable', 'reachable']);
    await lab.ip(['link set eth0 down']);
    t.deepEqual(await fates(lab, everyFlow(['host'], [LAN4], 80)), ['ETIMEDOUT', 'ETIMEDOUT']);
  });
});

test('a socket bound to a device answers without a route whoever ARP has found there, and earshot knows of whom it has', async (t) => {
  const flows = everyFlow(['neighbour'], [LAN4], 80).map((flow) => ({
    ...flow,
    source: { address: '203.0.113.9' },
  }));
  await withLab(lan, async (lab) => {
    await lab.ip(['address add 203.0.113.9/32 dev eth0'], 'neighbour');
    lab.listen(both({ address: '0.0.0.0', port: 80, device: 'eth0' }));
    const before = await holdAgainstKernel(lab, flows);
    t.deepEqual(
      before.map(({ verdict }) => verdict.cause?.code),
      ['assumed-on-link', 'assumed-on-link'],
    );
    const { mac } = lab.machine('neighbour').ports.eth0!;
    await lab.ip([`neighbour replace 203.0.113.9 lladdr ${mac} dev eth0 nud permanent`]);
    const after = await holdAgainstKernel(lab, flows);
    t.deepEqual(
      after.map(({ verdict }) => verdict.outcome),
      ['reachable', 'reachable'],
    );
  });
});

test('of UDP sockets with SO_REUSEPORT the first that is met takes a packet, though another user stands closer', async (t) => {
  await withLab(lan, async (lab) => {
    const shared = { protocol: 'udp', port: 80, reusePort: true } as const;
    // The first lets the third one pass: the kernel asks no further than a socket that shares.
    lab.listen([
      { ...shared, address: LAN4, reuseAddress: true },
      { ...shared, address: '::', v6only: false, reuseAddress: true, uid: 1000 },
      { ...shared, address: '::', device: 'eth0' },
    ]);
    const [told] = await compareWithKernel(lab, [
      { from: 'neighbour', protocol: 'udp', destination: { address: LAN6, port: 80 } },
    ]);
    // Who shares the port by which option the kernel does not tell: either of them may take it.
    t.is(told!.verdict.outcome, 'reachable');
    t.is(told!.result.takers[0]?.spec.device, undefined);
    t.regex(told!.verdict.steps.map(({ detail }) => detail).join('\n'), /1 more stand on the same/);
  });
});
