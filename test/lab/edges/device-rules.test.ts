import { type Lab, withLab } from '../harness.js';
import { labTest } from '../lab-test.js';
import { both, everyFlow, LAN4, lan } from '../networks.js';
import { type Comparison, holdAgainstKernel } from '../witness.js';

/*
 * Chains at the hooks of a device see ARP too: who lets in TCP alone lets in nobody who has to ask for
 * the host's link-layer address. On the way out packets have their Ethernet header by then.
 */

const test = labTest(['nft']);

/** One chain at a device's hook: its policy, and its rules. */
function chain(hook: 'ingress' | 'egress', policy: 'accept' | 'drop', ...rules: string[]): string {
  return `table netdev t {
  chain c {
    type filter hook ${hook} device eth0 priority 0; policy ${policy}
    ${rules.join('\n    ')}
  }
}`;
}

const open = 'meta l4proto { tcp, udp } th dport 80 accept';
const answers = 'meta l4proto { tcp, udp } th sport 80 accept';

/** Rules, and whether a neighbour gets in that knows the host by heart; and one that has to ask. */
const cases: readonly (readonly [rules: string, byHeart: boolean, asking: boolean])[] = [
  [chain('ingress', 'drop', open), true, false],
  [chain('ingress', 'accept', open, 'drop'), true, false],
  [chain('ingress', 'drop', 'meta protocol arp accept', open), true, true],
  [chain('ingress', 'drop', 'arp operation request accept', open), true, true],
  [chain('ingress', 'drop', 'arp operation reply accept', open), true, false],
  [chain('ingress', 'drop', `arp daddr ip ${LAN4} accept`, open), true, true],
  [chain('ingress', 'drop', 'arp saddr ip 192.0.2.99 accept', open), true, false],
  [chain('ingress', 'drop', 'arp saddr ip { 192.0.2.8/29 } accept', open), true, true],
  [chain('ingress', 'drop', 'ether type arp accept', open), true, true],
  [chain('ingress', 'drop', 'meta pkttype broadcast accept', open), true, true],
  [chain('ingress', 'drop', 'meta length 28 accept', open), true, true],
  [chain('ingress', 'accept', 'meta l4proto != { tcp, udp } drop'), true, true],
  [chain('ingress', 'accept', 'ip saddr 192.0.2.99 drop', 'ip ttl 1 drop'), true, true],
  [chain('ingress', 'accept', '@nh,48,16 1 drop'), true, false],
  [chain('ingress', 'accept', '@th,0,16 0 drop'), true, true],
  [chain('egress', 'drop', answers), true, false],
  [chain('egress', 'drop', answers, '@ll,96,16 0x0806 accept'), true, true],
  [chain('egress', 'drop', answers, 'arp operation reply accept'), true, true],
  [chain('egress', 'drop', answers, 'arp operation request accept'), true, false],
  [chain('egress', 'accept', '@ll,96,16 0x0800 drop'), false, false],
  [chain('egress', 'accept', '@ll,96,16 0x86dd drop'), true, true],
  [chain('egress', 'accept', '@ll,48,48 0 drop'), true, true],
];

async function ask(lab: Lab): Promise<Comparison[]> {
  await lab.ip(
    ['neighbour flush dev eth0 nud reachable nud stale nud failed nud delay'],
    'neighbour',
  );
  await lab.ip(['neighbour flush dev eth0 nud reachable nud stale nud failed nud delay']);
  const flows = everyFlow(['neighbour'], [LAN4], 80).map((flow) => ({ ...flow, timeoutMs: 1000 }));
  return holdAgainstKernel(lab, flows);
}

for (const [rules, byHeart, asking] of cases) {
  const name = rules.replaceAll(/\s+/g, ' ').replace(/^.*type filter hook |\s*\}\s*\}$/g, '');
  test(`${name}: a neighbour that has to ask ${asking ? 'gets in' : 'does not'}`, async (t) => {
    await withLab(lan, async (lab) => {
      await lab.ip(['link set lo up'], 'neighbour');
      lab.sysctl(
        { 'net.ipv4.neigh.eth0.mcast_solicit': 1, 'net.ipv4.neigh.eth0.retrans_time_ms': 200 },
        'neighbour',
      );
      lab.listen(both({ address: '0.0.0.0', port: 80, answerFrom: 'asked' }));
      await lab.nft(rules);
      const known = await ask(lab);
      for (const { verdict } of known)
        t.is(verdict.outcome, byHeart ? 'reachable' : 'unreachable', verdict.explanation);
      await lab.ip([`neighbour del ${LAN4} dev eth0`], 'neighbour');
      await lab.ip(['neighbour del 192.0.2.10 dev eth0']);
      for (const { verdict } of await ask(lab)) {
        t.is(verdict.outcome, asking ? 'reachable' : 'unreachable', verdict.explanation);
        if (byHeart && !asking)
          t.like(verdict.cause, { code: 'neighbour-not-answered', protocol: 'arp', setting: null });
      }
    });
  });
}
