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
import { addressFromNumber, addressToNumber, rangesToPrefixes } from '../model/prefix-set.js';
import type { Family, Socket, SocketFilter } from '../model/socket.js';
import { checkFilter, matchesFilter } from '../model/socket-filter.js';
import type { Blocked, Exposure, Reach, Scope, Untold } from './exposure-row.js';
import type { Flow } from './flow.js';
import { type Device, type Host, hostOf, type Receiver } from './host.js';
import { PeerWatch } from './nftables/peer-watch.js';
import type { CompiledRule } from './nftables/ruleset.js';
import { type PeerPart, PeerSpace } from './peer-space.js';
import { peersBehind } from './peers.js';
import { rowRemedies } from './remedies/row.js';
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
  const spaces = new Map<string, PeerSpace>();
  const behind = (device: Device, family: Family) => {
    const key = `${family} ${device.name}`;
    const known = spaces.get(key) ?? new PeerSpace(peersBehind(host, device, family), family);
    spaces.set(key, known);
    return known;
  };
  return state.sockets
    .filter((socket) => socket.state === 'listen' || socket.state === 'unconnected')
    .filter((socket) => matchesFilter(socket, wanted))
    .map((socket) => exposureOf(host, socket, behind));
}

export type { Blocked, Exposure, Reach, Remedy, Scope, Untold } from './exposure-row.js';

type PeersBehind = (device: Device, family: Family) => PeerSpace;

/** Peers with one fate at one door. */
interface Group {
  readonly fate: Omit<Followed['fate'], 'stage'>;
  readonly parts: PeerPart[];
  /** The first of them, who was asked about; this host itself where nobody else was. */
  readonly peer: string | undefined;
  /** Some of them stand beyond the link. */
  beyond: boolean;
}

function exposureOf(host: Host, socket: Socket, behind: PeersBehind): Exposure {
  const reach: Reach[] = [];
  const blocked: Blocked[] = [];
  const unknown: Untold[] = [];
  let scope: Scope = 'nobody';
  let perhaps: Scope = 'nobody';
  for (const door of doors(host, socket)) {
    const { device, address, family } = door;
    const local = device.link.loopback;
    const space = behind(device, family);
    const groups = local ? fromHere(host, socket, door) : groupPeers(host, socket, door, space);
    for (const group of groups) {
      const { fate, parts, beyond } = group;
      const peers = () =>
        local
          ? parts.flatMap(({ ranges }) => rangesToPrefixes(ranges, family))
          : space.prefixes(parts);
      const row = { interface: device.name, address };
      const distance = local ? 'host' : beyond ? 'routed' : 'link';
      const place = { port: socket.local.port, url: urlFor(socket, address), forwardedTo: null };
      if (fate.outcome === 'reachable') {
        reach.push(lazily({ ...row, peers: [], ...place }, 'peers', peers));
        scope = farther(scope, distance);
        continue;
      }
      const fault = { cause: fate.cause as Cause, symptom: fate.symptom, remedies: [] };
      const flow = flowOf(socket, door, local ? undefined : group.peer);
      const remedied = <Row extends Blocked>(one: Row) =>
        lazily(one, 'remedies', () =>
          rowRemedies(host.state, { socket, flow, row: one }, (state, protocol, localPort) =>
            exposure(state, { protocol, localPort }),
          ),
        );
      if (fate.outcome === 'unknown') {
        const assuming = fate.assuming ?? null;
        const untold = { ...row, peers: [], ...place, ...fault, assuming };
        unknown.push(remedied(lazily(untold, 'peers', peers)));
        perhaps = farther(perhaps, distance);
      } else blocked.push(remedied(lazily({ ...row, peers: [], ...fault }, 'peers', peers)));
    }
  }
  const endpoint = { protocol: socket.protocol, port: socket.local.port };
  if (farther(scope, perhaps) !== scope) scope = 'unknown';
  return { endpoint, socket, scope, reach, blocked, unknown };
}

/**
 * The row with something that is made when it is first asked for. Its peers' texts: a block list may
 * leave a hundred thousand prefixes, and most of those who ask about many sockets look at few of them.
 * Its remedies: each is tried on a copy of the state.
 */
function lazily<Row extends object, Key extends 'peers' | 'remedies'>(
  row: Row,
  key: Key,
  make: () => Untold[Key],
): Row {
  const hold = (value: Untold[Key]) =>
    Object.defineProperty(row, key, { value, enumerable: true, writable: true });
  return Object.defineProperty(row, key, {
    get() {
      const made = make();
      hold(made);
      return made;
    },
    set: hold,
    enumerable: true,
    configurable: true,
  });
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
  const part = { id: -1, ranges: [{ first: itself, last: itself }] };
  return [{ fate: asked.fate, parts: [part], peer: undefined, beyond: false }];
}

/** Rules that tell more sets of peers apart than this are not followed to the end. */
const mostParts = 4096;

function groupPeers(host: Host, socket: Socket, door: Door, space: PeerSpace): Group[] {
  const groups = new Map<string, Group>();
  const linkOnly = isLinkLocal(parseAddress(door.address)!);
  let current: Group | null = null;
  let waiting: PeerPart[] = []; // nobody's addresses before the first peer of a stretch
  for (const [number, piece] of space.pieces.entries()) {
    const whole = space.whole(number);
    if (piece.who === 'nobody') {
      if (current) current.parts.push(whole);
      else waiting.push(whole);
      continue;
    }
    current = null;
    const asks = piece.who === 'peer' && (!linkOnly || piece.onLink);
    for (const { part, fate, text } of asks ? fatesOf(host, socket, door, space, number) : []) {
      if (!fate) continue;
      const key = keyOf(fate, text);
      const group: Group = groups.get(key) ?? { fate, parts: [], peer: text, beyond: false };
      groups.set(key, group);
      if (part.ranges[0]!.first === piece.first) group.parts.push(...waiting);
      group.parts.push(part);
      if (!piece.onLink) group.beyond = true;
      if (part.ranges.at(-1)!.last === piece.last) current = group;
    }
    waiting = [];
  }
  return [...groups.values()];
}

interface PartFate {
  readonly part: PeerPart;
  /** Null where the answer says nothing about this socket. */
  readonly fate: Group['fate'] | null;
  /** The peer that was asked about for all of them. */
  readonly text: string;
}

/** One peer of a piece is asked about, and then, as long as rules tell others apart from it, one of these. */
function* fatesOf(
  host: Host,
  socket: Socket,
  door: Door,
  space: PeerSpace,
  number: number,
): Generator<PartFate> {
  let rest = space.whole(number);
  for (let count = 1; rest.ranges.length > 0; count++) {
    const address = addressFromNumber(rest.ranges[0]!.first, door.family);
    const text = formatAddress(address);
    const watch = host.ruleset ? new PeerWatch<CompiledRule>(address) : null;
    const asked = ask(host, socket, door, text, watch);
    const part = watch && count < mostParts ? space.meeting(rest, watch.conditions) : rest;
    const blurring = count < mostParts ? watch?.blurredBy : host.ruleset;
    const fate = asked && forAll(part, asked.fate, watch, blurring != null);
    yield { part, fate, text };
    rest = space.without(rest, part);
  }
}

/** One peer was asked about for many: where a rule makes something else of each, it stands for itself alone. */
function forAll(
  { ranges }: PeerPart,
  fate: Group['fate'],
  watch: PeerWatch<CompiledRule> | null,
  blurred: boolean,
): Group['fate'] {
  const alone = ranges.length === 1 && ranges[0]!.first === ranges[0]!.last;
  if (!blurred || alone || fate.outcome === 'unknown') return fate;
  const rule = watch?.blurredBy;
  const by = rule ? ` (${rule.chain.name}: ${rule.text})` : '';
  const what = `which of these peers a rule selects${by}`;
  return { outcome: 'unknown', cause: { code: 'not-evaluated', what }, symptom: null };
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

/** The first packet of a peer at a door; of this host itself where none is named. */
function flowOf(socket: Socket, door: Door, peer: string | undefined): Flow {
  return {
    protocol: socket.protocol,
    ingress: door.device.name,
    ...(peer === undefined ? {} : { source: { address: peer } }),
    destination: { address: door.address, port: socket.local.port },
  };
}

/** One peer asks at one door; null where the answer says nothing about this socket. */
function ask(
  host: Host,
  socket: Socket,
  door: Door,
  peer: string | undefined,
  watch: PeerWatch<CompiledRule> | null = null,
): { followed: Followed; fate: Group['fate'] } | null {
  const followed = follow(host, flowOf(socket, door, peer), watch);
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
