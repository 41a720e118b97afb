import { withLab } from '../harness.js';
import { labTest } from '../lab-test.js';
import { both, everyFlow, LAN4, LAN6, routed } from '../networks.js';
import { compareWithKernel, holdAgainstKernel } from '../witness.js';
import { backends, iptablesTools, loadRules, printed, type Rules } from './load.js';

/*
 * One rule set for each match and target of iptables, in tables of nftables and in tables of its own:
 * flows of a neighbour, of somebody behind a router and of the host itself are really made, to an open
 * port and to a closed one, and earshot must say of each what the kernel did; and print each rule as
 * iptables-save does.
 */

const test = labTest(iptablesTools);

const servers = [
  ...both({ address: '0.0.0.0', port: 80 }),
  ...both({ address: '::', port: 80, v6only: true }),
  ...both({ address: '127.0.0.1', port: 90 }),
];

const flows = [
  ...everyFlow(['neighbour', 'host', 'remote'], [LAN4, LAN6], 80),
  ...everyFlow(['neighbour', 'host', 'remote'], [LAN4, LAN6], 81),
  ...everyFlow(['host'], ['127.0.0.1'], 90),
];

const input = (...lines: string[]): Rules => ({
  filter: lines.map((line) => line.replace(/^([46]: )?/, '$1-A INPUT ')),
});
const output = (...lines: string[]): Rules => ({
  filter: lines.map((line) => line.replace(/^([46]: )?/, '$1-A OUTPUT ')),
});

const decided: Record<string, Rules> = {
  'addresses, whole and by prefix': input(
    '4: -s 192.0.2.10/32 -p tcp -j DROP',
    '4: ! -s 192.0.2.0/24 -p udp -j DROP',
    '6: -s 2001:db8::10/127 -d 2001:db8::1/128 -p tcp -j DROP',
    '6: -s 2001:db8::/33 -p udp -j DROP',
  ),
  'a mask that is no prefix': input('4: -s 192.0.0.10/255.0.0.255 -j DROP'),
  'interfaces, whole and by their beginning': input(
    '-i eth+ -p tcp --dport 80 -j DROP',
    '! -i lo -p udp --dport 80 -j REJECT',
  ),
  'an interface that the packet leaves by': output(
    '-o eth0 -p tcp --sport 80 -j DROP',
    '! -o eth+ -p udp -j DROP',
  ),
  'protocols, and all others': input('-p tcp -j DROP', '! -p udp -j ACCEPT', '-j REJECT'),
  'later fragments, and all else': input(
    '4: -f -j DROP',
    '4: ! -f -p tcp -m tcp --dport 80 -j DROP',
  ),
  'ports of tcp and udp': input(
    '-p tcp -m tcp --dport 80:90 -j DROP',
    '-p udp -m udp ! --dport 80 -j REJECT',
    '-p udp -m udp --sport 1:1023 -j DROP',
  ),
  'tcp flags': input('-p tcp -m tcp --dport 80 --tcp-flags FIN,SYN,RST,ACK SYN -j DROP'),
  'tcp flags of an ACK: nobody gets in': input('-p tcp -m tcp --tcp-flags SYN,ACK ACK -j DROP'),
  'tcp options': input(
    '-p tcp -m tcp --dport 80 --tcp-option 2 -j DROP',
    '-p tcp -m tcp ! --tcp-option 19 -j REJECT',
  ),
  multiport: input(
    '-p tcp -m multiport --dports 22,80:90 -j DROP',
    '-p udp -m multiport ! --dports 80,443 -j REJECT',
  ),
  'multiport of either side': input('-p udp -m multiport --ports 80 -j DROP'),
  'icmp and all else': input(
    '4: -p icmp -m icmp --icmp-type 8 -j DROP',
    '6: -p ipv6-icmp -m icmp6 --icmpv6-type 128 -j DROP',
    '-p tcp -j DROP',
  ),
  'conntrack states': input(
    '-m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT',
    '-p tcp -m conntrack --ctstate NEW -m tcp --dport 80 -j DROP',
  ),
  'what is not established is dropped': input('-m conntrack ! --ctstate ESTABLISHED -j DROP'),
  'what is established is dropped: nobody gets in': input(
    '-m conntrack --ctstate ESTABLISHED -j DROP',
  ),
  'answers are of the other direction': output('-m conntrack --ctdir REPLY -p tcp -j DROP'),
  'the original destination': input(
    '4: -m conntrack --ctorigdst 192.0.2.0/24 -p tcp -j DROP',
    '6: -m conntrack --ctorigsrc 2001:db8::10 -j DROP',
    '-m conntrack --ctorigdstport 80:89 -p udp -j DROP',
  ),
  'conntrack protocol and status': input(
    '-m conntrack --ctproto 17 --ctstatus NONE -j DROP',
    '-m conntrack --ctstatus SEEN_REPLY -j DROP',
  ),
  state: input('-m state --state NEW -p udp -j DROP', '-m state --state INVALID,UNTRACKED -j DROP'),
  addrtype: input(
    '-m addrtype --dst-type LOCAL -p tcp -m tcp --dport 80 -j DROP',
    '-m addrtype ! --src-type LOCAL -p udp -j DROP',
  ),
  'addrtype of an interface': input(
    '-i eth0 -m addrtype --dst-type LOCAL --limit-iface-in -p tcp -j DROP',
    '-m addrtype --src-type UNICAST -p udp -j REJECT',
  ),
  'marks set and asked': {
    mangle: [
      '-A PREROUTING -p tcp -m tcp --dport 80 -j MARK --set-xmark 0x12/0xffffffff',
      '-A PREROUTING -j MARK --set-xmark 0x100/0x100',
    ],
    filter: [
      '-A INPUT -m mark --mark 0x12/0xff -j DROP',
      '-A INPUT -p udp -m mark ! --mark 0x100 -j DROP',
      '-A INPUT -p udp -m mark --mark 0x100 -j REJECT',
    ],
  },
  'connection marks saved and restored': {
    mangle: [
      '-A PREROUTING -p tcp -m tcp --dport 80 -j MARK --set-xmark 0x7/0xffffffff',
      '-A PREROUTING -j CONNMARK --save-mark --nfmask 0xffffffff --ctmask 0xffffffff',
      '-A OUTPUT -j CONNMARK --restore-mark --nfmask 0xffffffff --ctmask 0xffffffff',
    ],
    filter: [
      '-A OUTPUT -m mark --mark 0x7 -j DROP',
      '-A INPUT -p udp -m connmark ! --mark 0x7 -j DROP',
    ],
  },
  'connection marks set': {
    mangle: ['-A PREROUTING -p tcp -j CONNMARK --set-xmark 0x5/0xff'],
    filter: ['-A OUTPUT -m connmark --mark 0x5/0xf -j DROP'],
  },
  comments: input(
    '-p tcp -m comment --comment "no \\"web\\" here" -m tcp --dport 80 -j DROP',
    '-p udp -m comment --comment short -j DROP',
  ),
  iprange: input(
    '4: -m iprange --src-range 192.0.2.5-192.0.2.20 -p tcp -j DROP',
    '4: -m iprange ! --src-range 192.0.2.5-192.0.2.20 --dst-range 192.0.2.0-192.0.2.9 -p udp -j DROP',
    '6: -m iprange --src-range 2001:db8::5-2001:db8::20 -p tcp -j DROP',
  ),
  pkttype: input(
    '-m pkttype --pkt-type unicast -p tcp -m tcp --dport 80 -j DROP',
    '-m pkttype ! --pkt-type unicast -j DROP',
  ),
  'ttl and hl on the link': input(
    '4: -s 192.0.2.10/32 -m ttl --ttl-eq 64 -p tcp -j DROP',
    '4: -s 192.0.2.10/32 -m ttl --ttl-lt 65 -j DROP',
    '6: -s 2001:db8::10/128 -m hl --hl-gt 63 -j DROP',
    '6: -s 2001:db8::10/128 -m hl ! --hl-eq 64 -p tcp -j DROP',
  ),
  'a routing header, which is not there': input(
    '6: -m rt --rt-type 0 -j DROP',
    '6: -m rt ! --rt-type 0 -j DROP',
  ),
  rpfilter: {
    raw: [
      '-A PREROUTING -m rpfilter --invert -j DROP',
      '-A PREROUTING -m rpfilter --loose -p tcp -m tcp --dport 80 -j DROP',
    ],
  },
  'rpfilter in mangle': {
    mangle: ['-A PREROUTING -m rpfilter --validmark --accept-local -p udp -j DROP'],
  },
  'owners of a socket': output(
    '-m owner --uid-owner 0 -p tcp -m tcp --sport 80 -j DROP',
    '-p udp -m udp --sport 80 -m owner ! --uid-owner 1-99 -j DROP',
  ),
  'a socket that exists': output(
    '-m owner --socket-exists -p udp -m udp --sport 80 -j DROP',
    '-p tcp -m tcp --sport 80 -m owner ! --socket-exists -j DROP',
  ),
  'bridge ports of what no bridge brings': input(
    '-m physdev --physdev-is-in -j DROP',
    '-m physdev ! --physdev-is-bridged -p tcp -j DROP',
  ),
  'the length of a SYN': input(
    '-p tcp -m tcp --dport 80 -m length --length 60 -j DROP',
    '-p tcp -m length --length 80:90 -j DROP',
    '-p tcp -m length ! --length 0:200 -j DROP',
  ),
  'dscp and tos': input(
    '-m dscp --dscp 0x00 -p tcp -m tcp --dport 80 -j DROP',
    '-m tos --tos 0x00/0xff -p udp -j DROP',
  ),
  'chains of one’s own, returned from': {
    filter: [
      '-N web',
      '-N deep',
      '-A INPUT -p tcp -j web',
      '-A INPUT -p udp -j DROP',
      '-A web -p tcp -m tcp --dport 81 -j RETURN',
      '-A web -g deep',
      '-A web -j ACCEPT',
      '-A deep -i lo -j RETURN',
      '-A deep -j DROP',
    ],
  },
  'goto does not come back': {
    filter: ['-N side', '-A INPUT -p tcp -g side', '-A INPUT -j DROP', '-A side -i lo -j DROP'],
  },
  'rules without a target go on': input(
    '-p tcp',
    '-p tcp -m tcp --dport 80',
    '-p tcp -m tcp --dport 80 -j DROP',
  ),
  'a policy of drop': {
    filter: [
      ':INPUT DROP',
      '-A INPUT -i lo -j ACCEPT',
      '-A INPUT -p tcp -m tcp --dport 80 -j ACCEPT',
    ],
  },
  'a policy of drop on the way out': {
    filter: [':OUTPUT DROP', '-A OUTPUT -m conntrack --ctstate ESTABLISHED -j ACCEPT'],
  },
  'security comes after filter': {
    security: ['-A INPUT -p tcp -m tcp --dport 80 -j DROP'],
    filter: ['-A INPUT -j ACCEPT'],
  },
  'log, nflog and checksum let pass': {
    filter: [
      '-A INPUT -p tcp -j LOG --log-prefix "in: "',
      '-A INPUT -j NFLOG --nflog-group 3',
      '-A INPUT -p tcp -m tcp --dport 80 -j DROP',
    ],
    mangle: ['-A POSTROUTING -p udp -j CHECKSUM --checksum-fill'],
  },
  'a smaller segment size': {
    mangle: ['-A PREROUTING -p tcp -m tcp --tcp-flags SYN,RST SYN -j TCPMSS --set-mss 1000'],
    filter: ['-A INPUT -p udp -j DROP'],
  },
  'what is not tracked': {
    raw: [
      '-A PREROUTING -p tcp -m tcp --dport 80 -j CT --notrack',
      '-A OUTPUT -p tcp -m tcp --sport 80 -j CT --notrack',
    ],
    filter: [
      '-A INPUT -m conntrack --ctstate UNTRACKED -p tcp -j DROP',
      '-A INPUT -m state --state NEW -p tcp -j ACCEPT',
      '-A INPUT -p udp -j DROP',
    ],
  },
  'another zone': {
    raw: ['-A PREROUTING -p tcp -j CT --zone 7', '-A OUTPUT -p tcp -j CT --zone 7'],
    filter: ['-A INPUT -m conntrack --ctstate NEW -p udp -j DROP'],
  },
  'redirect to another port': {
    nat: [
      '-A PREROUTING -p tcp -m tcp --dport 81 -j REDIRECT --to-ports 80',
      '-A OUTPUT -p tcp -m tcp --dport 82 -j REDIRECT --to-ports 80',
    ],
  },
  'redirect to a closed port': {
    nat: ['-A PREROUTING -p tcp -m tcp --dport 80 -j REDIRECT --to-ports 82'],
    filter: ['-A INPUT -m conntrack --ctstate DNAT -p udp -j DROP'],
  },
  'dnat to an address of the host': {
    nat: [
      '4: -A PREROUTING -d 192.0.2.1/32 -p tcp -m tcp --dport 81 -j DNAT --to-destination 192.0.2.1:80',
      '6: -A PREROUTING -d 2001:db8::1/128 -p udp -m udp --dport 81 -j DNAT --to-destination [2001:db8::1]:80',
    ],
    filter: [
      '-A INPUT -m conntrack --ctstate DNAT -m conntrack --ctorigdstport 81 -p tcp -s 198.51.100.0/24 -j DROP',
    ].map((line) => `4: ${line}`),
  },
  'dnat to a range of ports, shifted': {
    nat: ['4: -A PREROUTING -p tcp -m tcp --dport 81:90 -j DNAT --to-destination :80-89/81'],
  },
  'dnat to loopback is a martian': {
    nat: ['4: -A PREROUTING -p tcp -m tcp --dport 81 -j DNAT --to-destination 127.0.0.1:90'],
  },
  'snat of what comes in': {
    nat: [
      '4: -A INPUT -p tcp -m tcp --dport 80 -j SNAT --to-source 192.0.2.77',
      '6: -A INPUT -p udp -j SNAT --to-source 2001:db8::77',
    ],
  },
  'masquerade on the way out': { nat: ['-A POSTROUTING -o lo -p udp -j MASQUERADE'] },
  netmap: {
    nat: ['4: -A PREROUTING -d 192.0.2.0/24 -p tcp -m tcp --dport 80 -j NETMAP --to 127.0.0.0/24'],
  },
  'mangle of what goes out has it routed again': {
    mangle: ['-A OUTPUT -p tcp -m tcp --sport 80 -j MARK --set-xmark 0x5/0xffffffff'],
  },
};

for (const [title, rules] of Object.entries(decided)) {
  for (const backend of backends) {
    test(`iptables-${backend}: ${title}`, async (t) => {
      await withLab(routed, async (lab) => {
        await loadRules(lab.host.namespace, backend, rules);
        lab.listen(servers);
        for (const { flow, verdict } of await holdAgainstKernel(lab, flows))
          t.not(verdict.outcome, 'unknown', `${JSON.stringify(flow)}: ${verdict.explanation}`);
        const { ours, theirs } = await printed(lab.host.namespace, backend);
        t.deepEqual(ours, theirs);
      });
    });
  }
}

const rejections = {
  ipv4: [
    'icmp-net-unreachable',
    'icmp-host-unreachable',
    'icmp-proto-unreachable',
    'icmp-port-unreachable',
    'icmp-net-prohibited',
    'icmp-host-prohibited',
    'icmp-admin-prohibited',
  ],
  ipv6: [
    'icmp6-no-route',
    'icmp6-adm-prohibited',
    'icmp6-addr-unreachable',
    'icmp6-port-unreachable',
    'icmp6-policy-fail',
    'icmp6-reject-route',
  ],
};

for (const backend of backends) {
  for (const place of rejections.ipv4.keys()) {
    const four = rejections.ipv4[place]!;
    const six = rejections.ipv6[place] ?? 'icmp6-port-unreachable';
    test(`iptables-${backend}: REJECT with ${four} and ${six}`, async (t) => {
      const rules = ['INPUT', 'OUTPUT'].flatMap((chain) => [
        `4: -A ${chain} -p udp -m udp --dport 80 -j REJECT --reject-with ${four}`,
        `6: -A ${chain} -p udp -m udp --dport 80 -j REJECT --reject-with ${six}`,
        `4: -A ${chain} -p tcp -m tcp --dport 80 -j REJECT --reject-with ${four}`,
        `6: -A ${chain} -p tcp -m tcp --dport 80 -j REJECT --reject-with ${six}`,
        `-A ${chain} -p tcp -m tcp --dport 81 -j REJECT --reject-with tcp-reset`,
      ]);
      await withLab(routed, async (lab) => {
        await loadRules(lab.host.namespace, backend, { filter: rules });
        lab.listen(servers);
        for (const { flow, verdict } of await holdAgainstKernel(lab, flows))
          t.not(verdict.outcome, 'unknown', `${JSON.stringify(flow)}: ${verdict.explanation}`);
      });
    });
  }
}

/** What no capture can tell: the answer is `unknown`, with the rule for its cause, or right. */
const uncertain: Record<string, string> = {
  limit: '-m limit --limit 1000/sec --limit-burst 5',
  hashlimit:
    '-m hashlimit --hashlimit-upto 1000/sec --hashlimit-burst 5 --hashlimit-mode srcip --hashlimit-name lab',
  recent: '-m recent --rcheck --seconds 30 --name LAB --mask 255.255.255.255 --rsource',
  connlimit: '-m connlimit --connlimit-above 1000 --connlimit-mask 32 --connlimit-saddr',
  statistic: '-m statistic --mode random --probability 0.50000000000',
  time: '-m time --timestart 10:00:00 --timestop 11:00:00',
  quota: '-m quota --quota 10000',
  'socket, which is not followed': '-m socket --nowildcard',
  'u32, which is not known': '-m u32 --u32 "0x6&0xff=0x6"',
};

for (const [title, match] of Object.entries(uncertain)) {
  for (const backend of backends) {
    test(`iptables-${backend}: ${title} may hold or not`, async (t) => {
      await withLab(routed, async (lab) => {
        const rules = { filter: [`4: -A INPUT -p tcp -m tcp --dport 80 ${match} -j DROP`] };
        await loadRules(lab.host.namespace, backend, rules);
        lab.listen(servers);
        const told = await compareWithKernel(lab, flows);
        for (const { flow, verdict } of told) {
          const { address, port } = flow.destination;
          const asked = flow.protocol === 'tcp' && port === 80 && !address.includes(':');
          t.is(verdict.outcome === 'unknown', asked, JSON.stringify(flow));
          if (!asked) continue;
          t.is(verdict.cause?.code, 'rule-unknown');
          t.regex(verdict.explanation, /iptables -A INPUT -p tcp/);
        }
      });
    });
  }
}

test('a rule is named by its line, as iptables -L --line-numbers counts', async (t) => {
  for (const backend of backends) {
    await withLab(routed, async (lab) => {
      const rules = input('-p udp', '-i lo -j ACCEPT', '-p tcp -m tcp --dport 80 -j DROP');
      await loadRules(lab.host.namespace, backend, rules);
      lab.listen(servers);
      const [asked] = everyFlow(['neighbour'], [LAN4], 80);
      const [comparison] = await holdAgainstKernel(lab, [asked!]);
      const { verdict } = comparison!;
      t.like(verdict.cause, {
        code: 'rule-drop',
        rule: {
          tool: `iptables-${backend}`,
          line: 3,
          text: 'iptables -A INPUT -p tcp -m tcp --dport 80 -j DROP',
        },
      });
      t.regex(
        verdict.explanation,
        new RegExp(`rule 3 of chain INPUT in table filter of iptables-${backend}`),
      );
      const listed = await lab.host.namespace.run([
        `iptables-${backend}`,
        '-L',
        'INPUT',
        '--line-numbers',
        '-n',
      ]);
      t.regex(listed, /^3 +DROP/m);
    });
  }
});
