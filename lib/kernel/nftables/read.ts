import { endianness } from 'node:os';
import type { Nftables } from '../../model/firewall.js';
import { type NetlinkRefusal, type NetlinkRequest, native } from '../../native.js';
import { chainsRequest, decodeChains } from './chains.js';
import { NETLINK_NETFILTER } from './messages.js';
import { decodeFlowtables, decodeObjects, flowtablesRequest, objectsRequest } from './objects.js';
import { decodeRules, rulesRequest } from './rules.js';
import { decodeSets, elementsRequest, fillSet, type SetHead, setsRequest } from './sets.js';
import { decodeGeneration, decodeTables, generationRequest, tablesRequest } from './tables.js';

const ENOENT = 2;
const EINVAL = 22;
const EOPNOTSUPP = 95;

const hostIsLittleEndian = endianness() === 'LE';

type Reply = Uint8Array | NetlinkRefusal;

/** The answers that say all but what is in the sets. */
export interface NftReplies {
  generation: Uint8Array;
  tables: Uint8Array;
  chains: Uint8Array;
  rules: Uint8Array;
  sets: Uint8Array;
  objects: Uint8Array;
  flowtables: Uint8Array;
}

/** The answers from which a rule set is put together, as they are recorded. */
export interface NftRecord extends NftReplies {
  /** The elements of each set, in the order in which `sets` tells the sets. */
  elements: Uint8Array[];
}

/** Not a rule set: the kernel refused, or changed it meanwhile. */
export type NftFailure = NetlinkRefusal | 'changed';

/** Reads the rule set once; 'changed' where the generation after it is not the one before it. */
export async function readNftables(netns: string | null): Promise<Nftables | NftFailure> {
  const replies = await askForRules(netns);
  if (isFailure(replies)) return replies;
  const heads = decodeSets(replies.sets);
  // Rules are decoded here while the kernel tells the elements to another thread.
  const [elements, rest] = await Promise.all([
    askForElements(netns, heads, decodeGeneration(replies.generation)),
    Promise.resolve().then(() => decodeRest(replies)),
  ]);
  if (isFailure(elements)) return elements;
  return { ...rest, sets: heads.map((head, index) => fillSet(head, elements[index]!)) };
}

/** As `readNftables`, not decoded: for recording. */
export async function recordNftables(netns: string | null): Promise<NftRecord | NftFailure> {
  const replies = await askForRules(netns);
  if (isFailure(replies)) return replies;
  const generation = decodeGeneration(replies.generation);
  const elements = await askForElements(netns, decodeSets(replies.sets), generation);
  return isFailure(elements) ? elements : { ...replies, elements };
}

/** The rule set in recorded answers. `littleEndian` is the byte order of the host that gave them. */
export function decodeNftables(record: NftRecord, littleEndian = hostIsLittleEndian): Nftables {
  const sets = decodeSets(record.sets, littleEndian).map((head, index) =>
    fillSet(head, record.elements[index] ?? new Uint8Array(0), littleEndian),
  );
  return { ...decodeRest(record, littleEndian), sets };
}

function decodeRest(
  replies: NftReplies,
  littleEndian = hostIsLittleEndian,
): Omit<Nftables, 'sets'> {
  const rulesOf = decodeRules(replies.rules, littleEndian);
  return {
    generation: decodeGeneration(replies.generation, littleEndian),
    byteOrder: littleEndian ? 'little' : 'big',
    tables: decodeTables(replies.tables, littleEndian),
    chains: decodeChains(replies.chains, rulesOf, littleEndian),
    objects: decodeObjects(replies.objects, littleEndian),
    flowtables: decodeFlowtables(replies.flowtables, littleEndian),
  };
}

async function askForRules(netns: string | null): Promise<NftReplies | NftFailure> {
  const replies = await ask(netns, [
    generationRequest(),
    tablesRequest(),
    chainsRequest(),
    rulesRequest(),
    setsRequest(),
    objectsRequest(),
    flowtablesRequest(),
    generationRequest(),
  ]);
  // Objects came with Linux 4.10, flowtables with 4.16: a kernel that has not heard of them has none.
  for (const late of [5, 6]) {
    const reply = replies[late]!;
    if (isRefusal(reply) && [EINVAL, EOPNOTSUPP].includes(reply.errno)) {
      replies[late] = new Uint8Array(0);
    }
  }
  const refusal = replies.find(isRefusal);
  if (refusal) return refusal;
  const [generation, tables, chains, rules, sets, objects, flowtables, after] = replies as [
    Uint8Array,
    Uint8Array,
    Uint8Array,
    Uint8Array,
    Uint8Array,
    Uint8Array,
    Uint8Array,
    Uint8Array,
  ];
  if (decodeGeneration(after) !== decodeGeneration(generation)) return 'changed';
  return { generation, tables, chains, rules, sets, objects, flowtables };
}

async function askForElements(
  netns: string | null,
  sets: readonly SetHead[],
  generation: number,
): Promise<Uint8Array[] | NftFailure> {
  if (sets.length === 0) return [];
  const replies = await ask(netns, [...sets.map(elementsRequest), generationRequest()]);
  const refusal = replies.find(isRefusal);
  // A set that is not there any more was taken away since it was told.
  if (refusal) return refusal.errno === ENOENT ? 'changed' : refusal;
  const after = replies.pop() as Uint8Array;
  return decodeGeneration(after) === generation ? (replies as Uint8Array[]) : 'changed';
}

async function ask(netns: string | null, requests: NetlinkRequest[]): Promise<Reply[]> {
  const query = { protocol: NETLINK_NETFILTER, requests, watchGroups: [], netns };
  return (await native.netlink(query)).replies;
}

function isRefusal(reply: Reply): reply is NetlinkRefusal {
  return !(reply instanceof Uint8Array);
}

/** Is it no rule set, and no part of one? */
export function isFailure(read: object | NftFailure): read is NftFailure {
  return read === 'changed' || 'errno' in (read as object);
}
