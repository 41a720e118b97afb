import { formatAddress } from '../model/address.js';
import type { Interface } from '../model/interface.js';
import type { NetlinkRequest } from '../native.js';
import { messages } from './netlink-message.js';

const RTM_NEWNEIGH = 28;
const RTM_GETNEIGH = 30;
const NLM_F_DUMP = 0x300;
const NDMSG_SIZE = 12;
const NDA_DST = 1;
const AF_INET = 2;

/** NUD_VALID: reachable, stale, delay, probe, noarp, permanent. What is sent there is sent at once. */
const VALID = 0x02 | 0x04 | 0x08 | 0x10 | 0x40 | 0x80;

/** Asks for the IPv4 neighbours of every interface (RTM_GETNEIGH). */
export function neighboursRequest(): NetlinkRequest {
  const payload = new Uint8Array(NDMSG_SIZE);
  payload[0] = AF_INET;
  return { type: RTM_GETNEIGH, flags: NLM_F_DUMP, payload };
}

/** Whose link-layer address is known, by interface index, in the bytes of an RTM_GETNEIGH dump. */
export function decodeNeighbours(bytes: Uint8Array, littleEndian?: boolean): Map<number, string[]> {
  const byIndex = new Map<number, string[]>();
  for (const { type, payload } of messages(bytes, 'neighbours', littleEndian)) {
    if (type !== RTM_NEWNEIGH || payload.u8(0) !== AF_INET) continue;
    if ((payload.u16(8) & VALID) === 0) continue;
    const destination = payload.attributeMap(NDMSG_SIZE).get(NDA_DST);
    if (!destination) throw payload.malformed(0, 'a neighbour without an address');
    const index = payload.u32(4);
    const address = formatAddress(destination.address(0, 'ipv4'));
    const list = byIndex.get(index);
    if (list) list.push(address);
    else byIndex.set(index, [address]);
  }
  return byIndex;
}

/** Puts the neighbours where they belong. */
export function joinNeighbours(
  interfaces: Interface[],
  neighbours: ReadonlyMap<number, string[]>,
): void {
  for (const link of interfaces) link.neighbours = neighbours.get(link.index) ?? [];
}
