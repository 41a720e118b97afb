import { endianness } from 'node:os';
import type { Nftables } from '../../model/firewall.js';
import { type NetlinkRefusal, type NetlinkRequest, native } from '../../native.js';
import { chainsRequest, decodeChains } from './chains.js';
import { NETLINK_NETFILTER } from './messages.js';
import { decodeFlowtables, decodeObjects, flowtablesRequest, objectsRequest } from './objects.js';
import { decodeRules, rulesRequest } from './rules.js';
import { decodeSets, elementsRequest, fillSet, setsRequest } from './sets.js';
import { decodeGeneration, decodeTables, generationRequest, tablesRequest } from './tables.js';

const ENOENT = 2;
const EINVAL = 22;
const EOPNOTSUPP = 95;

type Reply = Uint8Array | NetlinkRefusal;

/** The answers from which a rule set is put together, as recorded. */
export interface NftReplies {
  generation: Uint8Array;
  tables: Uint8Array;
  chains: Uint8Array;
  rules: Uint8Array;
  sets: Uint8Array;
  objects: Uint8Array;
  flowtables: Uint8Array;
  /** The elements of each set, in the order in which `sets` tells the sets. */
  elements: Uint8Array[];
}

/** One read; 'changed' where the generation after it is not the one before it. */
export async function readNftablesOnce(
  netns: string | null,
): Promise<NftReplies | NetlinkRefusal | 'changed'> {
  const ask = async (requests: NetlinkRequest[]): Promise<Reply[]> =>
    (await native.netlink({ protocol: NETLINK_NETFILTER, requests, watchGroups: [], netns }))
      .replies;
  const [before, tables, chains, rules, sets, objects, flowtables, after] = await ask([
    generationRequest(),
    tablesRequest(),
    chainsRequest(),
    rulesRequest(),
    setsRequest(),
    objectsRequest(),
    flowtablesRequest(),
    generationRequest(),
  ]);
  const needed = [before!, tables!, chains!, rules!, sets!, after!];
  const refusal = needed.find(isRefusal);
  if (refusal) return refusal;
  const replies = {
    generation: before as Uint8Array,
    tables: tables as Uint8Array,
    chains: chains as Uint8Array,
    rules: rules as Uint8Array,
    sets: sets as Uint8Array,
  };
  const generation = decodeGeneration(replies.generation);
  if (decodeGeneration(after as Uint8Array) !== generation) return 'changed';
  const optional = [objects!, flowtables!].map(emptyWhereUnheardOf);
  const refused = optional.find(isRefusal);
  if (refused) return refused;
  const rest = { objects: optional[0] as Uint8Array, flowtables: optional[1] as Uint8Array };
  const heads = decodeSets(replies.sets);
  if (heads.length === 0) return { ...replies, ...rest, elements: [] };
  const elements = await ask([...heads.map(elementsRequest), generationRequest()]);
  const last = elements.pop()!;
  const gone = elements.find(isRefusal);
  // A set that is not there any more was taken away since it was told.
  if (gone) return gone.errno === ENOENT ? 'changed' : gone;
  if (isRefusal(last)) return last;
  if (decodeGeneration(last) !== generation) return 'changed';
  return { ...replies, ...rest, elements: elements as Uint8Array[] };
}

/** The rule set in recorded answers. `littleEndian` is the byte order of the host that gave them. */
export function decodeNftables(
  replies: NftReplies,
  littleEndian = endianness() === 'LE',
): Nftables {
  const rulesOf = decodeRules(replies.rules, littleEndian);
  return {
    generation: decodeGeneration(replies.generation, littleEndian),
    byteOrder: littleEndian ? 'little' : 'big',
    tables: decodeTables(replies.tables, littleEndian),
    chains: decodeChains(replies.chains, rulesOf, littleEndian),
    sets: decodeSets(replies.sets, littleEndian).map((head, index) =>
      fillSet(head, replies.elements[index] ?? new Uint8Array(0), littleEndian),
    ),
    objects: decodeObjects(replies.objects, littleEndian),
    flowtables: decodeFlowtables(replies.flowtables, littleEndian),
  };
}

function isRefusal(reply: Reply): reply is NetlinkRefusal {
  return !(reply instanceof Uint8Array);
}

/** Objects came with Linux 4.10, flowtables with 4.16: a kernel that knows of none has none. */
function emptyWhereUnheardOf(reply: Reply): Reply {
  return isRefusal(reply) && [EINVAL, EOPNOTSUPP].includes(reply.errno) ? new Uint8Array(0) : reply;
}
