import { endianness } from 'node:os';
import type { Nftables } from '../../model/firewall.js';
import type { NftSet } from '../../model/ruleset.js';
import { type NetlinkRefusal, type NetlinkRequest, native } from '../../native.js';
import type { Turns } from '../turns.js';
import { chainsRequest, decodeChains } from './chains.js';
import { readElements, shapeOf } from './elements.js';
import { NETLINK_NETFILTER } from './messages.js';
import { decodeFlowtables, decodeObjects, flowtablesRequest, objectsRequest } from './objects.js';
import { decodeRules, rulesRequest } from './rules.js';
import {
  decodeSets,
  elementsRequest,
  fillSet,
  fillSetFrom,
  type SetHead,
  setsRequest,
} from './sets.js';
import { decodeGeneration, decodeTables, generationRequest, tablesRequest } from './tables.js';

const ENOENT = 2;
const EINVAL = 22;
const EOPNOTSUPP = 95;

const hostIsLittleEndian = endianness() === 'LE';

type Reply = Uint8Array | NetlinkRefusal;

/** The answers from which a rule set is put together, as they are recorded. */
export interface NftRecord extends NftReplies {
  generation: Uint8Array;
  sets: Uint8Array;
  /** The elements of each set, in the order in which `sets` tells the sets. */
  elements: Uint8Array[];
}

/** The answers that say all but what sets there are. */
interface NftReplies {
  tables: Uint8Array;
  chains: Uint8Array;
  rules: Uint8Array;
  objects: Uint8Array;
  flowtables: Uint8Array;
}

/** Not a rule set: the kernel refused, or changed it meanwhile. */
export type NftFailure = NetlinkRefusal | 'changed';

/** A lane takes so many sets at a time, and no further one once they have so many elements. */
const AT_A_TIME = { sets: 32, elements: 4096 };

/**
 * Reads the rule set once; 'changed' where the generation after it is not the one before it. The
 * kernel goes through a set again from its start for each datagram, so that a large one takes longer
 * than all else together: that is read at once, all else in turns.
 */
export async function readNftables(
  netns: string | null,
  turns: Turns,
): Promise<Nftables | NftFailure> {
  const opening = await askForSets(netns);
  if (isFailure(opening)) return opening;
  const heads = decodeSets(opening.sets);
  const [sets, rest] = await Promise.all([
    readSets(netns, heads, turns),
    turns.take(async () => {
      const replies = await askForRest(netns);
      return isFailure(replies) ? replies : decodeRest(replies);
    }),
  ]);
  if (isFailure(sets)) return sets;
  if (isFailure(rest)) return rest;
  const generation = decodeGeneration(opening.generation);
  const changed = await hasChanged(netns, generation);
  return changed || { generation, ...rest, sets };
}

/** As `readNftables`, not decoded: for recording. */
export async function recordNftables(netns: string | null): Promise<NftRecord | NftFailure> {
  const opening = await askForSets(netns);
  if (isFailure(opening)) return opening;
  const rest = await askForRest(netns);
  if (isFailure(rest)) return rest;
  const elements = await ask(netns, decodeSets(opening.sets).map(elementsRequest));
  const refusal = elements.find(isRefusal);
  if (refusal) return goneOr(refusal);
  const changed = await hasChanged(netns, decodeGeneration(opening.generation));
  return changed || { ...opening, ...rest, elements: elements as Uint8Array[] };
}

/** The rule set in recorded answers. `littleEndian` is the byte order of the host that gave them. */
export function decodeNftables(record: NftRecord, littleEndian = hostIsLittleEndian): Nftables {
  const sets = decodeSets(record.sets, littleEndian).map((head, index) =>
    fillSet(head, record.elements[index] ?? new Uint8Array(0), littleEndian),
  );
  const generation = decodeGeneration(record.generation, littleEndian);
  return { generation, ...decodeRest(record, littleEndian), sets };
}

function decodeRest(
  replies: NftReplies,
  littleEndian = hostIsLittleEndian,
): Omit<Nftables, 'generation' | 'sets'> {
  const rulesOf = decodeRules(replies.rules, littleEndian);
  return {
    byteOrder: littleEndian ? 'little' : 'big',
    tables: decodeTables(replies.tables, littleEndian),
    chains: decodeChains(replies.chains, rulesOf, littleEndian),
    objects: decodeObjects(replies.objects, littleEndian),
    flowtables: decodeFlowtables(replies.flowtables, littleEndian),
  };
}

async function askForSets(
  netns: string | null,
): Promise<{ generation: Uint8Array; sets: Uint8Array } | NftFailure> {
  const replies = await ask(netns, [generationRequest(), setsRequest()]);
  const refusal = replies.find(isRefusal);
  if (refusal) return refusal;
  const [generation, sets] = replies as [Uint8Array, Uint8Array];
  return { generation, sets };
}

async function askForRest(netns: string | null): Promise<NftReplies | NftFailure> {
  const replies = await ask(netns, [
    tablesRequest(),
    chainsRequest(),
    rulesRequest(),
    objectsRequest(),
    flowtablesRequest(),
  ]);
  // Objects came with Linux 4.10, flowtables with 4.16: a kernel that has not heard of them has none.
  for (const late of [3, 4]) {
    const reply = replies[late]!;
    if (isRefusal(reply) && [EINVAL, EOPNOTSUPP].includes(reply.errno)) {
      replies[late] = new Uint8Array(0);
    }
  }
  const refusal = replies.find(isRefusal);
  if (refusal) return refusal;
  const [tables, chains, rules, objects, flowtables] = replies as [
    Uint8Array,
    Uint8Array,
    Uint8Array,
    Uint8Array,
    Uint8Array,
  ];
  return { tables, chains, rules, objects, flowtables };
}

/** The sets with their elements. Each lane takes the next sets when it is done with those before. */
async function readSets(
  netns: string | null,
  heads: SetHead[],
  turns: Turns,
): Promise<NftSet[] | NftFailure> {
  const sets: NftSet[] = [];
  let failure: NftFailure | null = null;
  // The largest first: nothing waits for it then, or is waited for.
  const waiting = [...heads.entries()].sort(([, one], [, other]) => other.count - one.count);
  const lane = async (inTurn: <Value>(read: () => Promise<Value>) => Promise<Value>) => {
    while (waiting.length > 0 && !failure) {
      const mine = waiting.splice(0, lengthOfBatch(waiting));
      const asked = mine.map(([, set]) => ({ request: elementsRequest(set), shape: shapeOf(set) }));
      const answers = await inTurn(() => readElements({ sets: asked, netns }));
      for (const [index, answer] of answers.entries()) {
        const [place, head] = mine[index]!;
        if ('errno' in answer) failure ??= goneOr(answer);
        else sets[place] = fillSetFrom(head, answer);
      }
    }
  };
  await Promise.all([lane((read) => read()), lane((read) => turns.take(read))]);
  return failure ?? sets;
}

function lengthOfBatch(waiting: readonly [number, SetHead][]): number {
  let length = 0;
  let elements = 0;
  while (length < Math.min(waiting.length, AT_A_TIME.sets) && elements < AT_A_TIME.elements) {
    elements += waiting[length++]![1].count;
  }
  return length;
}

/** A set that is not there any more was taken away since it was told. */
function goneOr(refusal: NetlinkRefusal): NftFailure {
  return refusal.errno === ENOENT ? 'changed' : refusal;
}

async function hasChanged(netns: string | null, generation: number): Promise<NftFailure | null> {
  const [reply] = await ask(netns, [generationRequest()]);
  if (isRefusal(reply!)) return reply;
  return decodeGeneration(reply!) === generation ? null : 'changed';
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
