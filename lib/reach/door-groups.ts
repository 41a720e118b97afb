import type { Socket } from '../model/socket.js';
import type { Host, Receiver } from './host.js';
import type { Door, SocketFate, Target } from './knock.js';
import { PortWatch } from './nftables/port-watch.js';
import {
  Groups,
  groupHere,
  groupPeers,
  type Ourselves,
  ourselvesAt,
  type PeerGroup,
} from './peer-groups.js';
import type { PeerSpace, StartingPart } from './peer-space.js';
import { PortTree } from './port-tree.js';
import type { Cause } from './verdict.js';

/** Groups of peers, and the sockets of the port that was asked for. */
interface Found {
  readonly receivers: readonly Receiver[];
  readonly groups: readonly PeerGroup[];
}

/** What was found, by who asks: some peers, or this host itself. */
type Trees = Map<StartingPart | null, PortTree<Found>>;

/**
 * The groups of peers at each door. A host has many sockets that differ in their port alone, and few
 * ports that its rules tell apart: what came of asking for one of them holds for all others.
 */
export class DoorGroups {
  /** By all that decides how a socket fares but its port, and then by the door. */
  readonly #kinds = new Map<string, Map<Door, Trees>>();
  readonly #kindOf = new Map<Socket, Map<Door, Trees> | null>();
  readonly #ourselves = { tcp: new Map<Door, Ourselves>(), udp: new Map<Door, Ourselves>() };
  /** Policy rules look at ports before anybody can note it. */
  readonly #routesByPort: boolean;

  constructor(private readonly host: Host) {
    this.#routesByPort = host.state.rules.some(
      ({ sourcePort, destinationPort }) => sourcePort !== null || destinationPort !== null,
    );
  }

  /** `space`: the peers behind the door's interface; `null` where this host itself asks. */
  at(target: Target, door: Door, space: PeerSpace | null): readonly PeerGroup[] {
    const trees = this.#treesAt(target, door);
    if (!space) return this.#shared(target, door, trees, null);
    const groups = new Groups();
    for (const start of space.parts) {
      if (door.linkOnly && !start.onLink) continue;
      const found = this.#shared(target, door, trees, start);
      for (let place = 0; place < found.length; place++) groups.add(found[place]!);
    }
    return groups.all;
  }

  /** What was found of some peers for a port like this one; looked for where that was for none. */
  #shared(
    target: Target,
    door: Door,
    trees: Trees | null,
    who: StartingPart | null,
  ): readonly PeerGroup[] {
    if (trees === null) return this.#find(target, door, who, null);
    const { protocol, port } = target;
    const tree = trees.get(who) ?? new PortTree<Found>();
    trees.set(who, tree);
    const receivers = this.host.receivers(protocol, port);
    const known = tree.find(port);
    if (known) return groupsFor(known, receivers);
    const watch = new PortWatch(port);
    const groups = this.#find(target, door, who, watch);
    if (groups.every(({ fate }) => isPortless(fate))) tree.add(watch, { receivers, groups });
    return groups;
  }

  #find(
    target: Target,
    door: Door,
    who: StartingPart | null,
    port: PortWatch | null,
  ): readonly PeerGroup[] {
    if (who) return groupPeers(this.host, target, door, who, port);
    return groupHere(this.host, target, door, port, port && this.#ourselvesAt(target, door));
  }

  /** Which source this host has at a door is no matter of the port. */
  #ourselvesAt(target: Target, door: Door): Ourselves | null {
    const ofProtocol = this.#ourselves[target.protocol];
    const known = ofProtocol.get(door) ?? ourselvesAt(this.host, target, door);
    if (known) ofProtocol.set(door, known);
    return known;
  }

  /** What is known of sockets of its kind at a door; `null` where its kind cannot be told. */
  #treesAt(target: Target, door: Door): Trees | null {
    const doors = this.#doorsOf(target);
    if (doors === null) return null;
    const trees: Trees = doors.get(door) ?? new Map();
    doors.set(door, trees);
    return trees;
  }

  #doorsOf({ protocol, port, socket }: Target): Map<Door, Trees> | null {
    const known = socket ? this.#kindOf.get(socket) : undefined;
    if (known !== undefined) return known;
    const { host } = this;
    const receivers = host.receivers(protocol, port);
    const isLonely =
      this.#routesByPort ||
      port === host.unnamedPort ||
      receivers.some(({ remote }) => remote !== null);
    const place = receivers.findIndex((one) => one.socket === socket);
    const kind = `${protocol} ${place} ${receivers.map(nameOf).join(' + ')}`;
    const trees = isLonely ? null : (this.#kinds.get(kind) ?? new Map());
    if (trees) this.#kinds.set(kind, trees);
    if (socket) this.#kindOf.set(socket, trees);
    return trees;
  }
}

/** The same groups, of the sockets of another port. */
function groupsFor({ groups, receivers }: Found, to: readonly Receiver[]): readonly PeerGroup[] {
  let changed: PeerGroup[] | null = null;
  for (let place = 0; place < groups.length; place++) {
    const group = groups[place]!;
    const fate = fateFor(group.fate, receivers, to);
    if (fate === group.fate) continue;
    changed ??= groups.slice();
    changed[place] = { ...group, fate, name: null };
  }
  return changed ?? groups;
}

function nameOf({ socket, device }: Receiver): string {
  const { protocol, family, local, v6only, uid, mark, cgroup, transparent, source } = socket;
  const { boundInterface, keyedPeers = [], backlog } = socket;
  const isFull = backlog !== null && backlog.length > backlog.limit;
  return JSON.stringify([
    [protocol, family, local.address, v6only, uid, mark, cgroup, transparent, source],
    [boundInterface, device, keyedPeers, isFull],
  ]);
}

/** Nothing that is said of it names the port. */
function isPortless({ cause, assuming }: SocketFate): boolean {
  const names = (one: Cause | null | undefined) =>
    one?.code === 'not-evaluated' || one?.code === 'forwarded';
  return !names(cause) && !names(assuming?.cause);
}

/** The same fate, of the sockets of another port. */
function fateFor(fate: SocketFate, from: readonly Receiver[], to: readonly Receiver[]): SocketFate {
  const cause = causeFor(fate.cause, from, to);
  const { assuming } = fate;
  if (!assuming) return cause === fate.cause ? fate : { ...fate, cause };
  return { ...fate, cause, assuming: { ...assuming, cause: causeFor(assuming.cause, from, to) } };
}

function causeFor(
  cause: Cause | null,
  from: readonly Receiver[],
  to: readonly Receiver[],
): Cause | null {
  const socketFor = (socket: Socket): Socket => {
    const place = from.findIndex((one) => one.socket === socket);
    return to[place]?.socket ?? socket;
  };
  if (cause && 'socket' in cause) return { ...cause, socket: socketFor(cause.socket) };
  return cause?.code === 'shadowed' ? { ...cause, by: socketFor(cause.by) } : cause;
}
