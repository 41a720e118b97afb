import { withLab } from '../harness.js';
import { labTest } from '../lab-test.js';
import { lan } from '../networks.js';
import { holdAgainstKernel } from '../witness.js';

/* What answers a packet that rules have translated: by which way, and whether that leads anywhere. */

const test = labTest(['nft']);

test('what refuses a packet after its translation answers from where it was translated to', async (t) => {
  const nft = [
    'add table ip t',
    'add chain ip t nat { type nat hook prerouting priority -100; }',
    'add rule ip t nat tcp dport 80 dnat to 192.0.2.77',
    'add chain ip t late { type filter hook prerouting priority 10; }',
    'add rule ip t late meta l4proto tcp reject with tcp reset',
  ].join('\n');
  await withLab({ ...lan, nft }, async (lab) => {
    lab.sysctl({ 'net.ipv4.conf.all.route_localnet': 1 }, 'neighbour');
    const ask = (port: number) =>
      ({
        from: 'neighbour',
        protocol: 'tcp',
        destination: { address: '127.0.0.1', port },
      }) as const;
    const [translated, plain] = await holdAgainstKernel(lab, [ask(80), ask(81)]);
    t.is(translated!.verdict.symptom, 'ECONNREFUSED');
    // From 127.0.0.1 itself nothing may leave.
    t.is(plain!.verdict.symptom, 'ETIMEDOUT');
  });
});

test('an answer to a translated address needs a route there and no carrier, for it is routed once more', async (t) => {
  const nft = [
    'add table ip t',
    'add chain ip t nat { type nat hook postrouting priority 100; }',
    'add rule ip t nat udp dport 80 snat to 198.51.100.30',
    'add rule ip t nat udp dport 81 snat to 203.0.113.30',
  ].join('\n');
  const interfaces = {
    ...lan.interfaces,
    eth1: { kind: 'unplugged' as const, addresses: ['198.51.100.1/24'] },
  };
  await withLab({ interfaces, nft }, async (lab) => {
    const ask = (port: number) =>
      ({ from: 'host', protocol: 'udp', destination: { address: '192.0.2.1', port } }) as const;
    const [routed, nowhere] = await holdAgainstKernel(lab, [ask(80), ask(81)]);
    t.is(routed!.verdict.symptom, 'ECONNREFUSED');
    t.is(nowhere!.verdict.symptom, 'ETIMEDOUT');
  });
});

test('what this host sends to itself and a rule sends elsewhere is refused from the way out', async (t) => {
  const nft = [
    'add table ip t',
    'add chain ip t nat { type nat hook output priority -100; }',
    'add rule ip t nat tcp dport 80 dnat to 192.0.2.10:81',
    'add chain ip t out { type filter hook output priority 0; }',
    'add rule ip t out meta l4proto tcp reject with icmp admin-prohibited',
  ].join('\n');
  await withLab({ ...lan, nft }, async (lab) => {
    const ask = (address: string, port: number) =>
      ({ from: 'host', protocol: 'tcp', destination: { address, port } }) as const;
    const flows = ['192.0.2.1', '192.0.2.10', '127.0.0.1'].flatMap((address) => [
      ask(address, 80),
      ask(address, 81),
    ]);
    const told = await holdAgainstKernel(lab, flows);
    t.is(told[0]!.verdict.symptom, 'EHOSTUNREACH');
    t.true(
      told.every(
        ({ verdict }) =>
          verdict.cause?.code === 'rule-reject' || verdict.cause?.code === 'martian-source',
      ),
    );
  });
});
