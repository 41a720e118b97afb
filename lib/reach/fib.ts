import {
  type Address,
  isUnspecified,
  type Prefix,
  parsePrefix,
  prefixHolds,
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

interface Entry {
  readonly route: Route;
  readonly source: Prefix | null;
  readonly ways: { readonly nexthop: NextHop; readonly device: Device | null }[];
}

const refusals: Partial<Record<Route['type'], RouteError>> = {
  blackhole: 'EINVAL',
  unreachable: 'EHOSTUNREACH',
  prohibit: 'EACCES',
  nat: 'EINVAL',
};

/** One routing table, or IPv4's local and main merged into one trie as the kernel keeps them without custom rules. */
export class Fib {
  readonly #entries = new PrefixMap<Entry[]>();

  constructor(routes: readonly Route[], devices: ReadonlyMap<string, Device>) {
    for (const route of routes) {
      const destination = parsePrefix(route.destination);
      if (!destination) continue;
      const source = route.sourcePrefix === null ? null : parsePrefix(route.sourcePrefix);
      const ways = route.nexthops.map((nexthop) => ({
        nexthop,
        device: nexthop.interface === null ? null : (devices.get(nexthop.interface) ?? null),
      }));
      this.#entries.at(destination, () => []).push({ route, source, ways });
    }
    this.#sort();
  }

  /** fib_table_lookup (net/ipv4/fib_trie.c): the longest prefix that has an entry that fits. */
  lookup4(key: RouteKey, ignoreLinkState: boolean): TableAnswer {
    return (
      this.#entries.longest(key.destination, (entries, length): TableAnswer | undefined => {
        for (const { route, ways } of entries) {
          if (route.tos !== 0 && route.tos !== key.tos) continue;
          if (route.type === 'throw') return 'again';
          const refused = refusals[route.type];
          if (refused) return { refused, route };
          for (const { nexthop, device } of ways) {
            if (!usable(nexthop, device, 'ipv4', ignoreLinkState)) continue;
            if (key.output !== 0 && device?.index !== key.output) continue;
            return { route, nexthop, device, prefixLength: length };
          }
        }
        return undefined;
      }) ?? 'again'
    );
  }

  /**
   * fib6_table_lookup and rt6_select (net/ipv6/route.c): from the longest prefix up, the smallest
   * metric that has a usable route, and there the best score: the wanted device, then the router's
   * preference. What neighbour discovery knows of routers is not part of a capture.
   */
  lookup6(key: RouteKey, preferred: number): TableAnswer {
    return (
      this.#entries.longest(key.destination, (entries, length): TableAnswer | undefined => {
        let best: TableAnswer | undefined;
        let bestScore = -1;
        let metric = -1;
        let sourceLength = -1;
        for (const { route, source, ways } of entries) {
          if (best && (route.metric !== metric || (source?.length ?? 0) !== sourceLength)) break;
          if (source && (isUnspecified(key.source) || !prefixHolds(source, key.source))) continue;
          const refused = refusals[route.type];
          for (const { nexthop, device } of ways.length > 0 ? ways : nowhere) {
            if (!usable(nexthop, device, 'ipv6', false) && ways.length > 0) continue;
            const fits = preferred === 0 || device?.index === preferred;
            if (!fits && key.strict) continue;
            const score = (fits ? 2 : 0) | (preferenceRank(route) << 2);
            if (score <= bestScore) continue;
            bestScore = score;
            metric = route.metric;
            sourceLength = source?.length ?? 0;
            best =
              route.type === 'throw'
                ? 'again'
                : refused
                  ? { refused, route }
                  : { route, nexthop, device, prefixLength: length };
          }
        }
        return best;
      }) ?? 'again'
    );
  }

  #sort(): void {
    this.#entries.each((entries) => {
      entries.sort(
        (one, other) =>
          (other.source?.length ?? 0) - (one.source?.length ?? 0) ||
          other.route.table - one.route.table ||
          other.route.tos - one.route.tos ||
          one.route.metric - other.route.metric,
      );
    });
  }
}

const nowhere: Entry['ways'] = [
  { nexthop: { interface: null, gateway: null, weight: 1, flags: [] }, device: null },
];

/** IPV6_DECODE_PREF: low 1, medium 2, high 3. */
function preferenceRank(route: Route): number {
  return route.preference === 'high' ? 3 : route.preference === 'low' ? 1 : 2;
}

/** fib_lookup_good_nhc and find_match: not dead, and not without carrier where that counts. */
function usable(
  nexthop: NextHop,
  device: Device | null,
  family: 'ipv4' | 'ipv6',
  ignoreLinkState: boolean,
): boolean {
  if (nexthop.flags.length === 0) return true;
  if (nexthop.flags.includes('dead')) return false;
  return ignoreLinkState || !nexthop.flags.includes('linkdown') || !device?.ignoresLinkdown[family];
}
