import type { Route, RouteType } from '../model/route.js';

/** What a look-up may answer with, of all the routes by one nexthop object. */
export interface Shared {
  readonly types: ReadonlySet<RouteType>;
  readonly preferredSources: ReadonlySet<string | null>;
  readonly shortest: number;
  readonly longest: number;
}

interface Gathered extends Shared {
  readonly types: Set<RouteType>;
  readonly preferredSources: Set<string | null>;
  shortest: number;
  longest: number;
}

/**
 * What the IPv6 routes by one nexthop object have in common. The object keeps one result for each
 * processor, made of whichever route by it was looked up first, and every later look-up of another
 * of them gets that one (rt6_get_pcpu_route in net/ipv6/route.c): its type, its preferred source and
 * its length of prefix. A group has no results of its own but those of its members; as a capture
 * names none of them, routes that have a way in common are taken to share the object.
 */
export class SharedNextHops {
  readonly #byWay = new Map<string, Gathered>();
  readonly #byObject = new Map<number, Shared>();

  constructor(routes: readonly Route[]) {
    for (const route of routes) {
      if (route.nexthopId === null) continue;
      const length = Number(route.destination.slice(route.destination.lastIndexOf('/') + 1));
      for (const way of waysOf(route)) {
        const shared = this.#byWay.get(way) ?? nothing();
        this.#byWay.set(way, shared);
        shared.types.add(route.type);
        shared.preferredSources.add(route.preferredSource);
        shared.shortest = Math.min(shared.shortest, length);
        shared.longest = Math.max(shared.longest, length);
      }
    }
  }

  /** What holds for a route's look-up; `null` where the route has no nexthop object. */
  of(route: Route): Shared | null {
    const id = route.nexthopId;
    if (id === null) return null;
    const known = this.#byObject.get(id);
    if (known) return known;
    const shared = nothing();
    for (const way of waysOf(route)) {
      const one = this.#byWay.get(way);
      if (!one) continue;
      for (const type of one.types) shared.types.add(type);
      for (const source of one.preferredSources) shared.preferredSources.add(source);
      shared.shortest = Math.min(shared.shortest, one.shortest);
      shared.longest = Math.max(shared.longest, one.longest);
    }
    this.#byObject.set(id, shared);
    return shared;
  }
}

function waysOf({ nexthops }: Route): string[] {
  return nexthops.map((way) => `${way.interface} ${way.gateway}`);
}

function nothing(): Gathered {
  return { types: new Set(), preferredSources: new Set(), shortest: 128, longest: 0 };
}
