import {
  type Address,
  type Prefix,
  parsePrefix,
  prefixHolds,
  sameAddress,
} from '../model/address.js';
import { PrefixMap } from '../model/prefix-map.js';
import type { NextHop, Route } from '../model/route.js';
import type { Device } from './host.js';

/** What a routing look-up is asked: struct flowi4 and flowi6, as far as they decide. */
export interface RouteKey {
  destination: Address;
  /** The unspecified address while no source is chosen. */
  source: Address;
  /** Interface index the packet came in on; loopback's for what this host sends. */
  input: number;
  /** Interface index it must leave by, 0 for any. */
  output: number;
  /** IPv6: a route of another interface than `output` is no match (RT6_LOOKUP_F_IFACE). */
  strict: boolean;
  mark: number;
  tos: number;
  /** IPPROTO_* */
  protocol: number;
  sourcePort: number;
  destinationPort: number;
  uid: number;
  /** Index of the VRF whose table is asked, where the interfaces do not say it (flowi_l3mdev). */
  l3mdev?: number;
  /** It was `output` that said it (FLOWI_FLAG_L3MDEV_OIF). */
  l3mdevByOutput?: boolean;
}

/** How the kernel refuses a packet that routing has no way for. */
export type RouteError = 'ENETUNREACH' | 'EHOSTUNREACH' | 'EACCES' | 'EINVAL';

/** A route that was chosen, and the way out that was taken first. */
export interface Found {
  readonly route: Route;
  readonly nexthop: NextHop | null;
  readonly device: Device | null;
  readonly prefixLength: number;
}

/** One table's answer: a way, a refusal by a route, or 'again' (nothing here, ask the next rule). */
export type TableAnswer = Found | { readonly refused: RouteError; readonly route: Route } | 'again';

/** A way out of a route. */
interface Way {
  readonly nexthop: NextHop;
  readonly device: Device | null;
  /** What a look-up that takes it answers. */
  readonly found: Found;
}

/** A route, its texts parsed. */
interface Entry {
  readonly route: Route;
  readonly refused: RouteError | undefined;
  readonly ways: readonly Way[];
}

/** The IPv6 routes of one destination that hold for one prefix of sources. */
interface SourceEntries {
  readonly source: Prefix;
  readonly entries: Entry[];
}

/** All routes of one destination, in the order they are tried. */
interface Leaf {
  readonly prefix: Prefix;
  /** Those for any source. */
  readonly entries: Entry[];
  /** The longest prefix first. */
  readonly bySource: SourceEntries[];
  /** What every look-up that finds this and demands no interface answers; null where it depends. */
  certain: Found | null;
}

const refusals: Partial<Record<Route['type'], RouteError>> = {
  blackhole: 'EINVAL',
  unreachable: 'EHOSTUNREACH',
  prohibit: 'EACCES',
  nat: 'EINVAL',
};

const nowhere: NextHop = { interface: null, gateway: null, weight: 1, flags: [] };

/** IPTOS_RT_MASK: the bits of the type of service that IPv4's routes and rules look at. */
const ROUTING_TOS = 0x1c;

/** Does a selector of IPv4, 0 for any, fit this type of service? (fib_dscp_masked_match) */
export function fitsTos(selector: number, tos: number): boolean {
  return selector === 0 || selector === (tos & ROUTING_TOS);
}

/** One routing table, or IPv4's local and main merged into one trie as the kernel keeps them without custom rules. */
export class Fib {
  readonly #leaves = new PrefixMap<Leaf>();
  /** The leaves of the look-up under way. */
  readonly #holding: Leaf[] = [];

  /** It holds no route at all. */
  readonly isEmpty: boolean;

  constructor(routes: readonly Route[], devices: ReadonlyMap<string, Device>) {
    this.isEmpty = routes.length === 0;
    const loopback = [...devices.values()].find(({ link }) => link.loopback) ?? null;
    for (const route of routes) {
      const prefix = parsePrefix(route.destination);
      if (!prefix) continue;
      const leaf = this.#leaves.at(prefix, () => ({
        prefix,
        entries: [],
        bySource: [],
        certain: null,
      }));
      const nexthops = route.nexthops.length > 0 ? route.nexthops : [nowhere];
      const ways = nexthops.map((nexthop): Way => {
        // What leads nowhere does so by lo (ip6_route_info_create); IPv4 does not look.
        const name = nexthop.interface;
        const device = name === null ? loopback : (devices.get(name) ?? null);
        return { nexthop, device, found: { route, nexthop, device, prefixLength: prefix.length } };
      });
      entriesFor(leaf, route).push({ route, refused: refusals[route.type], ways });
    }
    this.#leaves.each((leaf) => {
      leaf.entries.sort(inOrder);
      leaf.bySource.sort((one, other) => other.source.length - one.source.length);
      for (const { entries } of leaf.bySource) entries.sort(inOrder);
      leaf.certain = certainOf(leaf);
    });
  }

  /** fib_table_lookup (net/ipv4/fib_trie.c): the longest prefix that has an entry that fits. */
  lookup4(key: RouteKey, ignoreLinkState: boolean): TableAnswer {
    const leaves = this.#holding;
    const count = this.#leaves.holding(key.destination, leaves);
    let missed: Leaf | null = null;
    for (let place = count - 1; place >= 0; place--) {
      const leaf = leaves[place]!;
      // A nexthop object without a usable way ends the look at all that begin at this address.
      if (missed && sameAddress(missed.prefix.address, leaf.prefix.address)) continue;
      missed = null;
      if (leaf.certain && key.output === 0) return leaf.certain;
      for (const { route, refused, ways } of leaf.entries) {
        if (!fitsTos(route.tos, key.tos)) continue;
        if (route.type === 'throw') return 'again';
        if (refused) return { refused, route };
        for (const { nexthop, device, found } of ways) {
          if (!usable(nexthop, device, 'ipv4', ignoreLinkState)) continue;
          if (key.output !== 0 && device?.index !== key.output) continue;
          return found;
        }
        if (route.nexthopId === null) continue;
        missed = leaf;
        break;
      }
    }
    return 'again';
  }

  /**
   * fib6_table_lookup (net/ipv6/route.c): from the longest destination up, and there from the
   * longest source to those for any, the first that has a usable route. `preferred` is the
   * interface that scores higher, 0 for none.
   */
  lookup6(key: RouteKey, preferred: number): TableAnswer {
    const leaves = this.#holding;
    const count = this.#leaves.holding(key.destination, leaves);
    for (let place = firstPlace(leaves, count, key.source); place >= 0; place--) {
      const { entries, bySource, certain } = leaves[place]!;
      if (certain && !key.strict) return certain;
      for (const { source, entries } of bySource) {
        if (!prefixHolds(source, key.source)) continue;
        const answer = select6(entries, key.strict, preferred);
        if (answer) return answer;
      }
      const answer = select6(entries, key.strict, preferred);
      if (answer) return answer;
    }
    return 'again';
  }
}

/** Most destinations have one route of one way, always usable: nothing is left to choose. */
function certainOf({ entries, bySource }: Leaf): Found | null {
  const [entry, ...others] = entries;
  if (!entry || others.length > 0 || bySource.length > 0) return null;
  const { route, refused, ways } = entry;
  const way = ways.length === 1 ? ways[0]! : null;
  if (!way || refused || route.type === 'throw' || route.tos !== 0) return null;
  return way.nexthop.flags.every((flag) => flag !== 'dead' && flag !== 'linkdown')
    ? way.found
    : null;
}

/**
 * Where the look begins (fib6_node_lookup_1): a destination that has routes by source, none of which
 * fits, is passed over with its routes for any source; but for ::/0, the root of the table. On the
 * way from there to shorter prefixes (fib6_backtrack) it would not be.
 */
function firstPlace(leaves: readonly Leaf[], count: number, source: Address): number {
  for (let place = count - 1; place >= 0; place--) {
    const { prefix, bySource } = leaves[place]!;
    if (prefix.length === 0 || bySource.length === 0) return place;
    if (bySource.some((one) => prefixHolds(one.source, source))) return place;
  }
  return -1;
}

/**
 * find_rr_leaf (net/ipv6/route.c): among the routes of the smallest metric the best score, the
 * wanted device before the router's preference; where none of these is usable, among all others,
 * whatever their metric. What neighbour discovery knows of routers is not part of a capture.
 */
function select6(
  entries: readonly Entry[],
  strict: boolean,
  preferred: number,
): TableAnswer | null {
  const metric = entries[0]?.route.metric;
  let best: Entry | null = null;
  let bestWay: Way | null = null;
  let bestScore = -1;
  for (const entry of entries) {
    const { route, ways, refused } = entry;
    if (best && best.route.metric === metric && route.metric !== metric) break;
    // A nexthop object that is a blackhole is taken whatever came before it.
    if (refused && route.nexthopId !== null) return { refused, route };
    for (const way of ways) {
      if (!usable(way.nexthop, way.device, 'ipv6', false)) continue;
      const fits = preferred === 0 || way.device?.index === preferred;
      if (!fits && strict) continue;
      const score = (fits ? 2 : 0) | (preferenceRank(route) << 2);
      if (score <= bestScore) continue;
      bestScore = score;
      best = entry;
      bestWay = way;
    }
  }
  if (!best || !bestWay) return null;
  const { route, refused } = best;
  if (route.type === 'throw') return 'again';
  if (refused) return { refused, route };
  return bestWay.found;
}

/** The list of a leaf that a route belongs to. */
function entriesFor(leaf: Leaf, route: Route): Entry[] {
  const source = route.sourcePrefix === null ? null : parsePrefix(route.sourcePrefix);
  if (!source || source.length === 0) return leaf.entries;
  const same = leaf.bySource.find(
    (one) => one.source.length === source.length && sameAddress(one.source.address, source.address),
  );
  if (same) return same.entries;
  const entries: Entry[] = [];
  leaf.bySource.push({ source, entries });
  return entries;
}

/** Of one destination: in a merged trie the local table's first, then by TOS and metric (fib_find_alias). */
function inOrder({ route: one }: Entry, { route: other }: Entry): number {
  return other.table - one.table || other.tos - one.tos || one.metric - other.metric;
}

/** IPV6_DECODE_PREF: low 1, medium 2, high 3. */
function preferenceRank(route: Route): number {
  return route.preference === 'high' ? 3 : route.preference === 'low' ? 1 : 2;
}

/** fib_lookup_good_nhc and find_match: not dead, and not without carrier where that counts. */
export function usable(
  nexthop: NextHop,
  device: Device | null,
  family: 'ipv4' | 'ipv6',
  ignoreLinkState: boolean,
): boolean {
  if (nexthop.flags.length === 0) return true;
  if (nexthop.flags.includes('dead')) return false;
  return ignoreLinkState || !nexthop.flags.includes('linkdown') || !device?.ignoresLinkdown[family];
}
