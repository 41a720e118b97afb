import type { Interface } from '../model/interface.js';
import type { NetlinkRequest } from '../native.js';
import { messages } from './netlink-message.js';

const RTM_NEWQDISC = 36;
const RTM_GETQDISC = 38;
const RTM_NEWTFILTER = 44;
const RTM_GETTFILTER = 46;
const NLM_F_DUMP = 0x300;

/** struct tcmsg: family:u8, padding, interface:i32 at 4, handle:u32 at 8, parent:u32 at 12, info:u32. */
const TCMSG_SIZE = 20;
const TCA_KIND = 1;

/** TC_H_INGRESS and TC_H_CLSACT, the parent of the special qdisc that carries filters alone. */
const TC_H_INGRESS = 0xfffffff1;
/** TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_INGRESS) */
const PARENT_INGRESS = 0xfffffff2;
/** TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_EGRESS) */
const PARENT_EGRESS = 0xfffffff3;

/** A place where filters may stand: which device, and which way packets go. */
export interface FilterPoint {
  index: number;
  direction: 'ingress' | 'egress';
}

/** Asks for the queueing disciplines of every device (RTM_GETQDISC). */
export function qdiscsRequest(): NetlinkRequest {
  return { type: RTM_GETQDISC, flags: NLM_F_DUMP, payload: new Uint8Array(TCMSG_SIZE) };
}

/**
 * Where tc filters may stand, from the bytes of an RTM_GETQDISC dump: the devices with an `ingress`
 * or a `clsact` qdisc. Other qdiscs only order what is sent.
 */
export function decodeFilterPoints(bytes: Uint8Array, littleEndian?: boolean): FilterPoint[] {
  const points: FilterPoint[] = [];
  for (const { type, payload } of messages(bytes, 'qdiscs', littleEndian)) {
    if (type !== RTM_NEWQDISC || payload.u32(12) !== TC_H_INGRESS) continue;
    const index = payload.i32(4);
    const kind = payload.attributeMap(TCMSG_SIZE).get(TCA_KIND)?.text();
    points.push({ index, direction: 'ingress' });
    if (kind === 'clsact') points.push({ index, direction: 'egress' });
  }
  return points;
}

/** Asks for the filters at one place (RTM_GETTFILTER). */
export function filtersRequest({ index, direction }: FilterPoint): NetlinkRequest {
  const payload = new Uint8Array(TCMSG_SIZE);
  const words = new Uint32Array(payload.buffer);
  words[1] = index;
  words[3] = direction === 'ingress' ? PARENT_INGRESS : PARENT_EGRESS;
  return { type: RTM_GETTFILTER, flags: NLM_F_DUMP, payload };
}

/** Does the answer to `filtersRequest` hold a filter? */
export function holdsFilter(bytes: Uint8Array, littleEndian?: boolean): boolean {
  return Array.from(messages(bytes, 'filters', littleEndian)).some(
    ({ type }) => type === RTM_NEWTFILTER,
  );
}

/** Marks the interface at a place as one with filters. */
export function markFiltered(interfaces: Interface[], { index, direction }: FilterPoint): void {
  const entry = interfaces.find((candidate) => candidate.index === index);
  if (!entry) return;
  if (direction === 'ingress') entry.tcIngress = true;
  else entry.tcEgress = true;
}
