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
import { type AddressRange, addressToNumber, rangesToPrefixes } from '../model/prefix-set.js';
import type { Family, Socket, SocketFilter } from '../model/socket.js';
import { checkFilter, matchesFilter } from '../model/socket-filter.js';
import type { Blocked, Exposure, Reach, Scope, Untold } from './exposure-row.js';
import { type Device, type Host, hostOf, type Receiver } from './host.js';
import { type Piece, peersBehind } from './peers.js';
import { covers, missOf } from './stages/socket.js';
import { type Followed, follow } from './trace.js';
import type { Cause } from './verdict.js';

/**
 * Who reaches each listening socket, by which interface and address; who does not, and why.
 *
 * For every interface that is up, and every address of it (and the one the socket is bound to),
 * the space of peers is cut where anything on the host tells two peers apart, and one flow for each
 * piece is traced. Pure, like `trace`.
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
  const peers = new Map<string, Piece[]>();
  const texts = new Map<string, string[]>();
  const behind = (device: Device, family: Family) => {
    const key = `${family} ${device.name}`;
    const known = peers.get(key) ?? peersBehind(host, device, family);
    peers.set(key, known);
    return known;
  };
  return state.sockets
    .filter((socket) => socket.state === 'listen' || socket.state === 'unconnected')
    .filter((socket) => matchesFilter(socket, wanted))
    .map((socket) => exposureOf(host, socket, behind, texts));
}

export type { Blocked, Exposure, Reach, Remedy, Scope, Untold } from './exposure-row.js';

type PeersBehind = (device: Device, family: Family) => readonly Piece[];

/** Peers with one fate at one door. */
interface Group {
  readonly fate: Omit<Followed['fate'], 'stage'>;
  readonly ranges: AddressRange[];
  /** Which pieces of those behind the interface these are, by their numbers; '' for none of them. */
  pieces: string;
  /** Some of them stand beyond the link. */
  beyond: boolean;
}

function exposureOf(
  host: Host,
  socket: Socket,
  behind: PeersBehind,
  texts: Map<string, string[]>,
): Exposure {
  const reach: Reach[] = [];
  const blocked: Blocked[] = [];
  const unknown: Untold[] = [];
  let scope: Scope = 'nobody';
  let perhaps: Scope = 'nobody';
  for (const door of doors(host, socket)) {
    const { device, address, family } = door;
    const local = device.link.loopback;
    const groups = local
      ? fromHere(host, socket, door)
      : groupPeers(host, socket, door, behind(device, family));
    for (const { fate, ranges, pieces, beyond } of groups) {
      // Many sockets have the same peers, and writing down whom costs more than tracing them.
      const key = pieces === '' ? '' : `${family} ${device.name}${pieces}`;
      const known = texts.get(key) ?? rangesToPrefixes(ranges, family);
      if (key !== '') texts.set(key, known);
      const row = { interface: device.name, address, peers: [...known] };
      const distance = local ? 'host' : beyond ? 'routed' : 'link';
      const entry = {
        ...row,
        port: socket.local.port,
        url: urlFor(socket, address),
        forwardedTo: null,
      };
      if (fate.outcome === 'reachable') {
        reach.push(entry);
        scope = farther(scope, distance);
        continue;
      }
      const fault = { ...row, cause: fate.cause as Cause, symptom: fate.symptom, remedies: [] };
      if (fate.outcome === 'unknown') {
        unknown.push({ ...entry, ...fault, assuming: fate.assuming ?? null });
        perhaps = farther(perhaps, distance);
      } else blocked.push(fault);
    }
  }
  const endpoint = { protocol: socket.protocol, port: socket.local.port };
  if (farther(scope, perhaps) !== scope) scope = 'unknown';
  return { endpoint, socket, scope, reach, blocked, unknown };
}

const order: readonly Scope[] = ['nobody', 'host', 'link', 'routed'];

function farther(one: Scope, other: Scope): Scope {
  return order.indexOf(other) > order.indexOf(one) ? other : one;
}

/** One address of the host, asked for by one interface. */
interface Door {
  readonly device: Device;
  readonly address: string;
  readonly family: Family;
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
      if (!parsed || (isLinkLocal(parsed) && !own.includes(address))) continue;
      result.push({ device, address, family: parsed.family });
    }
  }
  return result;
}

/** The address a socket is bound to; an IPv4 one for its v4-mapped form. */
function boundTo(socket: Socket): Address | null {
  const address = parseAddress(socket.local.address);
  return address && isV4Mapped(address) ? fromV4Mapped(address) : address;
}

/** This host itself, from the source that the kernel selects. */
function fromHere(host: Host, socket: Socket, door: Door): Group[] {
  const asked = ask(host, socket, door, undefined);
  if (!asked) return [];
  const itself = addressToNumber(asked.followed.course.packet.source);
  return [
    { fate: asked.fate, ranges: [{ first: itself, last: itself }], pieces: '', beyond: false },
  ];
}

function groupPeers(host: Host, socket: Socket, door: Door, pieces: readonly Piece[]): Group[] {
  const groups = new Map<string, Group>();
  const linkOnly = isLinkLocal(parseAddress(door.address)!);
  let current: Group | null = null;
  let waiting: number[] = []; // nobody's addresses before the first peer of a stretch
  const add = (group: Group, number: number) => {
    group.ranges.push(pieces[number]!);
    group.pieces += ` ${number}`;
  };
  for (const [number, piece] of pieces.entries()) {
    if (piece.who === 'nobody') {
      if (current) add(current, number);
      else waiting.push(number);
      continue;
    }
    const asks = piece.who === 'peer' && (!linkOnly || piece.onLink);
    const asked = asks ? ask(host, socket, door, piece.text) : null;
    if (!asked) {
      current = null;
      waiting = [];
      continue;
    }
    const key = keyOf(asked.fate, piece.text);
    const group: Group = groups.get(key) ?? {
      fate: asked.fate,
      ranges: [],
      pieces: '',
      beyond: false,
    };
    groups.set(key, group);
    for (const one of [...waiting, number]) add(group, one);
    if (!piece.onLink) group.beyond = true;
    waiting = [];
    current = group;
  }
  return [...groups.values()];
}

/** Fates that a person would give one reason for; the peer's own address is not part of it. */
function keyOf(fate: Group['fate'], peer: string): string {
  const { outcome, symptom, cause, assuming } = fate;
  if (cause === null && !assuming) return `${outcome} ${symptom}`;
  return JSON.stringify([outcome, symptom, cause, assuming], (key, value: unknown) => {
    if (key === 'socket' || key === 'by') return (value as Socket).inode;
    if (key === 'what') return String(value).replaceAll(peer, '');
    return value === peer ? undefined : value;
  });
}

/** One peer asks at one door; null where the answer says nothing about this socket. */
function ask(
  host: Host,
  socket: Socket,
  door: Door,
  peer: string | undefined,
): { followed: Followed; fate: Group['fate'] } | null {
  const followed = follow(host, {
    protocol: socket.protocol,
    ingress: door.device.name,
    ...(peer === undefined ? {} : { source: { address: peer } }),
    destination: { address: door.address, port: socket.local.port },
  });
  const { course, fate } = followed;
  const { takers } = course;
  const mine = host
    .receivers(socket.protocol, socket.local.port)
    .find((receiver) => receiver.socket === socket);
  if (!mine || takers.includes(mine)) return { followed, fate };
  if (takers.length === 0) return { followed, fate: asSeenBy(mine, followed) };
  const mineToo = covers(course, mine);
  const cause: Cause = mineToo
    ? { code: 'shadowed', by: takers[0]!.socket }
    : missOf(course, mine).cause;
  const passedOver = { outcome: 'unreachable', cause, symptom: null } as const;
  if (course.mayBeRedirected) return { followed, fate: { ...fate, assuming: passedOver } };
  // Another socket serves an address that this one does not stand on: not this one's business.
  return mineToo ? { followed, fate: passedOver } : null;
}

/** Nobody takes it: then the near miss that counts here is that of this very socket. */
function asSeenBy(mine: Receiver, { course, fate }: Followed): Group['fate'] {
  const { assuming } = fate;
  if (assuming?.cause && 'socket' in assuming.cause && course.takers.length === 0) {
    return { ...fate, assuming: { ...assuming, cause: missOf(course, mine).cause } };
  }
  if (fate.stage !== 'socket') return fate;
  if (fate.outcome === 'unreachable') return { ...fate, cause: missOf(course, mine).cause };
  // It is not known whether another one takes it, where this one surely does not.
  const perhapsMine = mine.socket.v6only === null && mine.socket.family === 'ipv6';
  if (perhapsMine) return fate;
  return { outcome: 'unreachable', cause: missOf(course, mine).cause, symptom: null };
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
