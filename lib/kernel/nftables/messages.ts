import { endianness } from 'node:os';
import type { NftFamily } from '../../model/firewall.js';
import type { NetlinkRequest } from '../../native.js';
import { type Bytes, messages } from '../netlink-message.js';
import { Attributes, type AttributeTable } from './attributes.js';

/*
 * nftables speaks nfnetlink: after the message header comes struct nfgenmsg (family:u8, version:u8,
 * resource:be16), and numbers inside attributes are in network byte order.
 */
const NFGENMSG_SIZE = 4;

export const NETLINK_NETFILTER = 12;
const NLM_F_DUMP = 0x300;

/** NFNL_SUBSYS_NFTABLES, the high byte of each message type. */
const SUBSYSTEM = 10 << 8;

/** enum nf_tables_msg_types */
export const NFT_MSG = {
  NEWTABLE: SUBSYSTEM | 0,
  GETTABLE: SUBSYSTEM | 1,
  NEWCHAIN: SUBSYSTEM | 3,
  GETCHAIN: SUBSYSTEM | 4,
  NEWRULE: SUBSYSTEM | 6,
  GETRULE: SUBSYSTEM | 7,
  NEWSET: SUBSYSTEM | 9,
  GETSET: SUBSYSTEM | 10,
  NEWSETELEM: SUBSYSTEM | 12,
  GETSETELEM: SUBSYSTEM | 13,
  NEWGEN: SUBSYSTEM | 15,
  GETGEN: SUBSYSTEM | 16,
  NEWOBJ: SUBSYSTEM | 18,
  GETOBJ: SUBSYSTEM | 19,
  NEWFLOWTABLE: SUBSYSTEM | 22,
  GETFLOWTABLE: SUBSYSTEM | 23,
} as const;

/** NFPROTO_* of each family. */
const NFPROTO: Readonly<Record<NftFamily, number>> = {
  inet: 1,
  ip: 2,
  arp: 3,
  netdev: 5,
  bridge: 7,
  ip6: 10,
};

const FAMILIES = new Map(
  Object.entries(NFPROTO).map(([family, number]) => [number, family as NftFamily]),
);

/** Asks for one answer. */
export function request(type: number): NetlinkRequest {
  return { type, flags: 0, payload: new Uint8Array(NFGENMSG_SIZE) };
}

/** Asks for all there is of a kind, of all families. */
export function dumpRequest(type: number): NetlinkRequest {
  return { type, flags: NLM_F_DUMP, payload: new Uint8Array(NFGENMSG_SIZE) };
}

/** Asks for all that belongs to what texts name: attributes 1, 2 and so on. */
export function dumpRequestFor(
  type: number,
  family: NftFamily,
  ...texts: string[]
): NetlinkRequest {
  const littleEndian = endianness() === 'LE';
  const encoded = texts.map((text) => new TextEncoder().encode(`${text}\0`));
  const sizes = encoded.map(({ length }) => (4 + length + 3) & ~3);
  const payload = new Uint8Array(sizes.reduce((sum, size) => sum + size, NFGENMSG_SIZE));
  const view = new DataView(payload.buffer);
  payload[0] = NFPROTO[family];
  let at = NFGENMSG_SIZE;
  for (const [index, bytes] of encoded.entries()) {
    view.setUint16(at, 4 + bytes.length, littleEndian);
    view.setUint16(at + 2, index + 1, littleEndian);
    payload.set(bytes, at + 4);
    at += sizes[index]!;
  }
  return { type, flags: NLM_F_DUMP, payload };
}

/** One message of an answer. */
export interface NftMessage<Name extends string> {
  payload: Bytes;
  attributes: Attributes<Name>;
}

/** The messages of one type in an answer. `what` names them in errors, as 'nftables chains'. */
export function* answers<Name extends string>(
  bytes: Uint8Array,
  wanted: number,
  what: string,
  names: AttributeTable<Name>,
  littleEndian?: boolean,
): Generator<NftMessage<Name>> {
  for (const { type, payload } of messages(bytes, what, littleEndian)) {
    if (type !== wanted) continue;
    if (payload.length < NFGENMSG_SIZE) {
      throw payload.malformed(0, `struct nfgenmsg is ${payload.length} bytes long, not 4`);
    }
    yield { payload, attributes: new Attributes(payload, names, NFGENMSG_SIZE) };
  }
}

/** The family that the header of a message names. */
export function familyOf(payload: Bytes): NftFamily {
  const family = FAMILIES.get(payload.u8(0));
  if (!family) throw payload.malformed(0, `${payload.u8(0)} is no family of nftables`);
  return family;
}
