import type { Socket } from '../model/socket.js';
import type { Host, Receiver } from './host.js';
import type { Door, SocketFate, Target } from './knock.js';
import { PortWatch } from './nftables/port-watch.js';
import {
  groupHere,
  groupPeers,
  type Ourselves,
  ourselvesAt,
  type PeerGroup,
} from './peer-groups.js';
import type { PeerSpace } from './peer-space.js';
import { PortTree } from './port-tree.js';
import type { Cause } from './verdict.js';

/** Groups of peers, and the sockets of the port that was asked for. */
interface Found {
  readonly receivers: readonly Receiver[];
  readonly groups: readonly PeerGroup[];
}

/**
 * The groups of peers at each door. A host has many sockets that differ in their port alone, and few
 * ports that its rules tell apart: what came of asking for one of them holds for all others.
 */
export class DoorGroups {
  /** By all that decides how a socket fares but its port, and then by the door. */
  readonly #kinds = new Map<string, Map<Door, PortTree<Found>>>();
  readonly #kindOf = new Map<Socket, Map<Door, PortTree<Found>> | null>();
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
    const { host } = this;
    const { protocol, port } = target;
    const trees = this.#treesOf(target);
    const find = (watch: PortWatch | null, ourselves: Ourselves | null) =>
      space
        ? groupPeers(host, target, door, space, watch)
        : groupHere(host, target, door, watch, ourselves);
    if (trees === null) return find(null, null);
    const tree = trees.get(door) ?? new PortTree<Found>();
    trees.set(door, tree);
    const receivers = host.receivers(protocol, port);
    const known = tree.find(port);
    if (known)
      return known.groups.map((group) => ({
        ...group,
        fate: fateFor(group.fate, known.receivers, receivers),
      }));
    const watch = new PortWatch(port);
    const groups = find(watch, space ? null : this.#ourselvesAt(target, door));
    if (groups.every(({ fate }) => isPortless(fate))) tree.add(watch, { receivers, groups });
    return groups;
  }

  /** Which source this host has at a door is no matter of the port. */
  #ourselvesAt(target: Target, door: Door): Ourselves | null {
    const ofProtocol = this.#ourselves[target.protocol];
    const known = ofProtocol.get(door) ?? ourselvesAt(this.host, target, door);
    if (known) ofProtocol.set(door, known);
    return known;
  }

  /** What is known of sockets of its kind; `null` where its kind cannot be told. */
  #treesOf({ protocol, port, socket }: Target): Map<Door, PortTree<Found>> | null {
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
