import { isLinkLocal, maskAddress, parseAddress, parsePrefix } from '#earshot/model/address.js';
import type { Hook, Nftables, NftChain, NftFamily } from '#earshot/model/firewall.js';
import type { HostState } from '#earshot/model/host-state.js';
import type {
  Interface,
  InterfaceAddress,
  Ipv4Settings,
  Ipv6Settings,
} from '#earshot/model/interface.js';
import type { Route } from '#earshot/model/route.js';
import { defaultRule, type Rule } from '#earshot/model/rule.js';
import type { NftRule } from '#earshot/model/ruleset.js';
import type { Family, Socket, Transport } from '#earshot/model/socket.js';
import { checkState } from '#earshot/model/state-check.js';
import type { Flow } from '#earshot/reach/flow.js';

/*
 * Hosts written by hand: what is said of them, and beside it what a kernel makes of that by itself
 * (routes for addresses, the default rules), so that a test says no more than it is about.
 */

const kernelMade = 2; // RTPROT_KERNEL
const tables = { default: 253, main: 254, local: 255 };
const scopes = { universe: 0, link: 253, host: 254 };

const familyOf = (text: string): Family => (text.includes(':') ? 'ipv6' : 'ipv4');

export interface LinkChanges extends Partial<Omit<Interface, 'addresses' | 'ipv4' | 'ipv6'>> {
  ipv4?: Partial<Ipv4Settings> | null;
  ipv6?: Partial<Ipv6Settings> | null;
}

/** An interface with its addresses, as ADDRESS/LENGTH, with flags behind spaces: `fe80::1/64 tentative`. */
export function link(name: string, addresses: string[] = [], changes: LinkChanges = {}): Interface {
  const { ipv4, ipv6, ...rest } = changes;
  return {
    index: 0,
    name,
    kind: null,
    up: true,
    running: true,
    lowerUp: true,
    loopback: false,
    pointToPoint: false,
    noArp: false,
    mac: '02:00:00:00:00:01',
    mtu: 1500,
    master: null,
    portKind: null,
    lowerIndex: null,
    lowerElsewhere: false,
    group: 0,
    hardwareType: 1,
    vrfTable: null,
    xdp: [],
    tcIngress: false,
    tcEgress: false,
    ipv4: ipv4 === null ? null : { ...ipv4Off, ...ipv4 },
    ipv6: ipv6 === null ? null : { ...ipv6Off, ...ipv6 },
    addresses: addresses.map(addressOf),
    ...rest,
  };
}

const ipv4Off: Ipv4Settings = {
  forwarding: 0,
  rp_filter: 0,
  accept_local: 0,
  route_localnet: 0,
  src_valid_mark: 0,
  arp_ignore: 0,
  arp_announce: 0,
  arp_filter: 0,
  bc_forwarding: 0,
  ignore_routes_with_linkdown: 0,
  drop_unicast_in_l2_multicast: 0,
};

const ipv6Off: Ipv6Settings = {
  forwarding: 0,
  disable_ipv6: 0,
  optimistic_dad: 0,
  use_optimistic: 0,
  ignore_routes_with_linkdown: 0,
  drop_unicast_in_l2_multicast: 0,
  force_forwarding: 0,
};

function addressOf(text: string): InterfaceAddress {
  const [cidr = '', ...flags] = text.split(' ');
  const [address = '', length = ''] = cidr.split('/');
  const parsed = parseAddress(address);
  const scope = parsed && isLinkLocal(parsed) ? 'link' : 'global';
  const prefixLength = Number(length);
  return { address, prefixLength, scope, flags, peer: null, broadcast: null };
}

/** The loopback interface that every namespace starts with, switched on. */
export function lo(changes: LinkChanges = {}): Interface {
  const loopback = { loopback: true, mtu: 65536, hardwareType: 772, mac: null };
  return link('lo', ['127.0.0.1/8', '::1/128'], { ...loopback, ...changes });
}

/** A route; `via` and `dev` make its one way out. */
export function route(
  destination: string,
  changes: Partial<Route> & { via?: string; dev?: string } = {},
): Route {
  const { via, dev, ...rest } = changes;
  const way = { interface: dev ?? null, gateway: via ?? null, weight: 1, flags: [] };
  const family = familyOf(destination);
  return {
    family,
    table: tables.main,
    type: 'unicast',
    destination,
    sourcePrefix: null,
    tos: 0,
    scope: scopes.universe,
    protocol: 3, // RTPROT_BOOT
    metric: family === 'ipv6' ? 1024 : 0,
    preferredSource: null,
    nexthops: dev === undefined && via === undefined ? [] : [way],
    nexthopId: null,
    preference: family === 'ipv6' ? 'medium' : null,
    flags: [],
    encapsulation: null,
    ...rest,
  };
}

/** What the kernel makes of an address (fib_add_ifaddr, addrconf_prefix_route). */
function routesOfAddress({ name, loopback }: Interface, entry: InterfaceAddress): Route[] {
  const { address, prefixLength, flags } = entry;
  const prefix = parsePrefix(`${address}/${prefixLength}`);
  if (!prefix) return [];
  const network = `${networkOf(address, prefixLength)}/${prefixLength}`;
  const made = { dev: name, protocol: kernelMade };
  if (familyOf(address) === 'ipv6') {
    if (flags.includes('tentative') || flags.includes('dadfailed')) return [];
    const own = route(`${address}/128`, { ...made, table: tables.local, type: 'local', metric: 0 });
    return loopback || prefixLength === 128
      ? [own]
      : [own, route(network, { ...made, metric: 256 })];
  }
  const local = { ...made, table: tables.local, preferredSource: address };
  const own = route(`${address}/32`, { ...local, type: 'local', scope: scopes.host });
  if (prefixLength === 32) return [own];
  const subnet = loopback
    ? route(network, { ...local, type: 'local', scope: scopes.host })
    : route(network, { ...made, preferredSource: address, scope: scopes.link });
  if (prefixLength === 31) return [own, subnet];
  const last = `${lastOf(address, prefixLength)}/32`;
  return [own, subnet, route(last, { ...local, type: 'broadcast', scope: scopes.link })];
}

function networkOf(address: string, length: number): string {
  const parsed = parseAddress(address);
  if (!parsed) return address;
  const { a, b, c, d } = maskAddress(parsed, length);
  const words = parsed.family === 'ipv4' ? [a] : [a, b, c, d];
  const text = words.map((word) => (word >>> 0).toString(16).padStart(8, '0')).join('');
  if (parsed.family === 'ipv6') return new URL(`http://[${colons(text)}]`).hostname.slice(1, -1);
  return dotted(a >>> 0);
}

const colons = (hex: string) => (hex.match(/.{4}/g) as string[]).join(':');

function lastOf(address: string, length: number): string {
  const parsed = parseAddress(address);
  return dotted(((parsed?.a ?? 0) | (0xffffffff >>> length)) >>> 0);
}

const dotted = (value: number) => [24, 16, 8, 0].map((shift) => (value >>> shift) & 255).join('.');

/** A policy rule of IPv4, or of the family given; it looks in the main table if nothing else is said. */
export function rule(priority: number, changes: Partial<Rule> = {}): Rule {
  const looksUp = changes.action === undefined || changes.action === 'lookup';
  const plain = defaultRule(changes.family ?? 'ipv4', priority, tables.main);
  return { ...plain, table: looksUp ? tables.main : null, ...changes };
}

const defaultRules: readonly Rule[] = [
  rule(0, { table: tables.local }),
  rule(32766),
  rule(32767, { table: tables.default }),
  rule(0, { family: 'ipv6', table: tables.local }),
  rule(32766, { family: 'ipv6' }),
];

export interface HostChanges extends Partial<Omit<HostState, 'interfaces' | 'routes' | 'rules'>> {
  /** Beside `lo`, which is made where none is given. */
  links?: Interface[];
  /** Beside those that the kernel makes for the addresses. */
  routes?: Route[];
  /** Beside the default ones. */
  rules?: Rule[];
}

/** A host as `capture()` would tell it: checked to be a capture, and frozen, for `reach` is pure. */
export function host(changes: HostChanges = {}): HostState {
  const { links = [], routes = [], rules = [], ...rest } = changes;
  const all = links.some((one) => one.loopback || one.name === 'lo') ? links : [lo(), ...links];
  const interfaces = all.map((one, place) => ({ ...one, index: one.index || place + 1 }));
  const made = interfaces
    .filter((one) => one.up)
    .flatMap((one) => one.addresses.flatMap((entry) => routesOfAddress(one, entry)));
  const state: HostState = {
    version: 1,
    when: '2026-01-02T03:04:05.000Z',
    where: { hostname: 'host', kernel: '6.12.0', netns: 4026531840 },
    families: { ipv4: true, ipv6: true },
    interfaces,
    routes: [...made, ...routes],
    rules: [...defaultRules, ...rules].sort((one, other) =>
      one.family === other.family ? one.priority - other.priority : one.family === 'ipv4' ? -1 : 1,
    ),
    settings: {},
    sockets: [],
    firewall: noFirewall,
    missing: [],
    ...rest,
  };
  checkState(state);
  return deepFreeze(state);
}

function deepFreeze<Value>(value: Value): Value {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const inner of Object.values(value)) deepFreeze(inner);
  }
  return value;
}

let nextInode = 1000;

/** ADDRESS:PORT, an IPv6 address in brackets. */
function endpoint(text: string): { address: string; port: number } {
  const colon = text.lastIndexOf(':');
  const address = text.slice(0, colon).replace(/^\[|\]$/g, '');
  return { address, port: Number(text.slice(colon + 1)) };
}

function socket(protocol: Transport, local: string, changes: Partial<Socket>): Socket {
  const at = endpoint(local);
  const family = familyOf(at.address);
  return {
    protocol,
    family,
    state: protocol === 'tcp' ? 'listen' : changes.remote ? 'established' : 'unconnected',
    local: at,
    remote: null,
    interfaces: [],
    boundInterface: null,
    v6only: family === 'ipv6' ? false : null,
    inode: nextInode++,
    cookie: null,
    uid: 1000,
    receiveQueue: 0,
    sendQueue: 0,
    backlog: protocol === 'tcp' ? { length: 0, limit: 511 } : null,
    mark: 0,
    cgroup: null,
    transparent: false,
    source: 'netlink',
    ...changes,
  };
}

/** A TCP socket that listens on ADDRESS:PORT. */
export const tcp = (local: string, changes: Partial<Socket> = {}) => socket('tcp', local, changes);

/** A UDP socket on ADDRESS:PORT. */
export const udp = (local: string, changes: Partial<Socket> = {}) => socket('udp', local, changes);

/** A peer asks, by an interface, for ADDRESS:PORT. */
export function asks(
  source: string,
  ingress: string,
  destination: string,
  protocol: Transport = 'tcp',
): Flow {
  return { protocol, ingress, source: { address: source }, destination: endpoint(destination) };
}

/** This host itself asks for ADDRESS:PORT. */
export function asksItself(destination: string, protocol: Transport = 'tcp'): Flow {
  return { protocol, ingress: 'lo', destination: endpoint(destination) };
}

/** A rule of an expression that nobody knows: what it does cannot be told. */
const opaqueRule = (handle: number): NftRule => ({
  handle,
  expressions: [{ kind: 'unknown', name: 'novelty', data: '' }],
  comment: null,
});

/** A base chain by 'FAMILY TABLE NAME', with a rule that cannot be read if nothing else is said. */
export function chain(
  where: string,
  hook: Hook,
  changes: { rules?: number; policy?: 'accept' | 'drop'; devices?: string[] } = {},
): NftChain {
  const [family, table = '', name = ''] = where.split(' ');
  const { rules = 1, policy = 'accept', devices = [] } = changes;
  const base = { hook, priority: 0, policy, type: 'filter', devices };
  const made = Array.from({ length: rules }, (_, place) => opaqueRule(place + 2));
  return { family: family as NftFamily, table, name, handle: 1, base, rules: made };
}

const noRules: Nftables = {
  generation: 1,
  byteOrder: 'little',
  tables: [],
  chains: [],
  sets: [],
  objects: [],
  flowtables: [],
};

const noFirewall: HostState['firewall'] = {
  nftables: noRules,
  legacy: { ipv4: [], ipv6: [] },
  ipsets: [],
};

/** A firewall of these chains, in tables with these flags. */
export function nftables(chains: NftChain[], flags: string[] = []): HostState['firewall'] {
  const names = [...new Set(chains.map(({ family, table }) => `${family} ${table}`))];
  const made = names.map((name, place) => {
    const [family, table = ''] = name.split(' ');
    return { family: family as NftFamily, name: table, handle: place + 1, flags };
  });
  return { ...noFirewall, nftables: { ...noRules, generation: 2, tables: made, chains } };
}

/** A firewall of legacy tables, loaded for both families, whose rules could not be read. */
export function legacyTables(...names: string[]): HostState['firewall'] {
  const tables = names.map((name) => ({ name, chains: null }));
  return { ...noFirewall, legacy: { ipv4: tables, ipv6: tables } };
}

/** A firewall that could not be read, of either kind. */
export function unreadable(which: 'nftables' | 'legacy-tables'): Partial<HostState> {
  const firewall = {
    ...noFirewall,
    [which === 'nftables' ? 'nftables' : 'legacy']: null,
  };
  const reason = 'the kernel refused: EPERM';
  return { firewall, missing: [{ what: which, reason, remedy: 'run as root' }] };
}

/** The host that most tests are about: one LAN with a router, both families. */
export const LAN = 'eth0';
export const lan4 = '192.168.1.10';
export const lan6 = '2001:db8:1::10';
export const neighbour4 = '192.168.1.20';
export const neighbour6 = '2001:db8:1::20';

export const lanLink = (changes: LinkChanges = {}) =>
  link(LAN, [`${lan4}/24`, `${lan6}/64`, 'fe80::10/64'], changes);

export const defaultRoutes = [
  route('0.0.0.0/0', { via: '192.168.1.1', dev: LAN }),
  route('::/0', { via: 'fe80::1', dev: LAN }),
];

/** A host on a LAN with these sockets. */
export function onLan(sockets: Socket[], changes: HostChanges = {}): HostState {
  return host({ links: [lanLink()], routes: defaultRoutes, sockets, ...changes });
}
