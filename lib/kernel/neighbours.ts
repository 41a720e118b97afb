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
const AF_INET6 = 10;

/** NUD_VALID: reachable, stale, delay, probe, noarp, permanent. What is sent there is sent at once. */
const VALID = 0x02 | 0x04 | 0x08 | 0x10 | 0x40 | 0x80;

const NUD_NOARP = 0x40;
const NUD_PERMANENT = 0x80;

/** Asks for the neighbours of every interface (RTM_GETNEIGH), of both families and of bridges. */
export function neighboursRequest(): NetlinkRequest {
  const payload = new Uint8Array(NDMSG_SIZE);
  return { type: RTM_GETNEIGH, flags: NLM_F_DUMP, payload };
}

/** The neighbours of an interface whose link-layer address is known, as the model has them. */
export type KnownNeighbours = Required<
  Pick<Interface, 'neighbours' | 'permanentNeighbours' | 'ipv6Neighbours'>
>;

const nobody = (): KnownNeighbours => ({
  neighbours: [],
  permanentNeighbours: [],
  ipv6Neighbours: { permanent: [], learned: [] },
});

/** Whose link-layer address is known, by interface index, in the bytes of an RTM_GETNEIGH dump. */
export function decodeNeighbours(
  bytes: Uint8Array,
  littleEndian?: boolean,
): Map<number, KnownNeighbours> {
  const byIndex = new Map<number, KnownNeighbours>();
  for (const { type, payload } of messages(bytes, 'neighbours', littleEndian)) {
    const family = payload.u8(0);
    if (type !== RTM_NEWNEIGH || (family !== AF_INET && family !== AF_INET6)) continue;
    const state = payload.u16(8);
    if ((state & VALID) === 0) continue;
    const destination = payload.attributeMap(NDMSG_SIZE).get(NDA_DST);
    if (!destination) throw payload.malformed(0, 'a neighbour without an address');
    const index = payload.u32(4);
    const known = byIndex.get(index) ?? nobody();
    byIndex.set(index, known);
    if (family === AF_INET) {
      const text = formatAddress(destination.address(0, 'ipv4'));
      known.neighbours.push(text);
      if ((state & NUD_PERMANENT) !== 0) known.permanentNeighbours.push(text);
    } else if (state !== NUD_NOARP) {
      // The others are groups, which are no neighbours.
      const { permanent, learned } = known.ipv6Neighbours;
      const list = (state & NUD_PERMANENT) === 0 ? learned : permanent;
      list.push(formatAddress(destination.address(0, 'ipv6')));
    }
  }
  return byIndex;
}

/** Puts the neighbours where they belong. */
export function joinNeighbours(
  interfaces: Interface[],
  neighbours: ReadonlyMap<number, KnownNeighbours>,
): void {
  for (const link of interfaces) Object.assign(link, neighbours.get(link.index) ?? nobody());
}
