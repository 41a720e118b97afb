import {
  type Address,
  formatAddress,
  fromV4Mapped,
  isLinkLocal,
  isUnspecified,
  isV4Mapped,
  parseAddress,
} from '../model/address.js';
import type { HostState } from '../model/host-state.js';
import { rangesToPrefixes } from '../model/prefix-set.js';
import type { Family, Socket, SocketFilter } from '../model/socket.js';
import { checkFilter, matchesFilter } from '../model/socket-filter.js';
import { DoorGroups } from './door-groups.js';
import type { Blocked, Exposure, Reach, Scope, Untold } from './exposure-row.js';
import { type Device, type Host, hostOf } from './host.js';
import type { Door, SocketFate } from './knock.js';
import { PeerSpace } from './peer-space.js';
import { type Piece, piecesOf } from './peers.js';
import type { Cause } from './verdict.js';

/**
 * Who reaches each listening socket, by which interface and address; who does not, and why.
 *
 * For every interface that is up, and every address of it (and the one the socket is bound to),
 * the space of peers is divided as anything on the host tells two peers apart, and one flow for each
 * part is traced. Pure, like `trace`.
 *
 * @param state what `capture()` or `parseState()` gave
 * @param filter which sockets; listening TCP and unconnected UDP are looked at, nothing else
 * @returns a record for each socket, in the order of the state
 * @throws EarshotError `ERR_INVALID_STATE`, `ERR_INVALID_ARGUMENT`
 * @example
 * ```js
 * import { capture, exposure } from 'earshot';
 * for (const { endpoint, scope } of exposure(await capture(), { protocol: 'tcp' })) {
 *   console.log(endpoint.port, scope);
 * }
 * ```
 */
export function exposure(state: HostState, filter: SocketFilter = {}): Exposure[] {
  const host = hostOf(state);
  const wanted = checkFilter(filter);
  const behind = spacesOf(host);
  const doorGroups = new DoorGroups(host);
  return state.sockets
    .filter((socket) => socket.state === 'listen' || socket.state === 'unconnected')
    .filter((socket) => matchesFilter(socket, wanted))
    .map((socket) => exposureOf(host, socket, behind, doorGroups));
}

export type { Blocked, Exposure, Reach, Remedy, Scope, Untold } from './exposure-row.js';

type PeersBehind = (device: Device, family: Family) => PeerSpace;

/** The peers behind each interface, found out when somebody first asks. */
function spacesOf(host: Host): PeersBehind {
  const pieces = new Map<Family, Piece[]>();
  const spaces = new Map<string, PeerSpace>();
  return (device, family) => {
    const key = `${family} ${device.name}`;
    const known = spaces.get(key);
    if (known) return known;
    const all = pieces.get(family) ?? piecesOf(host, family);
    pieces.set(family, all);
    const made = new PeerSpace(host, device, family, all);
    spaces.set(key, made);
    return made;
  };
}

function exposureOf(
  host: Host,
  socket: Socket,
  behind: PeersBehind,
  doorGroups: DoorGroups,
): Exposure {
  const reach: Reach[] = [];
  const blocked: Blocked[] = [];
  const unknown: Untold[] = [];
  let scope: Scope = 'nobody';
  let perhaps: Scope = 'nobody';
  for (const door of doors(host, socket)) {
    const { device, family } = door;
    const local = device.link.loopback;
    const space = local ? null : behind(device, family);
    for (const { fate, parts, beyond } of doorGroups.at(socket, door, space)) {
      const make = () =>
        space
          ? space.prefixes(parts, door.linkOnly)
          : parts.flatMap(({ region }) => rangesToPrefixes(region.ranges, family));
      const distance = local ? 'host' : beyond ? 'routed' : 'link';
      if (fate.outcome === 'reachable') {
        reach.push(reachRow(socket, door, make));
        scope = farther(scope, distance);
      } else if (fate.outcome === 'unknown') {
        unknown.push(untoldRow(socket, door, fate, make));
        perhaps = farther(perhaps, distance);
      } else blocked.push(blockedRow(door, fate, make));
    }
  }
  const endpoint = { protocol: socket.protocol, port: socket.local.port };
  if (farther(scope, perhaps) !== scope) scope = 'unknown';
  return { endpoint, socket, scope, reach, blocked, unknown };
}

/*
 * The texts of a row's peers are made when they are first asked for: a block list may leave a hundred
 * thousand prefixes, and most of those who ask about many sockets look at few of them.
 */

function reachRow(socket: Socket, { device, address }: Door, make: () => string[]): Reach {
  return {
    interface: device.name,
    address,
    get peers() {
      return holdPeers(this, make());
    },
    set peers(peers) {
      holdPeers(this, peers);
    },
    port: socket.local.port,
    url: urlFor(socket, address),
    forwardedTo: null,
  };
}

function blockedRow({ device, address }: Door, fate: SocketFate, make: () => string[]): Blocked {
  return {
    interface: device.name,
    address,
    get peers() {
      return holdPeers(this, make());
    },
    set peers(peers) {
      holdPeers(this, peers);
    },
    cause: fate.cause as Cause,
    symptom: fate.symptom,
    remedies: [],
  };
}

function untoldRow(
  socket: Socket,
  { device, address }: Door,
  fate: SocketFate,
  make: () => string[],
): Untold {
  return {
    interface: device.name,
    address,
    get peers() {
      return holdPeers(this, make());
    },
    set peers(peers) {
      holdPeers(this, peers);
    },
    port: socket.local.port,
    url: urlFor(socket, address),
    forwardedTo: null,
    cause: fate.cause as Cause,
    symptom: fate.symptom,
    remedies: [],
    assuming: fate.assuming ?? null,
  };
}

function holdPeers(row: { peers: string[] }, value: string[]): string[] {
  const held = { value, enumerable: true, writable: true, configurable: true };
  Object.defineProperty(row, 'peers', held);
  return value;
}

const order: readonly Scope[] = ['nobody', 'host', 'link', 'routed'];

function farther(one: Scope, other: Scope): Scope {
  return order.indexOf(other) > order.indexOf(one) ? other : one;
}

/** Where a peer would knock: an interface's own addresses, and the one the socket is bound to. */
function doors(host: Host, socket: Socket): Door[] {
  const bound = boundTo(socket);
  const specific = bound && !isUnspecified(bound) ? formatAddress(bound) : null;
  const result: Door[] = [];
  for (const device of host.devices.values()) {
    // What a port of a bridge or bond receives, its master answers; a VRF's ports answer for it.
    if (!device.link.up || device.seenAs !== device || device.link.vrfTable !== null) continue;
    const own = device.link.addresses.map((entry) => entry.address);
    const addresses = specific === null || own.includes(specific) ? own : [...own, specific];
    for (const address of addresses) {
      const parsed = parseAddress(address);
      const linkOnly = parsed !== null && isLinkLocal(parsed);
      if (!parsed || (linkOnly && !own.includes(address))) continue;
      result.push({ device, address, family: parsed.family, linkOnly });
    }
  }
  return result;
}

/** The address a socket is bound to; an IPv4 one for its v4-mapped form. */
function boundTo(socket: Socket): Address | null {
  const address = parseAddress(socket.local.address);
  return address && isV4Mapped(address) ? fromV4Mapped(address) : address;
}

/** What to type; a link-local address needs a zone, which no URL can carry everywhere. */
function urlFor(socket: Socket, address: string): string | null {
  if (socket.protocol !== 'tcp') return null;
  const parsed = parseAddress(address);
  if (!parsed || isLinkLocal(parsed)) return null;
  const { port } = socket.local;
  const secure = port === 443 || port === 8443;
  const host = address.includes(':') ? `[${address}]` : address;
  const standard = port === (secure ? 443 : 80);
  return `${secure ? 'https' : 'http'}://${host}${standard ? '' : `:${port}`}/`;
}
