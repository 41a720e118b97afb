import { withLab } from '../harness.js';
import { labTest } from '../lab-test.js';
import { both, everyFlow, LAN4, LAN6, lan } from '../networks.js';
import { holdAgainstKernel } from '../witness.js';

/*
 * A chain of type nat is asked only about packets of connections that are tracked, and Linux tracks
 * them for the families alone that some rule, set or object has asked it for.
 */

const test = labTest(['nft']);

/** It drops what it is asked about. */
const judge = 'table inet nat { chain input { type nat hook input priority 0; drop; }; }';
const rule = (family: string, text: string) => `table ${family} u { chain c { ${text}; }; }`;
const nat = (family: string, hook: string, text: string) =>
  rule(family, `type nat hook ${hook} priority 0; ${text}`);

for (const [rules, tracked] of [
  ['', []],
  [rule('inet', 'ct mark 5 accept'), ['ipv4', 'ipv6']],
  [rule('ip', 'ct mark 5 accept'), ['ipv4']],
  [rule('ip6', 'ct mark set 5'), ['ipv6']],
  [rule('inet', 'notrack'), []],
  [rule('inet', 'fib saddr oif missing accept'), []],
  [nat('ip', 'postrouting', 'ip daddr 203.0.113.9 masquerade'), ['ipv4']],
  [nat('inet', 'prerouting', 'tcp dport 9 redirect to :5'), ['ipv4', 'ipv6']],
  [nat('inet', 'prerouting', 'tcp dport 9 dnat ip to 203.0.113.9'), ['ipv4']],
  [nat('inet', 'prerouting', 'tcp dport 9 dnat ip6 to 2001:db8::9'), ['ipv6']],
  [rule('ip', 'ct count over 3 accept'), ['ipv4']],
  [rule('ip6', 'tcp dport 9 tcp flags syn synproxy mss 1460'), ['ipv6']],
  ['table ip u { synproxy s { mss 1460; wscale 7; }; }', ['ipv4']],
  ['table ip6 u { flags dormant; chain c { ct mark 5 accept; }; }', ['ipv6']],
  [
    'table ip u { set s { type ipv4_addr; flags dynamic; }; chain c { add @s { ip saddr ct count 3 }; }; }',
    ['ipv4'],
  ],
] as const) {
  test(`a chain of type nat is asked about ${tracked.join(' and ') || 'nothing'} by ${rules || 'itself'}`, async (t) => {
    await withLab(lan, async (lab) => {
      lab.listen(both({ address: '::', port: 80, v6only: false, answerFrom: 'asked' }));
      await lab.nft(`${judge}\n${rules}`);
      const flows = everyFlow(['neighbour'], [LAN4, LAN6], 80);
      for (const { flow, result, verdict } of await holdAgainstKernel(
        lab,
        flows.map((one) => ({ ...one, timeoutMs: 500 })),
      )) {
        const family = flow.destination.address.includes(':') ? 'ipv6' : 'ipv4';
        const asked = (tracked as readonly string[]).includes(family);
        t.is(result.symptom, asked ? 'ETIMEDOUT' : null, family);
        t.is(verdict.outcome, asked ? 'unreachable' : 'reachable', family);
      }
    });
  });
}
