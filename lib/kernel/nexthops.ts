import { formatAddress } from '../model/address.js';
import type { NextHop } from '../model/route.js';
import type { NetlinkRequest } from '../native.js';
import { nameOf } from './links.js';
import { type Bytes, messages, namesOfBits } from './netlink-message.js';

const RTM_NEWNEXTHOP = 104;
const RTM_GETNEXTHOP = 106;
const NLM_F_DUMP = 0x300;
const NHMSG_SIZE = 8;

const AF_INET6 = 10;

const NHA_ID = 1;
const NHA_GROUP = 2;
const NHA_OIF = 5;
const NHA_GATEWAY = 6;
const NHA_ENCAP_TYPE = 7;

/** struct nexthop_grp: id:u32, weight less one:u8, its high byte (Linux 6.12):u8, reserved:u16. */
const GROUP_ENTRY_SIZE = 8;

/** RTNH_F_*, named as ip-route(8) names them. */
export const NEXTHOP_FLAGS = [
  [0x01, 'dead'],
  [0x02, 'pervasive'],
  [0x04, 'onlink'],
  [0x08, 'offload'],
  [0x10, 'linkdown'],
  [0x20, 'unresolved'],
  [0x40, 'trap'],
] as const;

/** What a nexthop object resolves to. */
export interface NextHopObject {
  /** One for a plain object, its members' for a group, none for a blackhole. */
  nexthops: NextHop[];
  /** RTA_ENCAP_TYPE of a plain object; a group has none of its own. */
  encapsulation: number | null;
}

/** Asks for every nexthop object (RTM_GETNEXTHOP, since Linux 5.3). */
export function nexthopsRequest(): NetlinkRequest {
  return { type: RTM_GETNEXTHOP, flags: NLM_F_DUMP, payload: new Uint8Array(NHMSG_SIZE) };
}

/** The nexthop objects in the bytes of an RTM_GETNEXTHOP dump by id, groups resolved into their members. */
export function decodeNexthops(
  bytes: Uint8Array,
  names: ReadonlyMap<number, string>,
  littleEndian?: boolean,
): Map<number, NextHopObject> {
  const objects = new Map<number, NextHopObject>();
  const groups: [id: number, group: Bytes][] = [];
  for (const { type, payload } of messages(bytes, 'nexthops', littleEndian)) {
    if (type !== RTM_NEWNEXTHOP) continue;
    const attributes = payload.attributeMap(NHMSG_SIZE);
    const id = attributes.get(NHA_ID)?.u32(0);
    if (id === undefined) throw payload.malformed(0, 'a nexthop object without an id');
    const group = attributes.get(NHA_GROUP);
    if (group) groups.push([id, group]);
    else objects.set(id, decodeSingle(payload, attributes, names));
  }
  // A group holds plain objects only (nh_create_group refuses nesting), so one pass is enough.
  for (const [id, group] of groups) objects.set(id, resolveGroup(group, objects));
  return objects;
}

function decodeSingle(
  payload: Bytes,
  attributes: ReadonlyMap<number, Bytes>,
  names: ReadonlyMap<number, string>,
): NextHopObject {
  const index = attributes.get(NHA_OIF)?.u32(0);
  const gateway = attributes.get(NHA_GATEWAY);
  const family = payload.u8(0) === AF_INET6 ? 'ipv6' : 'ipv4';
  const nexthop: NextHop = {
    interface: index === undefined ? null : nameOf(names, index),
    gateway: gateway ? formatAddress(gateway.address(0, family)) : null,
    weight: 1,
    flags: namesOfBits(payload.u32(4), NEXTHOP_FLAGS),
  };
  return {
    nexthops: index === undefined ? [] : [nexthop],
    encapsulation: attributes.get(NHA_ENCAP_TYPE)?.u16(0) ?? null,
  };
}

function resolveGroup(group: Bytes, objects: ReadonlyMap<number, NextHopObject>): NextHopObject {
  const nexthops: NextHop[] = [];
  const encapsulations = new Set<number>();
  for (let at = 0; at < group.length; at += GROUP_ENTRY_SIZE) {
    const member = objects.get(group.u32(at));
    const weight = group.u8(at + 4) + (group.u8(at + 5) << 8) + 1;
    for (const nexthop of member?.nexthops ?? []) nexthops.push({ ...nexthop, weight });
    if (member?.encapsulation != null) encapsulations.add(member.encapsulation);
  }
  const [encapsulation = null] = encapsulations;
  return { nexthops, encapsulation };
}
