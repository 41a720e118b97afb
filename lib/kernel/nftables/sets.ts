import type { NftFamily } from '../../model/firewall.js';
import type { NftExpression, NftSet } from '../../model/ruleset.js';
import type { NetlinkRequest, SetElements } from '../../native.js';
import type { Bytes } from '../netlink-message.js';
import { Attributes, listOf, table } from './attributes.js';
import { describeElements, type PackedElements, packElements } from './elements.js';
import { decodeExpression, decodeExpressions } from './expression.js';
import { answers, dumpRequest, dumpRequestFor, familyOf, NFT_MSG } from './messages.js';

/** enum nft_set_attributes */
const NFTA_SET = table(
  'NFTA_SET',
  'TABLE',
  'NAME',
  'FLAGS',
  'KEY_TYPE',
  'KEY_LEN',
  'DATA_TYPE',
  'DATA_LEN',
  'POLICY',
  'DESC',
  'ID',
  'TIMEOUT',
  'GC_INTERVAL',
  'USERDATA',
  'PAD',
  'OBJ_TYPE',
  'HANDLE',
  'EXPR',
  'EXPRESSIONS',
  'TYPE',
  'COUNT',
);

/** enum nft_set_desc_attributes */
const NFTA_SET_DESC = table('NFTA_SET_DESC', 'SIZE', 'CONCAT');

/** enum nft_set_field_attributes; the length is in bytes, whatever the header says. */
const NFTA_SET_FIELD = table('NFTA_SET_FIELD', 'LEN');

/** NFT_SET_*, by the number of the bit. */
const SET_FLAGS = [
  'anonymous',
  'constant',
  'interval',
  'map',
  'timeout',
  'eval',
  'object',
  'concat',
  'expr',
] as const;

/** NFT_DATA_VALUE_MAXLEN: the registers hold no more. */
const NFT_DATA_VALUE_MAXLEN = 64;

/** What a set is, without what is in it. */
export type SetHead = Omit<NftSet, keyof PackedElements | 'expressions'> & {
  /** Those that an element which a rule adds gets. */
  declared: NftExpression[];
  /** How many elements it has, by the kernel's own count; 0 where it does not tell (before 6.16). */
  count: number;
};

/** Asks for the sets of all tables, anonymous ones too; their elements are asked for one by one. */
export const setsRequest = (): NetlinkRequest => dumpRequest(NFT_MSG.GETSET);

/** Asks for the elements of one set (NFTA_SET_ELEM_LIST_TABLE, _SET). */
export const elementsRequest = (set: {
  family: NftFamily;
  table: string;
  name: string;
}): NetlinkRequest => dumpRequestFor(NFT_MSG.GETSETELEM, set.family, set.table, set.name);

/** The sets in the answer to `setsRequest`. */
export function decodeSets(bytes: Uint8Array, littleEndian?: boolean): SetHead[] {
  const sets: SetHead[] = [];
  for (const { payload, attributes } of answers(
    bytes,
    NFT_MSG.NEWSET,
    'nftables sets',
    NFTA_SET,
    littleEndian,
  )) {
    const list = attributes.optional('EXPRESSIONS');
    const single = attributes.optional('EXPR');
    const desc = attributes.optional('DESC');
    sets.push({
      family: familyOf(payload),
      table: attributes.text('TABLE'),
      name: attributes.text('NAME'),
      handle: attributes.has('HANDLE') ? attributes.u64('HANDLE') : 0,
      flags: flagsOf(attributes.u32Or('FLAGS', 0)),
      keyType: attributes.u32Or('KEY_TYPE', 0),
      keyLength: lengthOf(attributes, 'KEY_LEN'),
      fields: desc ? fieldsOf(desc) : [],
      dataType: attributes.u32Or('DATA_TYPE', null),
      dataLength: attributes.has('DATA_LEN') ? lengthOf(attributes, 'DATA_LEN') : 0,
      objectType: attributes.u32Or('OBJ_TYPE', null),
      count: attributes.u32Or('COUNT', 0),
      declared: list ? decodeExpressions(list) : single ? [decodeExpression(single)] : [],
    });
  }
  return sets;
}

/** A set with its elements, from the answer to `elementsRequest`. */
export function fillSet(head: SetHead, bytes: Uint8Array, littleEndian?: boolean): NftSet {
  return filled(head, packElements(head, bytes, littleEndian));
}

/** A set with its elements, as the addon read them. */
export function fillSetFrom(head: SetHead, columns: SetElements): NftSet {
  return filled(head, describeElements(head, columns));
}

/** Written out: for an object of so many members, spreading two costs more than reading the set. */
function filled(head: SetHead, elements: PackedElements): NftSet {
  const { expressionLists, catchall } = elements;
  return {
    family: head.family,
    table: head.table,
    name: head.name,
    handle: head.handle,
    flags: head.flags,
    keyType: head.keyType,
    keyLength: head.keyLength,
    fields: head.fields,
    dataType: head.dataType,
    dataLength: head.dataLength,
    objectType: head.objectType,
    size: elements.size,
    keys: elements.keys,
    keyEnds: elements.keyEnds,
    ends: elements.ends,
    data: elements.data,
    verdictOf: elements.verdictOf,
    verdicts: elements.verdicts,
    objects: elements.objects,
    catchall,
    expressionLists,
    expressionsOf: elements.expressionsOf,
    expressions: distinct([
      ...head.declared,
      ...expressionLists.flat(),
      ...(catchall?.expressions ?? []),
    ]),
  };
}

/** A bit without a name keeps its number: what it changes is not known. */
function flagsOf(bits: number): string[] {
  const flags: string[] = [];
  for (let bit = 0; bit < 32; bit++) {
    if (((bits >>> bit) & 1) === 0) continue;
    flags.push(SET_FLAGS[bit] ?? `0x${(2 ** bit).toString(16)}`);
  }
  return flags;
}

function lengthOf<Name extends string>(attributes: Attributes<Name>, name: Name): number {
  const length = attributes.u32(name);
  if (length <= NFT_DATA_VALUE_MAXLEN) return length;
  throw attributes
    .bytes(name)
    .malformed(0, `NFTA_SET_${name} is ${length}, more than registers hold`);
}

function fieldsOf(desc: Bytes): number[] {
  const list = new Attributes(desc, NFTA_SET_DESC).optional('CONCAT');
  if (!list) return [];
  return listOf(list, (field) => new Attributes(field, NFTA_SET_FIELD).u32('LEN'));
}

function distinct(expressions: NftExpression[]): NftExpression[] {
  return [...new Map(expressions.map((entry) => [JSON.stringify(entry), entry])).values()];
}
