/*
 * What the samples show: for each document its scenes, by the name of the `<!-- sample:NAME -->` that
 * they fill. A scene of the guide bears the code of its cause, and is believed only when earshot's
 * verdict has that cause and a real attempt meets the very symptom that the verdict predicts.
 */

/** @typedef {import('./host.mjs').Server} Server */
/** @typedef {import('./host.mjs').Attempt} Attempt */
/** @typedef {import('./host.mjs').Host} Host */

/**
 * @typedef {object} Scene
 * @property {Server[]} [servers] default: node, 3000/tcp on every IPv4 address
 * @property {boolean} [routes] false: the host has no default route
 * @property {string} [before] commands on the host that are not shown
 * @property {string} [peer] commands where the colleague is
 * @property {string} [change] commands on the host, shown in the sample before the question
 * @property {(host: Host) => Promise<void>} [next] what else happens before the question
 * @property {string} [recording] a firewall of test/fixtures/firewalls, whose capture is asked as `host.json`
 * @property {string[]} ask the command's arguments
 * @property {string} [metrics] the command is the exporter: what the lines shown of its metrics hold
 * @property {string[][]} [also] further questions of the same sample
 * @property {boolean} [powerless] asked without root's capabilities
 * @property {boolean} [refused] the command refuses the question
 * @property {Attempt} [attempt] what is really tried, and held against the verdict on it
 */

/** @type {Server} */
const node = { pid: 4211, name: 'node', args: ['server.js'], tcp: [3000, '0.0.0.0'] };

const colleague = '192.168.1.50';
const here = '192.168.1.23';
/** @type {Attempt} */
const usual = { from: colleague, to: here, port: 3000 };

const docker = `
  ip link add docker0 type bridge
  ip addr add 172.17.0.1/16 dev docker0
  ip link set docker0 up
`;

/** A BGP daemon that shares a key with every host of the LAN. */
const signing = `
import socket, struct, time
server = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
server.bind(('0.0.0.0', 179))
TCP_MD5SIG_EXT, TCP_MD5SIG_FLAG_PREFIX = 32, 1
peers = struct.pack('=HH4s120x', socket.AF_INET, 0, socket.inet_aton('192.168.1.0'))
key = struct.pack('=BBHi80s', TCP_MD5SIG_FLAG_PREFIX, 24, 6, 0, b'secret')
server.setsockopt(socket.IPPROTO_TCP, TCP_MD5SIG_EXT, peers + key)
server.listen()
print('up', flush=True)
time.sleep(120)
`;

/** Servers such as people run, and a container bridge. */
const laptop = {
  servers: [
    { pid: 812, name: 'sshd', tcp: [22, '::'] },
    { pid: 1044, name: 'postgres', tcp: [5432, '127.0.0.1'] },
    { pid: 1107, name: 'redis-server', tcp: [6379, '::'] },
    node,
  ],
  before: docker,
};

/** A second way to the network: a wireless interface, and somebody in another part of it. */
const wireless = {
  before: `
    ip link add wlan0 address 02:00:00:00:00:18 type veth peer name air netns PEER
    ip addr add 10.20.0.24/24 dev wlan0
    ip link set wlan0 up
  `,
  peer: `
    ip addr add 10.20.0.1/24 dev air
    ip addr add 10.30.0.7/32 dev air
    ip link set air up
    ip neigh replace 10.20.0.24 lladdr 02:00:00:00:00:18 dev air nud permanent
    ip neigh replace fe80::ff:fe00:17 lladdr 02:00:00:00:00:18 dev air nud permanent
  `,
};

const farColleague = '10.30.0.7';
/** He comes in by eth0. */
const farOnLan = `ip addr add ${farColleague}/32 dev lan`;

/** @param {string} bind */
const boundTo = (bind) => `
import socket, time
server = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
server.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b'${bind}')
server.bind(('0.0.0.0', 3000))
server.listen()
print('up', flush=True)
time.sleep(120)
`;

/** @type {Record<string, Scene>} */
const readme = {
  overview: { ...laptop, ask: [] },
  port: { ...laptop, ask: ['3000'] },
  loopback: { ...laptop, ask: ['5432'] },
  surprise: {
    change: `
      ip rule add priority 100 lookup 51820
      ip route add unreachable default table 51820
    `,
    ask: ['trace', '192.168.1.23:3000'],
    also: [['trace', '--from', colleague, '--in', 'eth0', '192.168.1.23:3000']],
    attempt: { ...usual, in: 'eth0' },
  },
  fix: {
    servers: [
      {
        pid: 4711,
        name: 'node',
        args: ['node_modules/.bin/vite', '--port', '5173'],
        tcp: [5173, '127.0.0.1'],
      },
    ],
    change: `
      nft add table inet filter
      nft add chain inet filter input '{ type filter hook input priority filter; policy drop; }'
      nft add rule inet filter input ct state established,related accept
    `,
    ask: ['5173', '--from', colleague],
  },
  metrics: { ...laptop, ask: ['exporter'], metrics: 'listener_sockets{' },
  docker: {
    servers: [],
    recording: 'ufw-docker-nft',
    ask: ['trace', '--state', 'host.json', '--from', '192.0.2.10', '192.0.2.1:8080'],
  },
};

/** @type {Record<string, Scene>} */
const guide = {
  // ---- the server
  'no-listener': { servers: [], ask: ['3000', '--from', colleague], attempt: usual },
  'bound-to-loopback': {
    servers: [{ ...node, tcp: [3000, '127.0.0.1'] }],
    ask: ['3000'],
    attempt: usual,
  },
  'bound-to-other-address': {
    before: docker,
    servers: [{ ...node, tcp: [3000, '172.17.0.1'] }],
    ask: ['3000', '--from', colleague],
    attempt: usual,
  },
  'bound-to-other-device': {
    ...wireless,
    servers: [{ pid: 4211, name: 'node', python: boundTo('wlan0') }],
    ask: ['3000', '--from', colleague],
    attempt: usual,
  },
  'ipv4-only': {
    ask: ['3000', '--from', '2001:db8:1::50'],
    attempt: { from: '2001:db8:1::50', to: '2001:db8:1::23', port: 3000 },
  },
  'ipv6-only': {
    servers: [{ ...node, tcp: [{ port: 3000, host: '::', ipv6Only: true }] }],
    ask: ['3000', '--from', colleague],
    attempt: usual,
  },
  'other-protocol': {
    servers: [{ pid: 977, name: 'dnsmasq', udp: [53, '0.0.0.0'] }],
    ask: ['53', '--tcp', '--from', colleague],
    attempt: { ...usual, port: 53 },
  },
  shadowed: {
    servers: [
      { pid: 640, name: 'avahi-daemon', udp: [5353, '0.0.0.0'] },
      { pid: 4211, name: 'chromium', udp: [5353, here] },
    ],
    ask: ['5353'],
    attempt: { ...usual, protocol: 'udp', port: 5353 },
  },
  'connected-to-another': {
    servers: [{ pid: 977, name: 'collector', udp: [5140, here], connected: [514, '192.168.1.1'] }],
    ask: ['trace', '--udp', '--from', colleague, '192.168.1.23:5140'],
    attempt: { ...usual, protocol: 'udp', port: 5140 },
  },
  'accept-queue-full': {
    servers: [{ ...node, tcp: [{ port: 3000, host: '0.0.0.0', backlog: 1 }] }],
    next: async (host) => {
      process.kill(node.pid, 'SIGSTOP');
      await host.hold(usual);
      await host.hold(usual);
    },
    ask: ['3000'],
    attempt: usual,
  },
  'signature-required': {
    servers: [{ pid: 700, name: 'bird', python: signing }],
    ask: ['179', '--from', colleague],
    attempt: { ...usual, port: 179 },
  },
  // ---- the interface
  'interface-missing': { ask: ['3000', '--from', '10.8.0.7', '--in', 'wg0'], refused: true },
  'interface-down': {
    change: 'ip link set eth0 down',
    ask: ['3000', '--from', colleague, '--in', 'eth0'],
    attempt: { ...usual, in: 'eth0' },
  },
  'no-carrier': {
    // The cable is out: whoever was at its other end cannot try.
    peer: 'ip link set lan down',
    ask: ['3000', '--from', colleague, '--in', 'eth0'],
  },
  'ip-disabled': {
    servers: [{ ...node, tcp: [3000, '::'] }],
    change: 'sysctl -q net.ipv6.conf.eth0.disable_ipv6=1',
    ask: ['trace', '--from', '2001:db8:1::50', '--in', 'eth0', '[2001:db8:1::23]:3000'],
    attempt: { from: '2001:db8:1::50', to: '2001:db8:1::23', port: 3000, in: 'eth0' },
  },
  'port-blocked': {
    change: `
      ip link add br0 type bridge stp_state 1 forward_delay 3000
      ip link set eth0 master br0
      ip link set br0 up
    `,
    next: (host) => host.sh('ip addr flush dev eth0; ip addr add 192.168.1.23/24 dev br0'),
    ask: ['3000', '--from', colleague, '--in', 'eth0'],
    attempt: { ...usual, in: 'eth0' },
  },
  // outside-vrf: not every kernel has VRFs, and the samples are to be made on any.
  'neighbour-not-answered': {
    change: `
      ip addr add 192.168.1.99/32 dev lo
      sysctl -q net.ipv4.conf.all.arp_ignore=1
    `,
    // By lo its kernel tells a program that nobody answers.
    peer: 'ip link set lo up',
    ask: ['trace', '--from', colleague, '192.168.1.99:3000'],
    attempt: { ...usual, to: '192.168.1.99', patience: 6000 },
  },
  // ---- routing, on the way in
  'martian-destination': {
    servers: [{ ...node, tcp: [3000, '127.0.0.1'] }],
    peer: `
      sysctl -q net.ipv4.conf.lan.route_localnet=1
      ip route add 127.0.0.1 via 192.168.1.23 dev lan
    `,
    ask: ['trace', '--from', colleague, '127.0.0.1:3000'],
    attempt: { ...usual, to: '127.0.0.1' },
  },
  'martian-source': {
    peer: `
      sysctl -q net.ipv4.conf.lan.route_localnet=1
      ip addr add 127.0.0.1/32 dev lan
    `,
    ask: ['trace', '--from', '127.0.0.1', '--in', 'eth0', '192.168.1.23:3000'],
    attempt: { ...usual, from: '127.0.0.1', in: 'eth0' },
  },
  'source-is-ours': {
    before: docker,
    peer: 'ip addr add 172.17.0.1/32 dev lan',
    ask: ['3000', '--from', '172.17.0.1', '--in', 'eth0'],
    attempt: { ...usual, from: '172.17.0.1', in: 'eth0' },
  },
  'reverse-path': {
    ...wireless,
    change: 'sysctl -q net.ipv4.conf.wlan0.rp_filter=1',
    ask: ['3000', '--from', farColleague, '--in', 'wlan0'],
    attempt: { from: farColleague, to: '10.20.0.24', port: 3000, in: 'wlan0' },
  },
  'not-our-address': {
    peer: `ip neigh replace 192.168.1.99 lladdr 02:00:00:00:00:17 dev lan nud permanent`,
    ask: ['trace', '--from', colleague, '192.168.1.99:3000'],
    attempt: { ...usual, to: '192.168.1.99' },
  },
  'not-a-unicast-address': {
    ask: ['trace', '192.168.1.255:3000'],
    attempt: { by: 'host', to: '192.168.1.255', port: 3000 },
  },
  'group-not-joined': {
    servers: [{ pid: 977, name: 'player', udp: [5004, '0.0.0.0'] }],
    peer: 'ip route add 239.0.0.0/8 dev lan',
    ask: ['trace', '--udp', '--from', colleague, '239.1.2.3:5004'],
    attempt: { ...usual, protocol: 'udp', to: '239.1.2.3', port: 5004 },
  },
  forwarded: {
    before: docker,
    change: 'sysctl -q net.ipv4.ip_forward=1',
    ask: ['trace', '--from', colleague, '172.17.0.2:80'],
  },
  // ---- IPv6
  'address-not-ready': {
    servers: [{ ...node, tcp: [3000, '::'] }],
    before: 'sysctl -q net.ipv6.conf.eth0.accept_dad=1',
    peer: 'ip addr add 2001:db8:1::99/64 dev lan nodad',
    change: 'ip addr add 2001:db8:1::99/64 dev eth0',
    next: async (host) => {
      await host.settled();
      await host.peerSh(`
        ip addr del 2001:db8:1::99/64 dev lan
        ip neigh replace 2001:db8:1::99 lladdr 02:00:00:00:00:17 dev lan nud permanent
      `);
    },
    ask: ['trace', '--from', '2001:db8:1::50', '[2001:db8:1::99]:3000'],
    attempt: { from: '2001:db8:1::50', to: '2001:db8:1::99', port: 3000 },
  },
  'wrong-scope': {
    ...wireless,
    servers: [{ ...node, tcp: [3000, '::'] }],
    ask: ['trace', '--from', '2001:db8:2::50', '--in', 'wlan0', '[fe80::ff:fe00:17]:3000'],
    next: (host) => host.peerSh('ip addr add 2001:db8:2::50/64 dev air nodad'),
    attempt: { from: '2001:db8:2::50', to: 'fe80::ff:fe00:17%air', port: 3000, in: 'wlan0' },
  },
  // ---- the way back
  'no-route': {
    routes: false,
    peer: farOnLan,
    ask: ['3000', '--from', farColleague, '--in', 'eth0'],
    attempt: { ...usual, from: farColleague, in: 'eth0' },
  },
  'route-refuses': {
    peer: farOnLan,
    change: 'ip route add prohibit 10.30.0.0/16',
    ask: ['3000', '--from', farColleague, '--in', 'eth0'],
    attempt: { ...usual, from: farColleague, in: 'eth0' },
  },
  'assumed-on-link': {
    ...wireless,
    servers: [{ pid: 4211, name: 'node', python: boundTo('wlan0') }],
    ask: ['3000', '--from', farColleague, '--in', 'wlan0'],
  },
  // ---- firewalls, programs, and what cannot be told
  'rule-drop': {
    change: `
      nft add table inet filter
      nft add chain inet filter input '{ type filter hook input priority 0; }'
      nft add rule inet filter input tcp dport 3000-3999 ip saddr != 192.168.1.1 drop
    `,
    ask: ['3000', '--from', colleague],
    attempt: usual,
  },
  'rule-reject': {
    change: `
      nft add table inet filter
      nft add chain inet filter input '{ type filter hook input priority 0; }'
      nft add rule inet filter input ct state established,related accept
      nft add rule inet filter input tcp dport != 22 reject with icmpx admin-prohibited
    `,
    ask: ['trace', '--from', colleague, '192.168.1.23:3000'],
    attempt: usual,
  },
  'policy-drop': {
    change: `
      nft add table inet filter
      nft add chain inet filter input '{ type filter hook input priority 0; policy drop; }'
      nft add rule inet filter input iif lo accept
      nft add rule inet filter input tcp dport 22 accept
    `,
    ask: ['3000', '--from', colleague],
    attempt: usual,
  },
  'rule-unknown': {
    change: `
      nft add table inet filter
      nft add chain inet filter input '{ type filter hook input priority 0; }'
      nft add rule inet filter input ct state new limit rate over 20/minute drop
    `,
    ask: ['3000', '--from', colleague],
  },
  'firewall-not-evaluated': {
    change: `
      nft add table arp filter
      nft add chain arp filter input '{ type filter hook input priority 0; }'
      nft add rule arp filter input arp saddr ip 192.168.1.66 drop
    `,
    ask: ['3000', '--from', colleague],
  },
  'firewall-unreadable': { powerless: true, ask: ['3000', '--from', colleague] },
  'opaque-program': {
    // No program's tool is needed for one that lets everything pass.
    before: 'python3 test/kernel/support/attach-xdp.py eth0',
    ask: ['3000', '--from', colleague],
  },
  'not-evaluated': {
    ...wireless,
    servers: [{ pid: 977, name: 'dnsmasq', udp: [53, '0.0.0.0'] }],
    change: `
      ip rule add priority 100 from 10.20.0.24 lookup 100
      ip route add default via 10.20.0.1 dev wlan0 table 100
    `,
    ask: ['53', '--from', farColleague, '--in', 'wlan0'],
  },
  'not-captured': {
    change: 'mount -t tmpfs none /proc/sys/net',
    ask: ['3000', '--from', colleague],
  },
  // ---- asking from the host itself
  'leaves-this-host': { ask: ['trace', '192.168.1.50:3000'] },
  'source-not-ours': {
    ask: ['trace', '--from', '192.168.1.99', '--in', 'lo', '192.168.1.23:3000'],
    attempt: { by: 'host', from: '192.168.1.99', to: here, port: 3000 },
  },
};

/**
 * Ports of every sort, and two networks: what the command shows at first sight.
 * @type {Scene}
 */
const face = {
  servers: [
    { pid: 812, name: 'sshd', tcp: [22, '::'] },
    { pid: 902, name: 'node_exporter', tcp: [9100, '::'] },
    { pid: 1044, name: 'postgres', tcp: [5432, '127.0.0.1'] },
    { pid: 1107, name: 'redis-server', tcp: [6379, '172.17.0.1'] },
    node,
  ],
  before: `
    ${docker}
    nft add table inet filter
    nft add chain inet filter input '{ type filter hook input priority filter; }'
    nft add rule inet filter input iif eth0 tcp dport 22 ip saddr != 192.168.1.50 drop
    nft add rule inet filter input iif eth0 tcp dport 22 ip6 saddr != 2001:db8:1::50 drop
    nft add rule inet filter input iif eth0 tcp dport 9100 drop
  `,
  ask: [],
  also: [['trace', '--from', colleague, '192.168.1.23:9100']],
  attempt: { ...usual, port: 9100 },
};

/** @type {Record<string, { scene: Scene, title: string }>} pictures, by their path */
export const images = {
  'docs/earshot.svg': {
    scene: face,
    title: 'earshot: listeners by interface, and the life of a packet that a rule drops',
  },
};

/** @type {Record<string, Record<string, Scene>>} by the document's path */
export const documents = { 'README.md': readme, 'docs/why-cant-they-connect.md': guide };
