import type { Socket } from '../../model/socket.js';
import type { Scope } from '../../reach/exposure-row.js';
import { SCOPES } from './change-counts.js';

/** Of so many places at most each has series of its own; the rest are counted. */
export const MOST_PLACES = 1000;
/** A port that the kernel picked has series of its own when it has been held for so long. Milliseconds. */
const SETTLED = 60_000;
/** Of so many programs at one place the names are told. */
const MOST_NAMES = 4;

/** Sockets that wait for peers at one place: several with SO_REUSEPORT. */
export interface Place {
  labels: {
    protocol: string;
    family: string;
    address: string;
    port: number;
    interface: string;
  };
  /** The programs that hold them, by name; empty where none is visible. */
  process: string;
  scope: Scope;
  sockets: number;
  /** The fullest accept queue. */
  queue: { length: number; limit: number } | null;
}

/** Which places have series of their own, and how many do not, by why. */
export interface Choice {
  shown: Place[];
  omitted: { limit: number; young: number };
}

/**
 * Chooses the places that have series. The widest open come first, so that these are told whatever else
 * there is, and the order does not depend on the kernel's. Ports that the kernel picks for clients of UDP
 * would each be a series that nobody sees again: such a port has to stay.
 */
export class Places {
  /** Since when each young place has been there; there is no more in it than is there now. */
  #since: Map<string, number> | null = null;

  choose(
    listeners: readonly Socket[],
    scopeOf: (socket: Socket) => Scope,
    picked: { from: number; to: number } | null,
    now: number,
  ): Choice {
    const places = [...gather(listeners, scopeOf)].sort(([key, one], [otherKey, other]) => {
      const wider = SCOPES.indexOf(one.scope) - SCOPES.indexOf(other.scope);
      return wider === 0 ? (key < otherKey ? -1 : 1) : wider;
    });
    const before = this.#since;
    // What was there at the first look may have been there for long.
    const since = new Map(
      places.map(([key]) => [key, before?.get(key) ?? (before ? now : -Infinity)]),
    );
    this.#since = since;
    const settled = places.filter(([key, { labels }]) => {
      const { port } = labels;
      const isPicked = picked !== null && port >= picked.from && port <= picked.to;
      return !isPicked || now - since.get(key)! >= SETTLED;
    });
    return {
      shown: settled.slice(0, MOST_PLACES).map(([, place]) => place),
      omitted: {
        limit: Math.max(0, settled.length - MOST_PLACES),
        young: places.length - settled.length,
      },
    };
  }
}

function gather(
  listeners: readonly Socket[],
  scopeOf: (socket: Socket) => Scope,
): Map<string, Place> {
  const groups = new Map<string, Socket[]>();
  for (const socket of listeners) {
    const { protocol, family, local, boundInterface } = socket;
    const key = `${protocol} ${family} ${local.address} ${local.port} ${boundInterface ?? ''}`;
    const there = groups.get(key);
    if (there) there.push(socket);
    else groups.set(key, [socket]);
  }
  return new Map(Array.from(groups, ([key, sockets]) => [key, placeOf(sockets, scopeOf)]));
}

function placeOf(sockets: readonly Socket[], scopeOf: (socket: Socket) => Scope): Place {
  const first = sockets[0]!;
  const { protocol, family, local, boundInterface } = first;
  let queue: Place['queue'] = null;
  for (const { backlog } of sockets) {
    if (backlog && (!queue || fill(backlog) > fill(queue))) queue = backlog;
  }
  return {
    labels: {
      protocol,
      family,
      address: local.address,
      port: local.port,
      interface: boundInterface ?? '',
    },
    process: namesOf(sockets),
    scope: scopeOf(first),
    sockets: sockets.length,
    queue,
  };
}

function namesOf(sockets: readonly Socket[]): string {
  const names = new Set(sockets.flatMap(({ owners }) => (owners ?? []).map(({ name }) => name)));
  const sorted = [...names].sort();
  const more = sorted.length > MOST_NAMES ? [`and ${sorted.length - MOST_NAMES} more`] : [];
  return [...sorted.slice(0, MOST_NAMES), ...more].join(', ');
}

const fill = ({ length, limit }: { length: number; limit: number }): number =>
  length / Math.max(1, limit);
