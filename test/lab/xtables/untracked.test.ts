import { withLab } from '../harness.js';
import { labTest } from '../lab-test.js';
import { lan } from '../networks.js';
import { holdAgainstKernel } from '../witness.js';
import { backends, iptablesTools, loadRules } from './load.js';

/* What refuses an untracked packet: CT takes the answer for seen already, conntrack does not. */

const test = labTest([...iptablesTools, 'nft']);

for (const backend of backends) {
  for (const [name, refusal, untrack] of [
    ['a reset', '--reject-with tcp-reset', '-j CT --notrack'],
    ['a reset', '--reject-with tcp-reset', '-j NOTRACK'],
    ['an ICMP error', '--reject-with icmp-port-unreachable', '-j CT --notrack'],
  ] as const) {
    test(`${name} about an untracked packet is invalid, for ${untrack} of iptables-${backend} passes it over`, async (t) => {
      await withLab(lan, async (lab) => {
        await loadRules(lab.host.namespace, backend, {
          raw: [`-A OUTPUT ${untrack}`],
          filter: [`4: -A OUTPUT -p tcp -m tcp --dport 80 -j REJECT ${refusal}`],
        });
        const ask = {
          from: 'host',
          protocol: 'tcp',
          destination: { address: '127.0.0.1', port: 80 },
        } as const;
        const [before] = await holdAgainstKernel(lab, [ask]);
        t.is(before!.verdict.symptom, 'ECONNREFUSED');
        await lab.nft(
          [
            'add table ip t',
            'add chain ip t c { type filter hook postrouting priority 0; }',
            'add rule ip t c ct state invalid drop',
          ].join('\n'),
        );
        const [after] = await holdAgainstKernel(lab, [ask]);
        t.is(after!.verdict.symptom, 'ETIMEDOUT');
      });
    });
  }
}

test('a notrack of nftables leaves what refuses an untracked packet untracked too', async (t) => {
  const nft = [
    'add table ip t',
    'add chain ip t raw { type filter hook output priority -300; }',
    'add rule ip t raw notrack',
    'add chain ip t out { type filter hook output priority 0; }',
    'add rule ip t out tcp dport 80 reject with tcp reset',
    'add chain ip t post { type filter hook postrouting priority 0; }',
    'add rule ip t post ct state invalid drop',
  ].join('\n');
  await withLab({ ...lan, nft }, async (lab) => {
    const [refused] = await holdAgainstKernel(lab, [
      { from: 'host', protocol: 'tcp', destination: { address: '127.0.0.1', port: 80 } },
    ]);
    t.is(refused!.verdict.symptom, 'ECONNREFUSED');
  });
});
