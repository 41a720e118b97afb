import type { IpSet } from '../../model/ipset.js';
import type { Family } from '../../model/socket.js';
import { type NetlinkRefusal, type NetlinkRequest, native } from '../../native.js';
import { messages } from '../netlink-message.js';
import { bytesOf, isPermission } from '../refusal.js';
import { DATA, elementText } from './elements.js';
import {
  IPSET_CMD,
  indexRequest,
  listRequest,
  MESSAGE,
  NETLINK_NETFILTER,
  NFGENMSG_SIZE,
} from './messages.js';

type Reply = Uint8Array | NetlinkRefusal;

/** NFPROTO_* */
const FAMILIES: Readonly<Record<number, Family>> = { 2: 'ipv4', 10: 'ipv6' };

/**
 * The sets of a network namespace; `null` where this user may not see them, which is then not to be
 * shown nftables either. To be asked only where a rule names a set: else the kernel might load ipset
 * for the question.
 */
export async function readIpSets(netns: string | null): Promise<IpSet[] | null> {
  const [list] = await ask(netns, [listRequest()]);
  if (list && !(list instanceof Uint8Array) && isPermission(list.errno)) return null;
  const sets = decodeIpSets(bytesOf(list, 'sets of ipset'));
  const numbers = await ask(
    netns,
    sets.map(({ name }) => indexRequest(name)),
  );
  return sets.flatMap((set, place) => {
    const answer = numbers[place];
    // A set that is gone meanwhile has no number any more.
    return answer instanceof Uint8Array ? [{ ...set, index: indexIn(answer) ?? set.index }] : [];
  });
}

async function ask(netns: string | null, requests: NetlinkRequest[]): Promise<Reply[]> {
  if (requests.length === 0) return [];
  const query = { protocol: NETLINK_NETFILTER, requests, watchGroups: [], netns };
  return (await native.netlink(query)).replies;
}

/** The sets in the answer to `listRequest`, without their numbers. A large one comes in many messages. */
export function decodeIpSets(bytes: Uint8Array, littleEndian?: boolean): IpSet[] {
  const sets = new Map<string, IpSet>();
  for (const { type, payload } of messages(bytes, 'sets of ipset', littleEndian)) {
    if (type !== IPSET_CMD.LIST) continue;
    const attributes = payload.attributeMap(NFGENMSG_SIZE);
    const name = attributes.get(MESSAGE.SETNAME)?.text();
    if (name === undefined) throw payload.malformed(0, 'a set without a name');
    const known = sets.get(name) ?? newSet(name);
    sets.set(name, known);
    const typeName = attributes.get(MESSAGE.TYPENAME)?.text();
    if (typeName !== undefined) {
      const made = attributes.get(MESSAGE.DATA)?.attributeMap();
      known.type = made?.has(DATA.BITMASK) ? `${typeName} by bitmask` : typeName;
      known.family = FAMILIES[attributes.get(MESSAGE.FAMILY)?.u8(0) ?? 0] ?? null;
      known.netmask = made?.get(DATA.NETMASK)?.u8(0) ?? null;
    }
    for (const [, element] of attributes.get(MESSAGE.ADT)?.attributes() ?? []) {
      known.elements.push(elementText(element, known.type, known.family));
    }
  }
  return [...sets.values()];
}

function newSet(name: string): IpSet {
  return { name, index: 0, type: '', family: null, netmask: null, elements: [] };
}

function indexIn(bytes: Uint8Array): number | undefined {
  for (const { payload } of messages(bytes, 'sets of ipset')) {
    const index = payload.attributeMap(NFGENMSG_SIZE).get(MESSAGE.INDEX);
    if (index) return index.u8(0) * 256 + index.u8(1);
  }
  return undefined;
}
