import type { Family } from './socket.js';

/** What a route does with a packet (rtnetlink(7), RTN_*). */
export type RouteType =
  | 'unicast'
  | 'local'
  | 'broadcast'
  | 'anycast'
  | 'multicast'
  | 'blackhole'
  | 'unreachable'
  | 'prohibit'
  | 'throw'
  | 'nat';

/** One way out of a route. */
export interface NextHop {
  /** The outgoing interface's name; `null` where the route has none (blackhole and its like). */
  interface: string | null;
  /** The gateway, `null` when the destination is on the link. It may be of the other family (RTA_VIA). */
  gateway: string | null;
  /** Its share in a multipath route, 1 and up. */
  weight: number;
  /** `onlink`, `dead`, `linkdown`, `offload`, … */
  flags: string[];
}

/** One entry of one routing table. */
export interface Route {
  /** IPv4 or IPv6. */
  family: Family;
  /** The routing table: 255 local, 254 main, 253 default, or another. */
  table: number;
  /** What is done with packets that it matches. */
  type: RouteType;
  /** CIDR text; `0.0.0.0/0` or `::/0` for a default route. */
  destination: string;
  /** IPv6 source-specific routes: CIDR text; else `null`. */
  sourcePrefix: string | null;
  /** The TOS a packet must carry, 0 for any. IPv4 only. */
  tos: number;
  /** rtm_scope as a number: 0 universe, 200 site, 253 link, 254 host. */
  scope: number;
  /** Who installed it (RTPROT_*): 2 kernel, 3 boot, 4 static, 9 router advertisement, … */
  protocol: number;
  /** RTA_PRIORITY: smaller wins. 0 where not told. */
  metric: number;
  /** RTA_PREFSRC, the source address for packets that have none yet. */
  preferredSource: string | null;
  /** More than one for multipath. Resolved from the nexthop object where `nexthopId` is set. */
  nexthops: NextHop[];
  /** The nexthop object it uses, or `null`. */
  nexthopId: number | null;
  /** Router preference of IPv6 (RTA_PREF): `low`, `medium`, `high`; `null` for IPv4. */
  preference: 'low' | 'medium' | 'high' | null;
  /** Names of RTNH_F_* on the route itself. */
  flags: string[];
  /** Encapsulation (RTA_ENCAP_TYPE) as a number, `null` for none. */
  encapsulation: number | null;
}
