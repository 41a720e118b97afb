import { withLab } from '../harness.js';
import { labTest } from '../lab-test.js';
import { both, everyFlow, LAN4, twoFeet } from '../networks.js';
import { compareWithKernel, holdAgainstKernel } from '../witness.js';

/* Which way of a multipath route a flow takes only the kernel knows: a hash with a secret decides. */

const test = labTest(['nft']);

const remote = '203.0.113.9';

/** Two ways out of the host, which forwards. */
const twoWays = {
  ...twoFeet,
  sysctls: { 'net.ipv4.ip_forward': 1, 'net.ipv4.conf.all.rp_filter': 0 },
  ip: [`route add ${remote} nexthop via 192.0.2.10 nexthop via 198.51.100.10`],
};

const toRemote = (from: string) =>
  everyFlow([from], [remote], 80).filter(({ protocol }) => protocol === 'udp');

test('what may not leave by one way of a multipath route may leave by another', async (t) => {
  await withLab(twoWays, async (lab) => {
    const ask = { ...toRemote('host')[0]!, source: { address: '127.0.0.1' } };
    const [neither] = await holdAgainstKernel(lab, [ask]);
    t.like(neither!.verdict, { outcome: 'unreachable', symptom: 'EINVAL' });
    lab.sysctl({ 'net.ipv4.conf.eth1.route_localnet': 1 });
    const asked = Array.from({ length: 24 }, () => ask);
    const answers = await compareWithKernel(lab, asked);
    for (const { verdict } of answers) {
      t.is(verdict.outcome, 'unknown');
      t.regex(verdict.explanation, /a hash of the flow decides/);
    }
  });
});

test('a rule for one way of a multipath route leaves open what becomes of a packet that is sent on', async (t) => {
  await withLab(twoWays, async (lab) => {
    await lab.nft(
      [
        'add table ip t',
        'add chain ip t c { type filter hook forward priority 0; }',
        'add rule ip t c oifname "eth1" reject with icmp admin-prohibited',
      ].join('\n'),
    );
    const [sent] = await holdAgainstKernel(lab, toRemote('neighbour'));
    t.is(sent!.verdict.outcome, 'unknown');
    t.regex(sent!.verdict.explanation, /a hash of the flow decides/);
    await lab.nft('add rule ip t c oifname "eth0" reject with icmp admin-prohibited');
    const [refused] = await holdAgainstKernel(lab, toRemote('neighbour'));
    t.like(refused!.verdict, { outcome: 'unreachable', symptom: 'EHOSTUNREACH' });
  });
});

test('a rule for one way of a multipath route leaves open whether an answer gets out', async (t) => {
  const ip = ['route add 192.0.2.10/32 nexthop dev eth0 nexthop via 198.51.100.10'];
  const sysctls = { 'net.ipv4.conf.all.rp_filter': 0 };
  await withLab({ ...twoFeet, ip, sysctls }, async (lab) => {
    lab.listen(both({ address: '0.0.0.0', port: 80 }));
    const ask = () => compareWithKernel(lab, everyFlow(['neighbour'], [LAN4], 80));
    for (const { verdict } of await ask()) t.is(verdict.outcome, 'reachable');
    await lab.nft(
      [
        'add table ip t',
        'add chain ip t c { type filter hook postrouting priority 0; }',
        'add rule ip t c oifname "eth1" drop',
      ].join('\n'),
    );
    for (const { verdict } of await ask()) t.is(verdict.outcome, 'unknown');
  });
});
