import { formatAddress, formatPrefix, unspecified } from '../model/address.js';
import type { NextHop, Route, RouteType } from '../model/route.js';
import type { Family } from '../model/socket.js';
import type { NetlinkRequest } from '../native.js';
import { nameOf } from './links.js';
import { type Bytes, messages, namesOfBits } from './netlink-message.js';
import { NEXTHOP_FLAGS, type NextHopObject } from './nexthops.js';

const RTM_NEWROUTE = 24;
const RTM_GETROUTE = 26;
const NLM_F_DUMP = 0x300;
const RTMSG_SIZE = 12;

const AF_INET = 2;
const AF_INET6 = 10;

const RTA_DST = 1;
const RTA_SRC = 2;
const RTA_OIF = 4;
const RTA_GATEWAY = 5;
const RTA_PRIORITY = 6;
const RTA_PREFSRC = 7;
const RTA_MULTIPATH = 9;
const RTA_TABLE = 15;
const RTA_VIA = 18;
const RTA_PREF = 20;
const RTA_ENCAP_TYPE = 21;
const RTA_NH_ID = 30;

/** struct rtnexthop: length:u16, flags:u8, weight less one:u8, interface:i32, then attributes. */
const RTNEXTHOP_SIZE = 8;

/** An entry of the route cache: a result of a lookup, not a route. */
const RTM_F_CLONED = 0x200;

/** RTM_F_* that a dump may carry beside RTNH_F_*, named as ip-route(8) names them. */
const ROUTE_FLAGS = [
  ...NEXTHOP_FLAGS,
  [0x100, 'notify'],
  [0x4000, 'rt_offload'],
  [0x8000, 'rt_trap'],
  [0x20000000, 'rt_offload_failed'],
] as const;

/** RTN_*, by number. */
const TYPES: readonly (RouteType | undefined)[] = [
  undefined,
  'unicast',
  'local',
  'broadcast',
  'anycast',
  'multicast',
  'blackhole',
  'unreachable',
  'prohibit',
  'throw',
  'nat',
];

/** ICMPV6_ROUTER_PREF_*; 2 is invalid on the wire and the kernel takes it for medium. */
const PREFERENCES = ['medium', 'high', 'medium', 'low'] as const;

/** These lead nowhere, though the kernel names `lo` as the device of IPv6 ones. */
const REFUSING: ReadonlySet<RouteType> = new Set(['blackhole', 'unreachable', 'prohibit', 'throw']);
const NOWHERE: NextHop = { interface: null, gateway: null, weight: 1, flags: [] };

/** Asks for the routes of all tables of one family (RTM_GETROUTE). */
export function routesRequest(family: Family): NetlinkRequest {
  const payload = new Uint8Array(RTMSG_SIZE);
  payload[0] = family === 'ipv4' ? AF_INET : AF_INET6;
  return { type: RTM_GETROUTE, flags: NLM_F_DUMP, payload };
}

/**
 * The routes of one family in the bytes of an RTM_GETROUTE dump, in the order of the kernel. A
 * kernel without IPv6 answers a question for it with all families it has: those are left out.
 */
export function decodeRoutes(
  bytes: Uint8Array,
  family: Family,
  names: ReadonlyMap<number, string>,
  objects: ReadonlyMap<number, NextHopObject>,
  littleEndian?: boolean,
): Route[] {
  const wanted = family === 'ipv4' ? AF_INET : AF_INET6;
  const routes: Route[] = [];
  for (const { type, payload } of messages(bytes, 'routes', littleEndian)) {
    if (type !== RTM_NEWROUTE || payload.u8(0) !== wanted) continue;
    if ((payload.u32(8) & RTM_F_CLONED) !== 0) continue;
    routes.push(decodeRoute(payload, family, names, objects));
  }
  return routes;
}

function decodeRoute(
  payload: Bytes,
  family: Family,
  names: ReadonlyMap<number, string>,
  objects: ReadonlyMap<number, NextHopObject>,
): Route {
  const attributes = payload.attributeMap(RTMSG_SIZE);
  const number = (type: number): number | null => attributes.get(type)?.u32(0) ?? null;
  const prefix = (type: number, length: number): string => {
    const value = attributes.get(type);
    if (!value && length !== 0) throw payload.malformed(0, `a /${length} without its address`);
    return formatPrefix({ address: value?.address(0, family) ?? unspecified(family), length });
  };
  const type = TYPES[payload.u8(7)];
  if (!type) throw payload.malformed(7, `${payload.u8(7)} is no type of route`);
  const flags = payload.u32(8);
  const nexthopId = number(RTA_NH_ID);
  const object = nexthopId === null ? undefined : objects.get(nexthopId);
  const multipath = attributes.get(RTA_MULTIPATH);
  const sourceLength = payload.u8(2);
  const preferredSource = attributes.get(RTA_PREFSRC);
  const preference = attributes.get(RTA_PREF)?.u8(0) ?? 0;
  const index = number(RTA_OIF);
  const nexthops = REFUSING.has(type)
    ? [{ ...NOWHERE }]
    : multipath
      ? decodeMultipath(multipath, family, names)
      : index !== null || !object
        ? [decodeNexthop(attributes, index, 1, flags, family, names)]
        : object.nexthops; // net.ipv4.nexthop_compat_mode is off: only the object's id is told
  return {
    family,
    table: number(RTA_TABLE) ?? payload.u8(4),
    type,
    destination: prefix(RTA_DST, payload.u8(1)),
    sourcePrefix: sourceLength === 0 ? null : prefix(RTA_SRC, sourceLength),
    tos: payload.u8(3),
    scope: payload.u8(6),
    protocol: payload.u8(5),
    metric: number(RTA_PRIORITY) ?? 0,
    preferredSource: preferredSource ? formatAddress(preferredSource.address(0, family)) : null,
    nexthops,
    nexthopId,
    preference: family === 'ipv6' ? PREFERENCES[preference & 3]! : null,
    flags: namesOfBits(flags, ROUTE_FLAGS),
    encapsulation: encapsulationOf(attributes, multipath) ?? object?.encapsulation ?? null,
  };
}

function decodeMultipath(
  multipath: Bytes,
  family: Family,
  names: ReadonlyMap<number, string>,
): NextHop[] {
  return Array.from(nexthopsOf(multipath), (entry) =>
    decodeNexthop(
      entry.attributeMap(RTNEXTHOP_SIZE),
      entry.u32(4),
      entry.u8(3) + 1,
      entry.u8(2),
      family,
      names,
    ),
  );
}

/** The struct rtnexthop entries of RTA_MULTIPATH, each with its attributes. */
function* nexthopsOf(multipath: Bytes): Generator<Bytes> {
  for (let at = 0; at < multipath.length; ) {
    const length = multipath.u16(at);
    if (length < RTNEXTHOP_SIZE) throw multipath.malformed(at, `a next hop of ${length} bytes`);
    yield multipath.slice(at, length);
    at += (length + 3) & ~3;
  }
}

function decodeNexthop(
  attributes: ReadonlyMap<number, Bytes>,
  index: number | null,
  weight: number,
  flags: number,
  family: Family,
  names: ReadonlyMap<number, string>,
): NextHop {
  return {
    interface: index === null || index === 0 ? null : nameOf(names, index),
    gateway: gatewayOf(attributes, family),
    weight,
    flags: namesOfBits(flags, NEXTHOP_FLAGS),
  };
}

/** RTA_GATEWAY is of the route's family; RTA_VIA begins with the family that its address is of. */
function gatewayOf(attributes: ReadonlyMap<number, Bytes>, family: Family): string | null {
  const gateway = attributes.get(RTA_GATEWAY);
  if (gateway) return formatAddress(gateway.address(0, family));
  const via = attributes.get(RTA_VIA);
  if (!via) return null;
  return formatAddress(via.address(2, via.u16(0) === AF_INET6 ? 'ipv6' : 'ipv4'));
}

function encapsulationOf(
  attributes: ReadonlyMap<number, Bytes>,
  multipath: Bytes | undefined,
): number | null {
  const own = attributes.get(RTA_ENCAP_TYPE);
  if (own) return own.u16(0);
  for (const entry of multipath ? nexthopsOf(multipath) : []) {
    const encapsulation = entry.attributeMap(RTNEXTHOP_SIZE).get(RTA_ENCAP_TYPE);
    if (encapsulation) return encapsulation.u16(0);
  }
  return null;
}
