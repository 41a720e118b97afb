import type { HostState } from '#earshot/model/host-state.js';
import type { Interface, InterfaceAddress } from '#earshot/model/interface.js';
import type { Route } from '#earshot/model/route.js';
import { defaultRule } from '#earshot/model/rule.js';
import type { Process, Socket } from '#earshot/model/socket.js';
import type { Blocked, Exposure, Reach } from '#earshot/reach/exposure-row.js';
import { link } from '../reach/support/state.js';

/*
 * A laptop as many have it, made by hand: a LAN with the default route, a WireGuard tunnel, Docker,
 * and the servers of somebody who develops.
 */

export function address(text: string, prefixLength: number): InterfaceAddress {
  const scope = text.startsWith('fe80') ? 'link' : 'global';
  return { address: text, prefixLength, scope, flags: ['permanent'], peer: null, broadcast: null };
}

let nextIndex = 1;

export function device(name: string, changes: Partial<Interface> = {}): Interface {
  return { ...link(name, [], { ipv6: null }), index: changes.index ?? nextIndex++, ...changes };
}

export function route(destination: string, out: string, changes: Partial<Route> = {}): Route {
  return {
    family: destination.includes(':') ? 'ipv6' : 'ipv4',
    table: 254,
    type: 'unicast',
    destination,
    sourcePrefix: null,
    tos: 0,
    scope: 0,
    protocol: 2,
    metric: 0,
    preferredSource: null,
    nexthops: [{ interface: out, gateway: null, weight: 1, flags: [] }],
    nexthopId: null,
    preference: null,
    flags: [],
    encapsulation: null,
    ...changes,
  };
}

export function process(pid: number, name: string, ...command: string[]): Process {
  return { pid, fd: 3, name, command, uid: 1000 };
}

export function socket(local: string, port: number, changes: Partial<Socket> = {}): Socket {
  const ipv6 = local.includes(':');
  return {
    protocol: 'tcp',
    family: ipv6 ? 'ipv6' : 'ipv4',
    state: changes.protocol === 'udp' ? 'unconnected' : 'listen',
    local: { address: local, port },
    remote: null,
    interfaces: [],
    boundInterface: null,
    v6only: ipv6 ? false : null,
    inode: 1,
    cookie: null,
    uid: 1000,
    receiveQueue: 0,
    sendQueue: 0,
    backlog: null,
    mark: 0,
    cgroup: null,
    transparent: false,
    source: 'netlink',
    owners: [],
    ...changes,
  };
}

export function laptop(changes: Partial<HostState> = {}): HostState {
  return {
    version: 1,
    when: '2026-01-02T03:04:05.000Z',
    where: { hostname: 'laptop', kernel: '6.12.0', netns: 4026531840 },
    families: { ipv4: true, ipv6: true },
    interfaces: [
      device('lo', {
        index: 1,
        loopback: true,
        hardwareType: 772,
        addresses: [address('127.0.0.1', 8), address('::1', 128)],
      }),
      device('docker0', { index: 2, kind: 'bridge', addresses: [address('172.17.0.1', 16)] }),
      device('wg0', {
        index: 3,
        kind: 'wireguard',
        hardwareType: 65534,
        addresses: [address('10.8.0.1', 24)],
      }),
      device('eth0', {
        index: 4,
        addresses: [
          address('192.168.1.10', 24),
          address('fd12:3456::10', 64),
          address('fe80::10', 64),
        ],
      }),
    ],
    routes: [
      route('0.0.0.0/0', 'eth0'),
      route('192.168.1.0/24', 'eth0'),
      route('172.17.0.0/16', 'docker0'),
      route('10.8.0.0/24', 'wg0'),
      route('127.0.0.0/8', 'lo', { table: 255, type: 'local', scope: 254 }),
      route('192.168.1.10/32', 'eth0', { table: 255, type: 'local', scope: 254 }),
      route('172.17.0.1/32', 'docker0', { table: 255, type: 'local', scope: 254 }),
      route('10.8.0.1/32', 'wg0', { table: 255, type: 'local', scope: 254 }),
      route('::/0', 'eth0'),
      route('fd12:3456::/64', 'eth0'),
    ],
    rules: [
      defaultRule('ipv4', 0, 255),
      defaultRule('ipv4', 32766, 254),
      defaultRule('ipv4', 32767, 253),
    ],
    settings: {},
    sockets: [],
    firewall: {
      nftables: {
        generation: 1,
        byteOrder: 'little',
        tables: [],
        chains: [],
        sets: [],
        objects: [],
        flowtables: [],
      },
      legacy: { ipv4: [], ipv6: [] },
      ipsets: [],
    },
    missing: [],
    ...changes,
  };
}

const anyone4 = ['0.0.0.0/0'];
const anyone6 = ['::/0'];

export function reach(
  out: string,
  local: string,
  port: number,
  peers: string[],
  changes: Partial<Reach> = {},
): Reach {
  const host = local.includes(':') ? `[${local}]` : local;
  const url = `http://${host}:${port}/`;
  return { interface: out, address: local, port, peers, url, forwardedTo: null, ...changes };
}

/** What gets in to a server that stands on every IPv4 address of the laptop. */
export function openToAll(port: number): Reach[] {
  return [
    reach('lo', '127.0.0.1', port, ['127.0.0.1']),
    reach('docker0', '172.17.0.1', port, ['172.17.0.0/16']),
    reach('wg0', '10.8.0.1', port, ['10.8.0.0/24']),
    reach('eth0', '192.168.1.10', port, anyone4),
  ];
}

export function blockedBy(cause: Blocked['cause'], changes: Partial<Blocked> = {}): Blocked[] {
  const row = { cause, symptom: 'ECONNREFUSED' as const, remedies: [], ...changes };
  return [
    { interface: 'docker0', address: '172.17.0.1', peers: ['172.17.0.0/16'], ...row },
    { interface: 'wg0', address: '10.8.0.1', peers: ['10.8.0.0/24'], ...row },
    { interface: 'eth0', address: '192.168.1.10', peers: anyone4, ...row },
    { interface: 'eth0', address: 'fd12:3456::10', peers: anyone6, ...row },
  ];
}

export function exposureOf(
  held: Socket | null,
  scope: Exposure['scope'],
  changes: Partial<Exposure> = {},
): Exposure {
  const endpoint = held
    ? { protocol: held.protocol, port: held.local.port }
    : { protocol: 'tcp' as const, port: changes.reach?.[0]?.port ?? 80 };
  return { endpoint, socket: held, scope, reach: [], blocked: [], unknown: [], ...changes };
}

const vite = process(4411, 'node', 'node', 'server.js', '--name', 'my app');
const postgres = process(
  977,
  'postgres',
  '/usr/lib/postgresql/17/bin/postgres',
  '-D',
  '/var/lib/postgresql/17/main',
);
const caddy = process(1200, 'caddy', 'caddy', 'run');
const avahi = process(411, 'avahi-daemon', 'avahi-daemon: running');
const redis = process(1300, 'redis-server', 'redis-server');

export const databaseOnLoopback = socket('127.0.0.1', 5432, { owners: [postgres] });
const databaseOnLoopback6 = socket('::1', 5432, { owners: [postgres] });

const postgresRows = [
  exposureOf(databaseOnLoopback, 'host', {
    reach: [reach('lo', '127.0.0.1', 5432, ['127.0.0.1'])],
    blocked: [
      ...blockedBy({ code: 'bound-to-loopback', socket: databaseOnLoopback }),
      {
        interface: 'eth0',
        address: '127.0.0.1',
        peers: anyone4,
        cause: {
          code: 'martian-destination',
          destination: '127.0.0.1',
          interface: 'eth0',
          setting: 'net.ipv4.conf.eth0.route_localnet',
        },
        symptom: 'ETIMEDOUT',
        remedies: [],
      },
    ],
  }),
  exposureOf(databaseOnLoopback6, 'host', {
    reach: [reach('lo', '::1', 5432, ['::1'])],
    blocked: blockedBy({ code: 'bound-to-loopback', socket: databaseOnLoopback6 }),
  }),
];

/** Exposures of every kind, by port. */
export const exposures: Readonly<Record<number, Exposure[]>> = {
  3000: [
    exposureOf(socket('::', 3000, { owners: [vite] }), 'routed', {
      reach: [
        ...openToAll(3000),
        reach('lo', '::1', 3000, ['::1']),
        reach('eth0', 'fd12:3456::10', 3000, anyone6),
        reach('eth0', 'fe80::10', 3000, ['fe80::/10', 'fd12:3456::/64'], { url: null }),
      ],
    }),
  ],
  5353: [
    exposureOf(socket('0.0.0.0', 5353, { protocol: 'udp', owners: [avahi] }), 'link', {
      reach: [
        reach('lo', '127.0.0.1', 5353, ['127.0.0.1'], { url: null }),
        reach('eth0', '192.168.1.10', 5353, ['192.168.1.0/24'], { url: null }),
        reach('docker0', '172.17.0.1', 5353, ['172.17.0.0/16'], { url: null }),
      ],
    }),
  ],
  5432: postgresRows,
  6379: [
    exposureOf(socket('0.0.0.0', 6379, { owners: [redis] }), 'unknown', {
      reach: [reach('lo', '127.0.0.1', 6379, ['127.0.0.1'])],
      unknown: blockedBy(
        {
          code: 'firewall-unreadable',
          backend: 'nftables',
          hook: 'input',
          direction: 'request',
          reason: 'the kernel refused to show the nftables rule set: EPERM',
          remedy: 'run as root, or give node CAP_NET_ADMIN',
        },
        { symptom: null },
      )
        .slice(0, 3)
        .map((row) => ({
          ...reach(row.interface, row.address, 6379, row.peers),
          ...row,
          assuming: { outcome: 'reachable', symptom: null, cause: null },
        })),
    }),
  ],
  8080: [
    exposureOf(null, 'routed', {
      reach: [reach('eth0', '192.168.1.10', 8080, anyone4, { forwardedTo: '172.17.0.2:80' })],
    }),
  ],
  9000: [
    exposureOf(socket('0.0.0.0', 9000, { owners: [caddy], boundInterface: 'wg0' }), 'nobody', {
      blocked: blockedBy(
        { code: 'interface-down', interface: 'wg0' },
        { symptom: 'ETIMEDOUT' },
      ).slice(1, 2),
    }),
  ],
};

export const everyExposure: Exposure[] = Object.values(exposures).flat();
