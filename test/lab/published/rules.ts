import type { Random } from '../random/random.js';
import { APP4, APP6 } from './world.js';

/** The ports that rules send on; nobody listens on them here. */
export const published = [8080, 8081, 8082] as const;

/** Rules that publish the container's port 80 in several ways. */
export function publishing(snat: string): string {
  return `
table inet nat {
  chain pre {
    type nat hook prerouting priority -100
    ip daddr != 10.1.0.0/24 tcp dport { 8080, 8081 } dnat ip to ${APP4}:80
    ip daddr != 10.1.0.0/24 udp dport { 8080, 8081 } dnat ip to ${APP4}:80
    ip6 daddr != fd00:1::/64 tcp dport { 8080, 8081 } dnat ip6 to [${APP6}]:80
    ip6 daddr != fd00:1::/64 udp dport { 8080, 8081 } dnat ip6 to [${APP6}]:80
    iifname "eth0" tcp dport 8082 ip saddr 198.51.100.0/24 dnat ip to ${APP4}:80
  }
  chain out {
    type nat hook output priority -100
    ip daddr != 127.0.0.0/8 tcp dport 8080 dnat ip to ${APP4}:80
    ip6 daddr != ::1 udp dport 8080 dnat ip6 to [${APP6}]:80
  }
  chain post {
    type nat hook postrouting priority 100
    ${snat}
  }
}`;
}

const hooks = ['prerouting', 'input', 'forward', 'output', 'postrouting'] as const;
type Hook = (typeof hooks)[number];

/** Rules that may stop the packet that is sent on, what answers it, or what follows. */
export function filtering(random: Random): string {
  const chains = random.times(1, 3, () => {
    const hook = random.pick([...hooks, 'forward'] as const);
    const priority = random.pick([-300, -150, 0, 150]);
    const policy = hook === 'forward' && random.chance(0.3) ? 'drop' : 'accept';
    const rules = random.times(1, 4, () => ruleOf(random, hook));
    return { hook, priority, policy, rules };
  });
  return chains
    .map(
      ({ hook, priority, policy, rules }, number) => `
table inet f${number} {
  chain c {
    type filter hook ${hook} priority ${priority}; policy ${policy}
    ${rules.join('\n    ')}
  }
}`,
    )
    .join('');
}

/** Nothing can be rejected at postrouting. */
function ruleOf(random: Random, hook: Hook): string {
  const rejects =
    hook === 'postrouting' ? [] : ['reject', 'meta l4proto tcp reject with tcp reset'];
  const verdict = random.pick(['accept', 'accept', 'drop', 'drop', ...rejects]);
  return `${matching(random, hook)} ${verdict}`;
}

/** One or two conditions, of different kinds so that they do not contradict each other. */
function matching(random: Random, hook: Hook): string {
  const connection = [
    () => `ct state ${random.pick(['new', 'established', 'established,related', 'invalid'])}`,
    () => `ct direction ${random.pick(['original', 'reply'])}`,
    () => `ct status ${random.pick(['dnat', 'snat', 'assured', 'seen-reply', 'confirmed'])}`,
    () => (/^(out|post)/.test(hook) ? '' : `fib saddr . iif oif ${random.pick(['0', '!= 0'])}`),
    () => 'meta mark set 0x7',
  ];
  const addresses = [
    () => `ip saddr ${random.pick(['10.1.0.0/24', '192.0.2.0/24', '198.51.100.10'])}`,
    () => `ip6 daddr ${random.pick(['fd00:1::/64', '2001:db8::10', '2001:db8:1::/64'])}`,
    () => `ip daddr ${random.pick([APP4, '192.0.2.1', '192.0.2.10', '198.51.100.0/24'])}`,
    () => (/^(out|post)/.test(hook) ? '' : `iifname ${random.pick(['br0', 'eth0'])}`),
    () => (/^(in|pre)/.test(hook) ? '' : `oifname ${random.pick(['br0', 'eth0'])}`),
  ];
  const ports = [
    () => `tcp flags & (syn | ack) == ${random.pick(['syn', 'syn | ack', 'ack'])}`,
    () => 'meta l4proto tcp',
    () => `tcp sport ${random.pick([80, 8080])}`,
    () => `meta l4proto { tcp, udp } th dport ${random.pick([80, 8080, 8081])}`,
    () => `meta l4proto { tcp, udp } ct original proto-dst ${random.pick([8080, 8081])}`,
  ];
  return [connection, addresses, ports]
    .filter(() => random.chance(0.5))
    .map((some) => random.pick(some)())
    .join(' ');
}

/** Whom the container believes to be asked by. */
export const sourceNats = [
  '',
  'oifname "br0" masquerade',
  'oifname "br0" ip saddr 192.0.2.0/24 masquerade',
  'oifname "br0" meta l4proto tcp masquerade',
] as const;
