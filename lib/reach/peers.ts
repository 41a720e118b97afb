import {
  type Address,
  formatAddress,
  formatPrefix,
  isLinkLocal,
  isLoopback,
  isMulticast,
  isUnspecified,
  isV4Mapped,
  type Prefix,
  parsePrefix,
  prefixHolds,
} from '../model/address.js';
import { type AddressRange, cutAt, prefixRange } from '../model/prefix-set.js';
import type { Family } from '../model/socket.js';
import type { Device, Host } from './host.js';
import { keyTo } from './policy.js';

/**
 * What one interface makes of addresses:
 * - `neighbour`: a host on the link may have it, and ask by this interface
 * - `beyond`: so may one that stands behind a router there
 * - `nobody`: no peer has such an address (loopback, multicast, our own), so a list may hold it or
 *   not, whichever is shorter
 * - `elsewhere`: such peers stand behind another interface
 */
export type Who = 'neighbour' | 'beyond' | 'nobody' | 'elsewhere';

/** Addresses that nothing but rules of a firewall tells apart. */
export interface PeerClass {
  /** In ascending order. */
  readonly ranges: readonly AddressRange[];
}

/** A stretch of addresses of one class, of a space that is cut wherever two may be told apart. */
export interface Piece extends AddressRange {
  readonly class: PeerClass;
}

/** The prefixes that no rule of a host needs to name: they end what may be a peer. */
const special: Record<Family, readonly string[]> = {
  ipv4: ['0.0.0.0/8', '127.0.0.0/8', '224.0.0.0/4', '255.255.255.255/32'],
  ipv6: ['::/128', '::1/128', '::ffff:0:0/96', 'fe80::/10', 'ff00::/8'],
};

/**
 * All addresses of a family in ascending order, cut at every prefix that the host compares addresses
 * with outside of its firewall. Pieces that lie inside of the same prefixes are of one class; and
 * routes that differ in their destination alone are the same to whoever they lead to.
 */
export function piecesOf(host: Host, family: Family): Piece[] {
  const boundaries = boundariesOf(host, family)
    .map(({ prefix, label }) => ({ ...prefixRange(prefix), prefix, label }))
    .sort(inOrder);
  const classes = new Map<string, { ranges: AddressRange[] }>();
  const around: { last: bigint; key: string }[] = [];
  let next = 0;
  return cutAt(
    boundaries.map(({ prefix }) => prefix),
    family,
  ).map((range) => {
    while (around.length > 0 && around.at(-1)!.last < range.first) around.pop();
    for (; boundaries[next]?.first === range.first; next++) {
      const { last, label } = boundaries[next]!;
      around.push({ last, key: `${around.at(-1)?.key ?? ''}${label};` });
    }
    const key = around.at(-1)?.key ?? '';
    const known = classes.get(key) ?? { ranges: [] };
    classes.set(key, known);
    known.ranges.push(range);
    return { ...range, class: known };
  });
}

/** A prefix, and what lies inside of it by a name. */
interface Boundary {
  readonly prefix: Prefix;
  readonly label: string;
}

type Ends = AddressRange & Boundary;

/** By where they begin; what holds others before these. */
function inOrder(one: Ends, other: Ends): number {
  if (one.first !== other.first) return one.first < other.first ? -1 : 1;
  if (one.prefix.length !== other.prefix.length) return one.prefix.length - other.prefix.length;
  return one.label < other.label ? -1 : one.label > other.label ? 1 : 0;
}

function boundariesOf(host: Host, family: Family): Boundary[] {
  const { routes, rules, sockets } = host.state;
  const found = new Map<string, Boundary>();
  const add = (text: string, label = text): void => {
    const prefix = parsePrefix(text);
    if (prefix?.address.family === family)
      found.set(`${formatPrefix(prefix)} ${label}`, { prefix, label });
  };
  for (const text of special[family]) add(text);
  const contents = new Map<string, number>();
  for (const route of routes) {
    if (route.family !== family) continue;
    const { destination, ...content } = route;
    // What refuses a packet is named with its destination.
    const text = JSON.stringify(route.type === 'unicast' ? content : route);
    const number = contents.get(text) ?? contents.size;
    contents.set(text, number);
    add(destination, `${number}/${destination.slice(destination.indexOf('/') + 1)}`);
    if (route.sourcePrefix !== null) add(route.sourcePrefix);
    // The address of the network itself is anycast (anycast.ts).
    if (family === 'ipv6') add(destination.replace(/\/.*/, '/128'), 'network');
  }
  for (const rule of rules) {
    if (rule.family !== family) continue;
    if (rule.from !== null) add(rule.from);
    if (rule.to !== null) add(rule.to);
  }
  for (const { entry } of host.own) {
    add(entry.address);
    add(`${entry.peer ?? entry.address}/${entry.prefixLength}`);
  }
  // Some sockets want the packets of some peers signed.
  for (const { keyedPeers = [] } of sockets) for (const text of keyedPeers) add(text);
  if (family === 'ipv4') for (const text of toldApartByArp(host)) add(text);
  for (const [text, label] of toldApartByRules(host, family)) add(text, label);
  return [...found.values()];
}

/** Sockets that are bound to a device answer its neighbours without a route, and nobody else. */
function toldApartByArp(host: Host): string[] {
  const bound = new Set(host.state.sockets.map(({ boundInterface }) => boundInterface));
  return host.state.interfaces.flatMap(({ name, neighbours = [] }) =>
    bound.has(name) ? neighbours : [],
  );
}

/** Neighbours that need not ask for this host's link-layer address, where rules may drop the question. */
function toldApartByRules(host: Host, family: Family): [text: string, label: string][] {
  if (!host.ruleset || host.ruleset.idle) return [];
  if (family === 'ipv4' && !host.ruleset.guardsDevices) return [];
  return [...host.devices.values()].flatMap(({ name, neighbours }) => [
    // What is not known of these names them.
    ...[...(neighbours[family]?.learned ?? [])].map((text): [string, string] => [text, text]),
    ...[...(neighbours[family]?.permanent ?? [])].map((text): [string, string] => [
      text,
      `permanent ${name}`,
    ]),
  ]);
}

/**
 * Somebody beyond the link comes in here: a route by this interface has a gateway, or is a default.
 * Elsewhere those may ask whom the host itself would answer there.
 */
export function isUplink(host: Host, device: Device, family: Family): boolean {
  return host.state.routes.some(
    (route) =>
      route.family === family &&
      route.nexthops.some(
        (nexthop) =>
          nexthop.interface === device.name &&
          (nexthop.gateway !== null || route.destination.endsWith('/0')),
      ),
  );
}

/** Who has an address of one class, as one interface sees it. */
export function whoHas(host: Host, device: Device, address: Address, uplink: boolean): Who {
  const lengths = device.networks.map((one) => (prefixHolds(one, address) ? one.length : -1));
  const inside = Math.max(-1, ...lengths);
  const nobody = neverASource(address) || host.owners(formatAddress(address)).length > 0;
  const who = nobody ? null : hostAt(host, device, address, uplink, inside);
  return who ?? (uplink || inside >= 0 ? 'nobody' : 'elsewhere');
}

/**
 * Who has an address that a host may have; null where it turns out that none may. `inside` is the
 * length of the device's own network that holds it, -1 for none.
 */
function hostAt(
  host: Host,
  device: Device,
  address: Address,
  uplink: boolean,
  inside: number,
): Who | null {
  const linkLocal = isLinkLocal(address);
  const answer = host.policy[address.family].lookup(
    keyTo(address, {
      output: linkLocal ? device.index : (device.vrf?.index ?? 0),
      strict: linkLocal,
    }),
  );
  const behind = uplink ? 'beyond' : 'elsewhere';
  // A neighbour stands on the link, whatever routing says about the way back.
  if (answer.kind !== 'found') return inside >= 0 ? 'neighbour' : behind;
  const { route, prefixLength } = answer.found;
  if (route.type === 'broadcast' || route.type === 'anycast') return null;
  // Where two interfaces have one network, its hosts may ask by either, and one of them has the route.
  if (inside >= prefixLength) return 'neighbour';
  const here = route.nexthops.find((nexthop) => nexthop.interface === device.name);
  if (!here) return behind;
  return here.gateway === null && prefixLength > 0 ? 'neighbour' : 'beyond';
}

/** No host may send from such an address. */
export function neverASource(address: Address): boolean {
  if (isMulticast(address) || isLoopback(address) || isUnspecified(address)) return true;
  return address.family === 'ipv4'
    ? address.a >>> 24 === 0 || address.a === -1
    : isV4Mapped(address);
}
