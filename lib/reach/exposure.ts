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
import { addressFromNumber, rangesToPrefixes } from '../model/prefix-set.js';
import type { Family, Socket, SocketFilter } from '../model/socket.js';
import { checkRecordFilter, matchesFilter } from '../model/socket-filter.js';
import { DoorGroups } from './door-groups.js';
import type { Blocked, Exposure, Reach, Scope, Untold } from './exposure-row.js';
import type { Flow } from './flow.js';
import { type Device, type Host, hostOf } from './host.js';
import type { Door } from './knock.js';
import { blockedRow, type Makes, reachRow, untoldRow } from './lazy-rows.js';
import { firstOf, type PeerPart } from './peer-parts.js';
import { PeerSpace } from './peer-space.js';
import { type Piece, piecesOf } from './peers.js';
import { rowRemedies } from './remedies/row.js';

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
  const wanted = checkRecordFilter(filter);
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
      const peers = () =>
        space
          ? space.prefixes(parts, door.linkOnly)
          : parts.flatMap(({ region }) => rangesToPrefixes(region.ranges, family));
      const remedies = (row: Blocked) => {
        const flow = firstPacket(socket, door, space ? parts[0]! : null);
        return rowRemedies(host.state, { socket, flow, row }, (changed, protocol, localPort) =>
          exposure(changed, { protocol, localPort }),
        );
      };
      const makes: Makes = { peers, remedies };
      const distance = local ? 'host' : beyond ? 'routed' : 'link';
      if (fate.outcome === 'reachable') {
        reach.push(reachRow(socket, door, makes));
        scope = farther(scope, distance);
      } else if (fate.outcome === 'unknown') {
        unknown.push(untoldRow(socket, door, fate, makes));
        perhaps = farther(perhaps, distance);
      } else blocked.push(blockedRow(door, fate, makes));
    }
  }
  const endpoint = { protocol: socket.protocol, port: socket.local.port };
  if (farther(scope, perhaps) !== scope) scope = 'unknown';
  return { endpoint, socket, scope, reach, blocked, unknown };
}

/** The first packet of the first of some peers; of this host itself where there are none. */
function firstPacket(
  socket: Socket,
  { device, address, family }: Door,
  part: PeerPart | null,
): Flow {
  const { protocol, local } = socket;
  const destination = { address, port: local.port };
  if (!part) return { protocol, ingress: device.name, destination };
  const source = { address: formatAddress(addressFromNumber(firstOf(part)!, family)) };
  return { protocol, ingress: device.name, source, destination };
}

const order: readonly Scope[] = ['nobody', 'host', 'link', 'routed'];

function farther(one: Scope, other: Scope): Scope {
  return order.indexOf(other) > order.indexOf(one) ? other : one;
}

/** Where a peer would knock: an interface's own addresses, and the one the socket is bound to. */
function doors(host: Host, socket: Socket): Door[] {
  const entrances = entrancesOf(host);
  const bound = boundTo(socket);
  if (!bound || isUnspecified(bound) || isLinkLocal(bound))
    return entrances.flatMap(({ own }) => own);
  const address = formatAddress(bound);
  return entrances.flatMap(({ device, own }) =>
    own.some((door) => door.address === address)
      ? own
      : [...own, { device, address, family: bound.family, linkOnly: false }],
  );
}

/** An interface by which packets come in, and the addresses of its own. */
interface Entrance {
  readonly device: Device;
  readonly own: readonly Door[];
}

const entrances = new WeakMap<Host, readonly Entrance[]>();

function entrancesOf(host: Host): readonly Entrance[] {
  const known = entrances.get(host);
  if (known) return known;
  // What a port of a bridge or bond receives, its master answers; a VRF's ports answer for it.
  const made = [...host.devices.values()]
    .filter((device) => device.link.up && device.seenAs === device && device.link.vrfTable === null)
    .map((device) => ({
      device,
      own: device.link.addresses.flatMap((entry) => doorAt(device, entry.address)),
    }));
  entrances.set(host, made);
  return made;
}

function doorAt(device: Device, address: string): Door[] {
  const parsed = parseAddress(address);
  return parsed ? [{ device, address, family: parsed.family, linkOnly: isLinkLocal(parsed) }] : [];
}

/** The address a socket is bound to; an IPv4 one for its v4-mapped form. */
function boundTo(socket: Socket): Address | null {
  const address = parseAddress(socket.local.address);
  return address && isV4Mapped(address) ? fromV4Mapped(address) : address;
}
