import { withLab } from '../harness.js';
import { labTest } from '../lab-test.js';
import { everyFlow, lan } from '../networks.js';
import { holdAgainstKernel } from '../witness.js';

/* A unicast route by lo: to IPv4 a way to stay on this host, to IPv6 a refusal. */

const test = labTest();

for (const forwarding of [0, 1]) {
  test(`IPv6 refuses what a route by lo is found for, ${forwarding ? 'forwarding' : 'not forwarding'}`, async (t) => {
    const host = {
      ...lan,
      ip: ['-6 route add 2001:db8:5::/64 dev lo'],
      sysctls: { 'net.ipv6.conf.all.forwarding': forwarding },
    };
    await withLab(host, async (lab) => {
      await lab.ip(['-6 route add 2001:db8:5::/64 via 2001:db8::1'], 'neighbour');
      const told = await holdAgainstKernel(
        lab,
        everyFlow(['neighbour', 'host'], ['2001:db8:5::1'], 80),
      );
      // Of an ICMP error of this kind a UDP program hears nothing.
      t.deepEqual(
        told.map(({ verdict }) => verdict.symptom),
        ['ENETUNREACH', 'ETIMEDOUT', 'ENETUNREACH', 'ETIMEDOUT'],
      );
      t.true(told.every(({ verdict }) => verdict.cause?.code === 'no-route'));
    });
  });
}

test('an IPv6 answer for which a route by lo is found is lost', async (t) => {
  const ip = ['-6 route add 2001:db8::10/128 dev lo'];
  await withLab({ ...lan, ip }, async (lab) => {
    lab.listen([{ protocol: 'tcp', address: '::', port: 80 }]);
    const [lost] = await holdAgainstKernel(lab, everyFlow(['neighbour'], ['2001:db8::1'], 80));
    t.like(lost!.verdict, { outcome: 'unreachable', stage: 'reply', symptom: 'ETIMEDOUT' });
  });
});

test('a rule at output is asked before an IPv6 route by lo refuses', async (t) => {
  const host = {
    ...lan,
    ip: ['-6 route add 2001:db8:5::/64 dev lo'],
    nft: [
      'add table ip6 t',
      'add chain ip6 t c { type filter hook output priority 0; }',
      'add rule ip6 t c tcp dport 80 reject with tcp reset',
    ].join('\n'),
  };
  await withLab(host, async (lab) => {
    const flows = [80, 81].flatMap((port) => everyFlow(['host'], ['2001:db8:5::1'], port));
    const told = await holdAgainstKernel(lab, flows);
    t.deepEqual(
      told.map(({ verdict }) => verdict.symptom),
      ['ECONNREFUSED', 'ETIMEDOUT', 'ENETUNREACH', 'ETIMEDOUT'],
    );
  });
});

test('of IPv6 sources as good as each other the first interface has it, though a bridge stands behind its port', async (t) => {
  const interfaces = {
    eth0: {
      kind: 'bridge' as const,
      addresses: ['fd00:1::1/64'],
      peers: { one: { addresses: ['fd00:1::2/64'] } },
    },
    eth1: { addresses: ['fd00:2::1/64'], peers: { other: { addresses: ['fd00:2::2/64'] } } },
  };
  // A look-up that fails is made once more with a source, and a rule may go by that.
  const rules = ['fd00:1::/64', 'fd00:2::/64'].map(
    (from, index) => `-6 rule add from ${from} priority ${100 + index} prohibit`,
  );
  for (const rule of rules) {
    await withLab({ interfaces, ip: [rule] }, async (lab) => {
      const flows = everyFlow(['host'], ['2001:db8:dead::1'], 80);
      for (const { verdict } of await holdAgainstKernel(lab, flows))
        t.is(verdict.outcome, 'unreachable');
    });
  }
});
