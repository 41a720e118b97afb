import { existsSync } from 'node:fs';
import { withLab } from '../harness.js';
import { labTest } from '../lab-test.js';
import { both, everyFlow, LAN4, LAN6, routed } from '../networks.js';
import { holdAgainstKernel } from '../witness.js';

/*
 * One rule set for each expression and statement of nftables: flows of a neighbour, of somebody
 * behind a router and of the host itself are really made, to an open port and to a closed one, and
 * earshot must say of each what the kernel did.
 */

const test = labTest(['nft']);

const servers = [
  ...both({ address: '0.0.0.0', port: 80 }),
  ...both({ address: '::', port: 80, v6only: true }),
  ...both({ address: '127.0.0.1', port: 90 }),
  ...both({ address: '::1', port: 90 }),
];

const flows = [
  ...everyFlow(['neighbour', 'host', 'remote'], [LAN4, LAN6], 80),
  ...everyFlow(['neighbour', 'host', 'remote'], [LAN4, LAN6], 81),
  ...everyFlow(['host'], ['127.0.0.1', '::1'], 90),
];

/** A base chain with rules. */
const chain = (hook: string, rules: string, priority = '0', type = 'filter') =>
  `chain ${hook} { type ${type} hook ${hook} priority ${priority}; ${rules}; }`;
const table = (...parts: string[]) => `table inet t { ${parts.join('\n')} }`;
const input = (rules: string) => table(chain('input', rules));
const output = (rules: string) => table(chain('output', rules));

/** nft(8) wants a line's end before a brace that closes. */
const lines = (rules: string) =>
  rules.replaceAll(';', '\n').replaceAll(/\} (?=\}|chain|table|map|set)/g, '}\n');

/** What is decided, whatever the flow. */
const decided: Record<string, string> = {
  'counter, log and comment let a packet pass': input(
    'counter log prefix "x" comment "seen"; tcp dport 80 counter drop',
  ),
  'tcp dport': input('tcp dport 80 drop'),
  'udp dport != and a range': input('udp dport != 80 drop; tcp dport 80-81 drop'),
  'th dport in an anonymous set': input('th dport { 80, 443, 1000-2000 } drop'),
  'tcp dport not in an anonymous set': input('tcp dport != { 80, 443 } reject with tcp reset'),
  'ip saddr and a prefix': input('ip saddr 192.0.2.0/24 drop; ip6 saddr 2001:db8::/64 drop'),
  'ip saddr and a range': input(
    'ip saddr 192.0.2.5-192.0.2.20 drop; ip6 saddr 2001:db8::5-2001:db8::20 drop',
  ),
  'ip daddr': input(
    'ip daddr 192.0.2.1 tcp dport 80 drop; ip6 daddr 2001:db8::1 udp dport 80 drop',
  ),
  'iifname and a star': input('iifname "eth*" tcp dport 80 drop'),
  iif: input('iif lo accept; tcp dport 80 drop'),
  iiftype: input('iiftype loopback drop'),
  iifgroup: input('iifgroup 0 udp dport 80 drop'),
  iifkind: input('meta iifkind "veth" tcp dport 80 drop'),
  'meta l4proto in a map of verdicts': input('meta l4proto vmap { tcp : drop, udp : accept }'),
  'meta nfproto': input('meta nfproto ipv6 drop'),
  'meta protocol': input('meta protocol ip drop'),
  'meta length of a SYN': input(
    'tcp dport 80 meta length 60 drop; tcp dport 80 meta length 80 drop',
  ),
  'meta pkttype': input('meta pkttype host tcp dport 80 drop'),
  'ip length': input('tcp dport 80 ip length 60 drop; tcp dport 80 ip6 length 40 drop'),
  'ip ttl on the link': table(
    'chain input { type filter hook input priority 0; iifname lo accept; ip saddr 192.0.2.10 ip ttl 64 drop; ip6 saddr 2001:db8::10 ip6 hoplimit 64 drop; }',
  ),
  'ip version and header length': input('ip version 4 ip hdrlength 5 drop'),
  'ip dscp': input('ip dscp cs0 tcp dport 80 drop; ip6 dscp cs0 udp dport 80 drop'),
  'ip frag-off': input('ip frag-off & 0x1fff != 0 accept; ip frag-off & 0x4000 != 0 drop'),
  'tcp flags of a SYN': input('tcp flags & (syn | ack) == syn tcp dport 80 drop'),
  'tcp flags of an ACK: nobody gets in': input('tcp flags & (syn | ack) == ack drop'),
  'tcp flags syn / syn,ack': input('tcp flags syn / syn,ack,rst,fin reject with tcp reset'),
  'tcp option maxseg': input(
    'tcp option maxseg size 1-1000 drop; tcp option maxseg size 1460 drop',
  ),
  'tcp options that are there': input(
    'tcp option timestamp exists tcp option sack-perm exists tcp dport 80 drop',
  ),
  'tcp options that are missing': input('tcp option md5sig missing drop'),
  'raw payload': input('@th,16,16 80 drop'),
  'exthdr that is missing': input('exthdr frag missing tcp dport 80 drop'),
  'ether type on arrival': input('ether type ip drop'),
  'ether daddr': input('ether type ip6 ether daddr 00:00:00:00:00:00 drop'),
  'marks set, masked and compared': table(
    chain('prerouting', 'tcp dport 80 meta mark set 0x12; meta mark set mark or 0x100', '-150'),
    chain('input', 'meta mark & 0xff == 0x12 drop; meta mark 0x100 udp dport 80 drop'),
  ),
  'marks shifted': table(
    chain(
      'prerouting',
      'meta mark set 0x12; meta mark set meta mark lshift 4; meta mark set meta mark rshift 1',
      '-150',
    ),
    chain('input', 'meta mark 0x90 tcp dport 80 drop'),
  ),
  'marks in ranges': table(
    chain('prerouting', 'tcp dport 80 meta mark set 300; udp dport 80 meta mark set 5', '-150'),
    chain('input', 'meta mark 256-512 drop; meta mark < 6 meta mark > 4 reject'),
  ),
  'marks from a map': table(
    'map ports { type inet_service : mark; elements = { 80 : 1, 81 : 2 } }',
    chain('prerouting', 'meta mark set tcp dport map @ports', '-150'),
    chain('input', 'meta mark 1 drop; meta mark vmap { 2 : accept, 0 : drop }'),
  ),
  'a set of prefixes': table(
    'set bad { type ipv4_addr; flags interval; elements = { 10.0.0.0/8, 192.0.2.0/28, 198.51.100.0/24 } }',
    'set bad6 { type ipv6_addr; flags interval; elements = { 2001:db8:1::/64 } }',
    chain('input', 'ip saddr @bad drop; ip6 saddr @bad6 drop'),
  ),
  'a set of addresses, inverted': table(
    'set good { type ipv4_addr; elements = { 192.0.2.10, 127.0.0.1 } }',
    chain('input', 'ip saddr != @good drop'),
  ),
  'a set with an element that catches all': table(
    'map m { type ipv4_addr : verdict; elements = { 192.0.2.10 : accept, * : drop } }',
    chain('input', 'ip saddr vmap @m'),
  ),
  'adjacent intervals of a map of verdicts': input(
    'th dport vmap { 1-79 : accept, 80 : drop, 81-90 : drop, 91-65535 : accept }',
  ),
  concatenations: table(
    'set s { type ipv4_addr . inet_proto . inet_service; elements = { 192.0.2.10 . tcp . 80, 198.51.100.10 . udp . 80 } }',
    chain('input', 'ip saddr . meta l4proto . th dport @s drop'),
  ),
  'concatenations with ranges': table(
    'set s { type ipv4_addr . inet_service; flags interval; elements = { 192.0.2.0/28 . 70-80, 198.51.100.0/24 . 81 } }',
    'set s6 { type ipv6_addr . inet_service; flags interval; elements = { 2001:db8::/64 . 80, 2001:db8:1::/48 . 1-100 } }',
    chain('input', 'ip saddr . tcp dport @s drop; ip6 saddr . th dport @s6 drop'),
  ),
  'names in concatenations': input(
    'iifname . th dport vmap { "eth0" . 80 : drop, "lo" . 81 : drop }',
  ),
  'intervals of names': table(
    'set i { type ifname; flags interval; elements = { "eth*" } }',
    chain('input', 'iifname @i tcp dport 80 drop'),
  ),
  'jump, goto and return': table(
    'chain deep { tcp dport 80 return; udp dport 80 drop; }',
    'chain aside { tcp dport 81 reject; }',
    chain('input', 'jump deep; goto aside; drop'),
  ),
  'the policy': table(
    'chain input { type filter hook input priority 0; policy drop; tcp dport 80 accept; iif lo accept; icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept; }',
  ),
  'accept ends one chain alone': table(
    'chain a { type filter hook input priority 0; tcp dport 80 accept; }',
    'chain b { type filter hook input priority 10; tcp dport 80 drop; }',
  ),
  'drop is final': table(
    'chain a { type filter hook input priority 0; tcp dport 80 drop; }',
    'chain b { type filter hook input priority 10; accept; }',
  ),
  'priorities across families': `table ip a { chain c { type filter hook prerouting priority -10; meta mark set 1; } }
    table inet b { chain c { type filter hook prerouting priority -20; meta mark set 2; } chain d { type filter hook input priority 0; meta mark 1 tcp dport 80 drop; meta mark 2 drop; } }`,
  'ct state of every packet': table(
    'chain input { type filter hook input priority 0; policy drop; ct state established,related accept; ct state invalid drop; iif lo accept; tcp dport 80 ct state new accept; icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept; }',
  ),
  'a host that drops what is established': input('ct state established drop'),
  'ct state by a map': input(
    'ct state vmap { new : accept, established : accept, invalid : drop }; udp dport 80 drop',
  ),
  'ct state before conntrack is invalid': table(
    chain(
      'prerouting',
      'iifname "eth0" ct state new drop; iifname "eth0" ct state invalid tcp dport 80 drop',
      '-300',
    ),
  ),
  'ct direction and original tuple': input(
    'meta l4proto tcp ct direction original ct original proto-dst 80 ct original ip saddr 192.0.2.10 drop; ct original ip6 daddr 2001:db8::1 tcp dport 80 drop',
  ),
  'ct reply tuple': input('meta l4proto tcp ct reply proto-src 80 drop'),
  'ct protocol and l3proto': input('ct l3proto ipv4 ct protocol tcp drop'),
  'ct mark, kept for the answer': table(
    chain('prerouting', 'tcp dport 80 ct mark set 7', '-150'),
    chain('output', 'ct mark 7 ct direction reply drop'),
  ),
  'ct mark restored': table(
    chain(
      'prerouting',
      'iifname "eth0" tcp dport 80 meta mark set 9; ct mark set meta mark; meta mark set ct mark',
      '-150',
    ),
    chain('output', 'meta mark set ct mark; meta mark 9 drop'),
  ),
  'ct status': table(
    chain('input', 'ct status confirmed tcp dport 80 drop; ct status & (snat|dnat) != 0 drop'),
    chain('output', 'ct status seen-reply udp sport 80 drop'),
  ),
  'ct zone': input('ct zone 0 tcp dport 80 drop'),
  notrack: table(
    chain('prerouting', 'tcp dport 80 notrack', '-300'),
    chain('input', 'ct state untracked tcp dport 80 iif eth0 drop; ct state new udp dport 80 drop'),
  ),
  'notrack, and an answer that is invalid then': table(
    chain('prerouting', 'tcp dport 80 notrack', '-300'),
    chain('output', 'oif eth0 ct state invalid drop; ct state established udp sport 80 drop'),
  ),
  'output drops the answer': output(
    'oifname "eth0" tcp sport 80 drop; oifname "eth0" udp sport 80 drop',
  ),
  'output drops the reset of a closed port': output('tcp flags rst drop'),
  'output drops ICMP errors': output('meta l4proto { icmp, icmpv6 } ct state related drop'),
  'output accepts what is established and related': table(
    'chain output { type filter hook output priority 0; policy drop; ct state established,related accept; oif lo accept; icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept; }',
  ),
  postrouting: table(chain('postrouting', 'tcp sport 80 drop; udp dport 80 oif lo drop')),
  'fib saddr type': input(
    'fib saddr type local tcp dport 80 drop; fib saddr type unicast udp dport 80 drop',
  ),
  'fib daddr type': input('fib daddr type local tcp dport 80 drop'),
  'fib daddr . iif type': input(
    'fib daddr . iif type local tcp dport 80 drop; fib daddr . iif type != local udp dport 80 drop',
  ),
  'fib saddr . iif oif, the reverse path': table(
    chain(
      'prerouting',
      'fib saddr . iif oif missing drop; fib saddr . iif oif exists tcp dport 80 drop',
      '-300',
    ),
  ),
  'fib saddr oif': table(
    chain(
      'prerouting',
      'fib saddr oif "eth0" tcp dport 80 drop; fib saddr oifname "lo" drop',
      '-300',
    ),
  ),
  'named counters': table(
    'counter c { packets 0 bytes 0 }',
    chain('input', 'counter name c tcp dport 80 drop'),
  ),
  'redirect of a port': `table inet t { chain prerouting { type nat hook prerouting priority -100; tcp dport 81 redirect to :80; udp dport 81 redirect to :80; } chain output { type nat hook output priority -100; tcp dport 81 redirect to :90; } }`,
  'dnat to an address of this host': `table ip t { chain prerouting { type nat hook prerouting priority -100; tcp dport 81 dnat to ${LAN4}:80; udp dport 81 dnat to ${LAN4}:80; } chain input { type filter hook input priority 0; ct status dnat tcp dport 80 accept; tcp dport 80 drop; } }`,
  'dnat to loopback is a martian': `table ip t { chain prerouting { type nat hook prerouting priority -100; tcp dport 81 dnat to 127.0.0.1:90; } }`,
  'dnat in output': `table ip t { chain output { type nat hook output priority -100; ip daddr 203.0.113.9 tcp dport 80 dnat to 127.0.0.1:90; tcp dport 81 dnat to :80; } }
    table ip6 t { chain output { type nat hook output priority -100; tcp dport 81 dnat to [::1]:90; } }`,
  'dnat from a map': `table ip t { map m { type inet_service : ipv4_addr . inet_service; elements = { 81 : ${LAN4} . 80 } } chain prerouting { type nat hook prerouting priority -100; dnat ip to tcp dport map @m; } }`,
  'snat at input': `table ip t { chain input { type nat hook input priority 100; ip saddr 192.0.2.10 snat to 192.0.2.77; } }`,
  'masquerade at postrouting': `table inet t { chain postrouting { type nat hook postrouting priority 100; oif eth0 masquerade; } }`,
  'nat chains see the first packet alone': `table ip t { chain prerouting { type nat hook prerouting priority -100; ct state established drop; } chain output { type nat hook output priority -100; ct direction reply drop; } }`,
  'an earlier nat chain settles it': `table ip t { chain a { type nat hook prerouting priority -110; tcp dport 81 dnat to ${LAN4}:80; } chain b { type nat hook prerouting priority -90; tcp dport 81 dnat to ${LAN4}:82; } }`,
  'a dormant table does nothing':
    'table inet t { flags dormant; chain input { type filter hook input priority 0; policy drop; } }',
  'netdev ingress':
    'table netdev t { chain i { type filter hook ingress device "eth0" priority 0; tcp dport 80 drop; ip6 nexthdr udp udp dport 80 drop; } }',
  'netdev ingress, policy drop':
    'table netdev t { chain i { type filter hook ingress device "eth0" priority 0; policy drop; meta protocol { arp, ip } accept; } }',
  'inet ingress':
    'table inet t { chain i { type filter hook ingress device "eth0" priority 0; tcp dport 80 ct state invalid drop; } }',
  'netdev ingress of lo':
    'table netdev t { chain i { type filter hook ingress device "lo" priority 0; tcp dport 80 drop; } }',
  'netdev egress':
    'table netdev t { chain e { type filter hook egress device "eth0" priority 0; tcp sport 80 drop; } }',
  'netdev egress of lo':
    'table netdev t { chain e { type filter hook egress device "lo" priority 0; udp dport 80 drop; tcp dport 80 drop; } }',
  'netdev ingress answers by the device, past routes and rules': `table netdev t { chain i { type filter hook ingress device "eth0" priority 0; tcp dport 80 reject with tcp reset; udp dport 80 reject with icmpx port-unreachable; } chain l { type filter hook ingress device "lo" priority 0; tcp dport 80 reject with icmpx admin-prohibited; udp dport 80 reject; } } table inet t { chain output { type filter hook output priority 0; ct state != new drop; } }`,
  'an error of ICMP is sent from where the kernel chooses': table(
    chain('input', 'udp dport 80 reject'),
    chain('postrouting', `ip saddr ${LAN4} meta l4proto icmp drop`),
  ),
  'masquerade over lo': `table ip t { chain postrouting { type nat hook postrouting priority 100; oif lo masquerade; } chain input { type filter hook input priority 0; iif lo ip saddr 127.0.0.0/8 drop; } }`,
  'chains of one priority that only judge, in tables of either age': `table inet a { chain input { type filter hook input priority 0; tcp dport 80 accept; } } table ip b { chain input { type filter hook input priority 0; tcp dport 80 drop; } }`,
  'answers before routing': table(
    chain('prerouting', 'tcp dport 80 reject with tcp reset; udp dport 80 reject'),
  ),
  'a route chain whose mark leads another way': `table ip t { chain o { type route hook output priority 0; tcp sport 80 meta mark set 5; } }`,
};

for (const [title, rules] of Object.entries(decided)) {
  test(`nftables: ${title}`, async (t) => {
    await withLab({ ...routed, nft: lines(rules) }, async (lab) => {
      lab.listen(servers);
      for (const { flow, verdict } of await holdAgainstKernel(lab, flows))
        t.not(verdict.outcome, 'unknown', `${JSON.stringify(flow)}: ${verdict.explanation}`);
    });
  });
}

const rejections = [
  'reject',
  'reject with tcp reset',
  ...['net', 'host', 'prot', 'port'].map((what) => `reject with icmp ${what}-unreachable`),
  ...['net', 'host', 'admin'].map((what) => `reject with icmp ${what}-prohibited`),
  ...[
    'no-route',
    'admin-prohibited',
    'addr-unreachable',
    'port-unreachable',
    'policy-fail',
    'reject-route',
  ].map((what) => `reject with icmpv6 ${what}`),
  ...['no-route', 'port-unreachable', 'host-unreachable', 'admin-prohibited'].map(
    (what) => `reject with icmpx ${what}`,
  ),
];

for (const hook of ['input', 'output', 'prerouting']) {
  for (const statement of rejections) {
    test(`nftables: ${statement} at ${hook}`, async (t) => {
      const what = statement.includes('tcp reset') ? 'tcp dport 80' : 'th dport 80';
      await withLab(
        { ...routed, nft: lines(table(chain(hook, `${what} ${statement}`))) },
        async (lab) => {
          lab.listen(servers);
          for (const { flow, verdict } of await holdAgainstKernel(lab, flows))
            t.not(verdict.outcome, 'unknown', `${JSON.stringify(flow)}: ${verdict.explanation}`);
        },
      );
    });
  }
}

test('nftables: of one priority the chain that came last is asked first, which handles do not tell', async (t) => {
  const first = 'add table inet a; add table ip b;';
  const dropping =
    'add chain ip b input { type filter hook input priority 0; }; add rule ip b input tcp dport 80 drop;';
  const refusing =
    'add chain inet a input { type filter hook input priority 0; }; add rule inet a input tcp dport 80 reject;';
  const told: (string | null)[] = [];
  for (const rules of [`${first} ${dropping} ${refusing}`, `${first} ${refusing} ${dropping}`]) {
    await withLab({ ...routed, nft: rules.replaceAll(/;(?! \})/g, '\n') }, async (lab) => {
      const flows = everyFlow(['neighbour'], [LAN4], 80).slice(0, 1);
      for (const { verdict, result } of await holdAgainstKernel(lab, flows)) {
        t.like(verdict, { outcome: 'unreachable', symptom: null });
        told.push(result.symptom);
      }
    });
  }
  t.deepEqual(told, ['ECONNREFUSED', 'ETIMEDOUT']);
});

const bridges = labTest(
  ['nft'],
  [
    {
      name: 'br_netfilter',
      missing: () => (existsSync('/proc/sys/net/bridge') ? null : 'br_netfilter is not loaded'),
    },
  ],
);

for (const calls of [0, 1]) {
  bridges(
    `nftables: a bridge of which bridge-nf-call-iptables is ${calls} ${calls ? 'asks prerouting first' : 'asks no rules of IP'}`,
    async (t) => {
      const host = {
        interfaces: {
          br0: {
            kind: 'bridge' as const,
            addresses: [`${LAN4}/24`, `${LAN6}/64`],
            peers: { neighbour: { addresses: ['192.0.2.10/24', '2001:db8::10/64'] } },
          },
        },
        sysctls: {
          'net.bridge.bridge-nf-call-iptables': calls,
          'net.bridge.bridge-nf-call-ip6tables': calls,
        },
        nft: lines(
          'table inet t { chain prerouting { type filter hook prerouting priority 0; tcp dport 80 reject with tcp reset; udp dport 80 reject; } chain output { type filter hook output priority 0; tcp flags rst drop; } } table netdev t { chain i { type filter hook ingress device "br0" priority 0; udp dport 80 drop; } }',
        ),
      };
      await withLab(host, async (lab) => {
        lab.listen(servers);
        const flows = [80, 81].flatMap((port) => everyFlow(['neighbour'], [LAN4, LAN6], port));
        const symptoms = new Map<string, string | null>();
        for (const { flow, verdict } of await holdAgainstKernel(lab, flows)) {
          t.not(verdict.outcome, 'unknown', verdict.explanation);
          symptoms.set(`${flow.protocol} ${flow.destination.port}`, verdict.symptom);
        }
        t.is(symptoms.get('tcp 80'), calls ? 'ECONNREFUSED' : 'ETIMEDOUT', 'reset by the port');
        t.is(symptoms.get('udp 80'), calls ? 'ECONNREFUSED' : 'ETIMEDOUT', 'before the ingress');
        t.is(symptoms.get('udp 81'), 'ECONNREFUSED');
      });
    },
  );
}
