import { readFileSync } from 'node:fs';
import type { Namespace } from './namespace.js';

/**
 * Fills a namespace with one of everything that links, addresses, routes and rules can be on a
 * kernel without loadable modules; `neighbour` holds the other end of one veth.
 */
export function buildRichNetwork(here: Namespace, neighbour: Namespace): void {
  here.ip(
    `
    link set lo up
    link add lan0 type veth peer name far0 netns $1
    link add pair0 type veth peer name pair1
    link add br0 type bridge
    link set pair1 master br0
    link add link lan0 name mv0 type macvlan mode bridge
    tuntap add tun0 mode tun
    tuntap add tap0 mode tap
    link set lan0 address 02:00:00:00:00:01 mtu 1400
    link set lan0 up
    link set pair0 up group 42
    link set pair1 up
    link set br0 up
    link set mv0 up
    link set tun0 up
    `,
    neighbour,
  );
  neighbour.ip('link set far0 up');
  // Kinds that not every kernel has.
  for (const line of [
    'link add link lan0 name lan0.7 type vlan id 7',
    'link add ifb0 type ifb',
    'link add vx0 type vxlan id 7 dstport 4789 dev lan0',
    'link add blue type vrf table 77',
    'link add dummy9 type dummy',
    'link add bond9 type bond',
  ]) {
    try {
      here.ip(line);
    } catch {
      // this one has not
    }
  }
  here.ip(`
    address add 10.1.0.1/24 broadcast 10.1.0.255 dev lan0
    address add 10.1.0.2/24 dev lan0
    address add 10.1.0.130/32 dev lan0 scope link
    address add 10.1.1.1/24 dev lan0 label lan0:web noprefixroute
    address add 10.9.0.1 peer 10.9.0.2/32 dev tun0
    address add 172.16.0.1/12 dev br0 scope site
    address add 192.0.2.1/24 dev pair0 preferred_lft 0
    address add 127.0.0.9/32 dev lo
    address add 2001:db8:1::1/64 dev lan0 nodad
    address add 2001:db8:1::2/64 dev lan0 nodad preferred_lft 0
    address add 2001:db8:9::1 peer 2001:db8:9::2/128 dev tun0 nodad
    address add 2001:db8:2::1/64 dev mv0 noprefixroute
    address add 2001:db8:3::1/64 dev tap0
    address add fe80::5/64 dev lan0 nodad
  `);
  here.ip(`
    route add default via 10.1.0.254 dev lan0 metric 100
    route add default via 10.1.0.253 dev lan0 metric 200 proto static
    route add 10.20.0.0/16 nexthop via 10.1.0.10 dev lan0 weight 3 nexthop via 172.16.0.10 dev br0 weight 200
    route add 10.21.0.0/16 via 10.200.0.1 dev lan0 onlink
    route add 10.22.0.0/16 dev lan0 src 10.1.0.2 scope link tos 0x10
    route add 10.23.0.0/16 via inet6 fe80::99 dev lan0
    route add 10.24.0.0/16 dev pair0 table 1000
    route add 10.25.0.0/16 dev br0 table 70000
    route add blackhole 10.30.0.0/16
    route add unreachable 10.31.0.0/16
    route add prohibit 10.32.0.0/16 table 200
    route add throw 10.33.0.0/16 table 200
    route add local 10.40.0.0/24 dev lo
    route add multicast 224.9.9.9 dev lan0
    nexthop add id 1 via 10.1.0.11 dev lan0
    nexthop add id 2 via 10.1.0.12 dev lan0
    nexthop add id 3 group 1,5/2,9
    nexthop add id 4 blackhole
    nexthop add id 6 via fe80::13 dev lan0
    nexthop add id 7 via fe80::14 dev br0
    nexthop add id 8 group 6/7,3
    nexthop add id 9 dev pair0
    route add 10.50.0.0/16 nhid 1
    route add 10.51.0.0/16 nhid 3
    route add 10.52.0.0/16 nhid 4
    route add 10.53.0.0/16 nhid 9
    route add 10.54.0.0/16 nhid 6
  `);
  here.ip6(`
    route add default via fe80::99 dev lan0 pref high
    route add 2001:db8:20::/48 nexthop via fe80::10 dev lan0 weight 2 nexthop via fe80::11 dev br0 weight 7
    route add 2001:db8:21::/48 from 2001:db8:1::/64 via fe80::12 dev lan0 metric 77
    route add 2001:db8:22::/48 dev lan0 table 1000 src 2001:db8:1::1 pref low
    route add 2001:db8:23::/48 encap seg6 mode inline segs 2001:db8::5 dev lan0
    route add blackhole 2001:db8:30::/48
    route add unreachable 2001:db8:31::/48
    route add prohibit 2001:db8:32::/48
    route add throw 2001:db8:33::/48 table 200
    route add local 2001:db8:40::/64 dev lo
    route add anycast 2001:db8:41::1 dev lan0
    route add 2001:db8:50::/48 nhid 6
    route add 2001:db8:51::/48 nhid 8
    route add 2001:db8:52::/48 nhid 7
  `);
  for (const family of ['ip', 'ip6'] as const) {
    const [from, to] =
      family === 'ip' ? ['10.1.0.0/24', '10.2.0.0/15'] : ['2001:db8:1::/64', '::/1'];
    here[family](`
      rule add priority 100 from ${from} lookup 1000
      rule add priority 101 to ${to} lookup 70000 protocol static
      rule add priority 102 from ${from} to ${to} tos 0x10 lookup main
      rule add priority 103 iif lan0 lookup 200
      rule add priority 104 iif gone0 oif gone1 lookup 200
      rule add priority 105 oif br0 lookup 200
      rule add priority 106 fwmark 0x10/0xf0 lookup 200
      rule add priority 107 fwmark 7 lookup 200
      rule add priority 108 fwmark 0/0xff lookup 200
      rule add priority 109 ipproto udp sport 53 lookup 200
      rule add priority 110 ipproto tcp dport 8000-8999 lookup 200
      rule add priority 111 uidrange 1000-1999 lookup 200
      rule add priority 112 not from ${from} lookup 200
      rule add priority 113 lookup main suppress_prefixlength 0
      rule add priority 114 lookup main suppress_ifgroup 42
      rule add priority 115 l3mdev
      rule add priority 116 from ${from} goto 32766
      rule add priority 117 from ${from} nop
      rule add priority 118 from ${from} blackhole
      rule add priority 119 from ${from} unreachable
      rule add priority 120 from ${from} prohibit
      rule add priority 120 to ${to} prohibit
      rule add priority 121 tun_id 5 lookup 200
    `);
  }
  here.run('tc', 'qdisc', 'add', 'dev', 'lan0', 'clsact');
  here.run('tc', 'qdisc', 'add', 'dev', 'pair0', 'clsact');
  here.run('tc', 'qdisc', 'add', 'dev', 'br0', 'ingress');
  const pass = ['bpf', 'da', 'bytecode', '1,6 0 0 4294967295,'];
  here.run('tc', 'filter', 'add', 'dev', 'lan0', 'ingress', ...pass);
  here.run('tc', 'filter', 'add', 'dev', 'pair0', 'egress', ...pass);
  // Each setting that the links tell has a value of its own, so that no two can be mistaken.
  for (const [name, value] of Object.entries(LAN0_SETTINGS)) {
    if (existsHere(here, name)) here.set(name, value);
  }
}

/** What is set on lan0. */
export const LAN0_SETTINGS: Record<string, number> = {
  'net.ipv4.conf.lan0.forwarding': 1,
  'net.ipv4.conf.lan0.rp_filter': 2,
  'net.ipv4.conf.lan0.accept_local': 3,
  'net.ipv4.conf.lan0.route_localnet': 4,
  'net.ipv4.conf.lan0.src_valid_mark': 5,
  'net.ipv4.conf.lan0.arp_ignore': 6,
  'net.ipv4.conf.lan0.arp_announce': 7,
  'net.ipv4.conf.lan0.arp_filter': 8,
  'net.ipv4.conf.lan0.bc_forwarding': 9,
  'net.ipv4.conf.lan0.ignore_routes_with_linkdown': 10,
  'net.ipv4.conf.lan0.drop_unicast_in_l2_multicast': 11,
  'net.ipv6.conf.lan0.forwarding': 1,
  'net.ipv6.conf.lan0.optimistic_dad': 13,
  'net.ipv6.conf.lan0.use_optimistic': 14,
  'net.ipv6.conf.lan0.ignore_routes_with_linkdown': 15,
  'net.ipv6.conf.lan0.drop_unicast_in_l2_multicast': 16,
  'net.ipv6.conf.lan0.force_forwarding': 1,
  'net.ipv6.conf.pair1.disable_ipv6': 1,
};

function existsHere(here: Namespace, sysctl: string): boolean {
  try {
    here.run('cat', `/proc/sys/${sysctl.replaceAll('.', '/')}`);
    return true;
  } catch {
    return false;
  }
}

/** The ELF-less XDP program of the recorder: `return XDP_PASS`, attached by netlink. */
export const attachXdp = (here: Namespace, device: string): void => {
  here.run(
    'python3',
    '-c',
    readFileSync(new URL('../../../../test/kernel/support/attach-xdp.py', import.meta.url), 'utf8'),
    device,
  );
};
