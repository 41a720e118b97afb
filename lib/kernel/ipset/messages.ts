import { endianness } from 'node:os';
import type { NetlinkRequest } from '../../native.js';

/*
 * ipset speaks nfnetlink (linux/netfilter/ipset/ip_set.h): after the message header comes struct
 * nfgenmsg (4 bytes), then attributes, numbers among them in network byte order.
 */
export const NETLINK_NETFILTER = 12;
export const NFGENMSG_SIZE = 4;
const NLM_F_DUMP = 0x300;

/** NFNL_SUBSYS_IPSET, the high byte of each message type. */
const SUBSYSTEM = 6 << 8;

/** IPSET_PROTOCOL: the first that tells the number of a set (Linux 4.20). */
const PROTOCOL = 7;

/** enum ipset_cmd */
export const IPSET_CMD = { LIST: SUBSYSTEM | 7, GET_BYNAME: SUBSYSTEM | 14 } as const;

/** The attributes of a message (IPSET_ATTR_*). */
export const MESSAGE = {
  PROTOCOL: 1,
  SETNAME: 2,
  TYPENAME: 3,
  FAMILY: 5,
  DATA: 7,
  ADT: 8,
  INDEX: 11,
} as const;

/** Asks for all sets with their elements. */
export function listRequest(): NetlinkRequest {
  return { type: IPSET_CMD.LIST, flags: NLM_F_DUMP, payload: payloadOf() };
}

/** Asks for the number of a set. */
export function indexRequest(name: string): NetlinkRequest {
  return { type: IPSET_CMD.GET_BYNAME, flags: 0, payload: payloadOf(name) };
}

function payloadOf(name?: string): Uint8Array {
  const littleEndian = endianness() === 'LE';
  const text = name === undefined ? null : new TextEncoder().encode(`${name}\0`);
  const size = text ? (4 + text.length + 3) & ~3 : 0;
  const payload = new Uint8Array(NFGENMSG_SIZE + 8 + size);
  const view = new DataView(payload.buffer);
  view.setUint16(NFGENMSG_SIZE, 5, littleEndian);
  view.setUint16(NFGENMSG_SIZE + 2, MESSAGE.PROTOCOL, littleEndian);
  payload[NFGENMSG_SIZE + 4] = PROTOCOL;
  if (text) {
    const at = NFGENMSG_SIZE + 8;
    view.setUint16(at, 4 + text.length, littleEndian);
    view.setUint16(at + 2, MESSAGE.SETNAME, littleEndian);
    payload.set(text, at + 4);
  }
  return payload;
}
