import {
  type Address,
  formatAddress,
  isLinkLocal,
  isLoopback,
  isMulticast,
  isUnspecified,
  isV4Mapped,
  type Prefix,
  parsePrefix,
  prefixHolds,
  unspecified,
} from '../model/address.js';
import { type AddressRange, addressFromNumber, cutAt } from '../model/prefix-set.js';
import type { Family } from '../model/socket.js';
import { type Device, type Host, LOOPBACK_INDEX } from './host.js';

/** A stretch of addresses that nothing on the host tells apart. */
export interface Piece extends AddressRange {
  /** Its first address stands for all. */
  readonly text: string;
  /**
   * `peer`: a host with such an address may ask by this interface. `nobody`: no peer has such an
   * address (loopback, multicast, our own), so a list may hold it or not, whichever is shorter.
   * `elsewhere`: such peers stand behind another interface.
   */
  readonly who: 'peer' | 'nobody' | 'elsewhere';
  /** The peer stands on the link itself; anyone else comes through a router. */
  readonly onLink: boolean;
}

/** The prefixes that no rule of a host needs to name: they end what may be a peer. */
const special: Record<Family, readonly string[]> = {
  ipv4: ['0.0.0.0/8', '127.0.0.0/8', '224.0.0.0/4', '255.255.255.255/32'],
  ipv6: ['::/128', '::1/128', '::ffff:0:0/96', 'fe80::/10', 'ff00::/8'],
};

/**
 * The peers of a family that may ask by one interface, in pieces of equal fate. Where a router is
 * known on the interface anyone may; elsewhere those whom the host itself would answer there.
 */
export function peersBehind(host: Host, device: Device, family: Family): Piece[] {
  const prefixes = boundaries(host, family);
  const uplink = isUplink(host, device, family);
  return cutAt(prefixes, family).map((range) => {
    const address = addressFromNumber(range.first, family);
    const text = formatAddress(address);
    const lengths = device.networks.map((one) => (prefixHolds(one, address) ? one.length : -1));
    const inside = Math.max(-1, ...lengths);
    const nobody = neverASource(address) || host.owners(text).length > 0;
    const who = nobody ? null : whoIs(host, device, address, uplink, inside);
    return { ...range, text, ...(who ?? (uplink || inside >= 0 ? nobodys : elsewhere)) };
  });
}

function boundaries(host: Host, family: Family): Prefix[] {
  const { routes, rules } = host.state;
  const texts = [...special[family]];
  for (const route of routes) {
    if (route.family !== family) continue;
    texts.push(route.destination);
    if (route.sourcePrefix !== null) texts.push(route.sourcePrefix);
  }
  for (const rule of rules) {
    if (rule.family !== family) continue;
    if (rule.from !== null) texts.push(rule.from);
    if (rule.to !== null) texts.push(rule.to);
  }
  for (const { entry } of host.own) {
    texts.push(entry.address, `${entry.peer ?? entry.address}/${entry.prefixLength}`);
  }
  if (family === 'ipv4') texts.push(...toldApartByArp(host));
  else texts.push(...toldApartByRules(host));
  return [...new Set(texts)]
    .map((text) => parsePrefix(text))
    .filter((prefix) => prefix !== null)
    .filter((prefix) => prefix.address.family === family);
}

/** Sockets that are bound to a device answer its neighbours without a route, and nobody else. */
function toldApartByArp(host: Host): string[] {
  const bound = new Set(host.state.sockets.map(({ boundInterface }) => boundInterface));
  return host.state.interfaces.flatMap(({ name, neighbours = [] }) =>
    bound.has(name) ? neighbours : [],
  );
}

/** Neighbours that need not ask for this host's link-layer address, where rules may drop the question. */
function toldApartByRules(host: Host): string[] {
  if (!host.ruleset || host.ruleset.idle) return [];
  return host.state.interfaces.flatMap(({ ipv6Neighbours: known }) =>
    known ? [...known.permanent, ...known.learned] : [],
  );
}

/** Somebody beyond the link comes in here: a route by this interface has a gateway, or is a default. */
function isUplink(host: Host, device: Device, family: Family): boolean {
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

type Who = Pick<Piece, 'who' | 'onLink'>;

const nobodys: Who = { who: 'nobody', onLink: false };
const elsewhere: Who = { who: 'elsewhere', onLink: false };
const neighbour: Who = { who: 'peer', onLink: true };
const beyond: Who = { who: 'peer', onLink: false };

/**
 * Who has an address that a host may have; null where it turns out that none may. `inside` is the
 * length of the device's own network that holds it, -1 for none.
 */
function whoIs(
  host: Host,
  device: Device,
  address: Address,
  uplink: boolean,
  inside: number,
): Who | null {
  const linkLocal = isLinkLocal(address);
  const answer = host.policy[address.family].lookup({
    destination: address,
    source: unspecified(address.family),
    input: LOOPBACK_INDEX,
    output: linkLocal ? device.index : (device.vrf?.index ?? 0),
    strict: linkLocal,
    mark: 0,
    tos: 0,
    protocol: 0,
    sourcePort: 0,
    destinationPort: 0,
    uid: 0,
  });
  // A neighbour stands on the link, whatever routing says about the way back.
  if (answer.kind !== 'found') return inside >= 0 ? neighbour : uplink ? beyond : elsewhere;
  const { route, prefixLength } = answer.found;
  if (route.type === 'broadcast') return null;
  // Where two interfaces have one network, its hosts may ask by either, and one of them has the route.
  if (inside >= prefixLength) return neighbour;
  const here = route.nexthops.find((nexthop) => nexthop.interface === device.name);
  if (!here) return uplink ? beyond : elsewhere;
  return here.gateway === null && prefixLength > 0 ? neighbour : beyond;
}

/** No host may send from such an address. */
export function neverASource(address: Address): boolean {
  if (isMulticast(address) || isLoopback(address) || isUnspecified(address)) return true;
  return address.family === 'ipv4'
    ? address.a >>> 24 === 0 || address.a === -1
    : isV4Mapped(address);
}
