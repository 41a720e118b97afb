import type { Interface } from '../model/interface.js';
import type { ReadOptions } from '../model/socket.js';
import { type NetlinkRefusal, native } from '../native.js';
import { addressesRequest, decodeAddresses, joinAddresses } from './addresses.js';
import { decodeLinks, linksRequest } from './links.js';
import {
  decodeFilterPoints,
  filtersRequest,
  holdsFilter,
  markFiltered,
  qdiscsRequest,
} from './qdiscs.js';
import { checkReadOptions } from './read-options.js';
import { bytesOf } from './refusal.js';

/** NETLINK_ROUTE */
export const NETLINK_ROUTE = 0;

const EOPNOTSUPP = 95;

/**
 * The network interfaces of a namespace with their addresses, in the order of the kernel, which
 * tells them by rtnetlink(7). Needs no privileges.
 *
 * @throws EarshotError `ERR_INVALID_ARGUMENT` for an option that is not of its form; `ERR_NETNS`,
 *   `ERR_PERMISSION`, `ERR_KERNEL` where the kernel refuses; `ERR_UNSUPPORTED_PLATFORM`, `ERR_NO_BINARY`
 * @example
 * ```js
 * import { interfaces } from 'earshot';
 * for (const { name, up, addresses } of await interfaces()) {
 *   console.log(name, up, addresses.map(({ address, prefixLength }) => `${address}/${prefixLength}`));
 * }
 * ```
 */
export async function interfaces(options?: ReadOptions): Promise<Interface[]> {
  const { netns } = checkReadOptions(options);
  const { replies } = await native.netlink({
    protocol: NETLINK_ROUTE,
    requests: [linksRequest(), addressesRequest(), qdiscsRequest()],
    watchGroups: [],
    netns,
  });
  const [links, addresses, qdiscs] = replies;
  const entries = decodeLinks(bytesOf(links, 'links'));
  joinAddresses(entries, decodeAddresses(bytesOf(addresses, 'addresses')));
  await readFilters(entries, qdiscs!, netns);
  return entries;
}

/**
 * Asks every interface with an `ingress` or `clsact` qdisc for its tc filters, and marks those that
 * have some. `qdiscs` is the answer to `qdiscsRequest`.
 */
export async function readFilters(
  entries: Interface[],
  qdiscs: Uint8Array | NetlinkRefusal,
  netns: string | null,
): Promise<void> {
  // A kernel without traffic control has no filters.
  if (!(qdiscs instanceof Uint8Array) && qdiscs.errno === EOPNOTSUPP) return;
  const points = decodeFilterPoints(bytesOf(qdiscs, 'queueing disciplines'));
  if (points.length === 0) return;
  const { replies } = await native.netlink({
    protocol: NETLINK_ROUTE,
    requests: points.map(filtersRequest),
    watchGroups: [],
    netns,
  });
  for (const [index, point] of points.entries()) {
    if (holdsFilter(bytesOf(replies[index], 'tc filters'))) markFiltered(entries, point);
  }
}
