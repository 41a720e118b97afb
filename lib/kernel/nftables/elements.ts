import { endianness } from 'node:os';
import { EarshotError } from '../../errors.js';
import type { NftData, NftExpression, NftSet, NftVerdict } from '../../model/ruleset.js';
import {
  type NetlinkRefusal,
  native,
  type SetElements,
  type SetShape,
  type SharedAttributes,
} from '../../native.js';
import { Bytes, malformed } from '../netlink-message.js';
import { ATTRIBUTE_HEADER, ATTRIBUTE_TYPE, NotUnderstood } from './attributes.js';
import { decodeVerdict, hex } from './data.js';
import { decodeExpression, decodeExpressions } from './expression.js';

/*
 * A set may hold a million elements. The addon puts them into sorted columns (native/nftables); what
 * few of them have, a verdict, an expression, comes as netlink attributes, each once, and is decoded
 * here.
 */

/** enum nft_set_elem_attributes */
const NFTA_SET_ELEM_EXPR = 7;

/** enum nft_data_attributes */
const NFTA_DATA_VERDICT = 2;
const NFT_DATA_VERDICT = 0xffffff00;

const WHAT = 'nftables set elements';

const hostIsLittleEndian = endianness() === 'LE';

/** The elements of a set in the form of the model. */
export type PackedElements = Pick<
  NftSet,
  | 'size'
  | 'keys'
  | 'keyEnds'
  | 'ends'
  | 'data'
  | 'verdictOf'
  | 'verdicts'
  | 'objects'
  | 'expressionLists'
  | 'expressionsOf'
  | 'catchall'
>;

type Described = Pick<NftSet, 'flags' | 'keyLength' | 'fields' | 'dataType' | 'dataLength'>;

const isMap = ({ flags }: Described): boolean => flags.includes('map');
const mapsToVerdicts = (set: Described): boolean => isMap(set) && set.dataType === NFT_DATA_VERDICT;
const mapsToValues = (set: Described): boolean => isMap(set) && set.dataType !== NFT_DATA_VERDICT;

/** nft_set_pipapo takes these: each element is a first and a last key, field by field. */
const isConcatenatedRange = ({ flags, fields }: Described): boolean =>
  flags.includes('interval') && fields.length > 1;

/** What the addon has to know of a set. */
export function shapeOf(set: Described): SetShape {
  return {
    keyLength: set.keyLength,
    valueLength: mapsToValues(set) ? set.dataLength : 0,
    verdicts: mapsToVerdicts(set),
    ranges: isConcatenatedRange(set),
  };
}

/** The elements in the answer to a set's `elementsRequest`, sorted; expired ones are left out. */
export function packElements(
  set: Described,
  bytes: Uint8Array,
  littleEndian = hostIsLittleEndian,
): PackedElements {
  const columns = asKernels(() =>
    native.packSetElements(bytes, shapeOf(set), littleEndian !== hostIsLittleEndian),
  );
  return describeElements(set, columns, littleEndian);
}

/** What is not of its form is the kernel's, or the recording's, and no argument's. */
function asKernels<Value>(read: () => Value): Value {
  try {
    return read();
  } catch (error) {
    throw kernels(error);
  }
}

/** As `native.readSetElements`, for one lane of sets. */
export async function readElements(
  ...query: Parameters<typeof native.readSetElements>
): Promise<(SetElements | NetlinkRefusal)[]> {
  try {
    return await native.readSetElements(...query);
  } catch (error) {
    throw kernels(error);
  }
}

function kernels(error: unknown): unknown {
  const isForm = error instanceof EarshotError && error.code === 'ERR_INVALID_ARGUMENT';
  return isForm ? malformed(WHAT, error.message) : error;
}

/** The addon's columns in the form of the model. */
export function describeElements(
  set: Described,
  columns: SetElements,
  littleEndian = hostIsLittleEndian,
): PackedElements {
  const { size, catchall } = columns;
  const verdicts = distinct(columns.verdicts, littleEndian, (_, value) => verdictIn(value));
  const objects = distinct(columns.objects, littleEndian, (_, value) => value.text());
  const lists = distinct(columns.expressions, littleEndian, expressionsIn);
  return {
    size,
    keys: base64(columns.keys),
    keyEnds: columns.keyEnds && base64(columns.keyEnds),
    ends:
      set.flags.includes('interval') && !isConcatenatedRange(set) ? base64(columns.closes) : null,
    data: mapsToValues(set) ? base64(columns.values) : null,
    verdictOf: mapsToVerdicts(set) ? verdicts.rows(size) : null,
    verdicts: verdicts.values,
    objects: set.flags.includes('object')
      ? objects.rows(size).map((index) => objects.values[index] ?? '')
      : null,
    expressionLists: lists.values,
    expressionsOf: lists.values.length > 0 ? lists.rows(size) : null,
    catchall: catchall && {
      data: catchallData(catchall.value, verdicts.at(catchall.verdict)),
      object: objects.at(catchall.object),
      expressions: lists.at(catchall.expressions) ?? [],
    },
  };
}

function catchallData(value: Uint8Array | null, verdict: NftVerdict | null): NftData | null {
  if (value) return { value: hex(Bytes.of(value, WHAT)) };
  return verdict && { verdict };
}

/** The attributes that elements share, decoded; those that say the same have one number. */
interface Distinct<Value> {
  values: Value[];
  at(attribute: number): Value | null;
  /** The number of each element's value, -1 for none. */
  rows(size: number): number[];
}

function distinct<Value>(
  shared: SharedAttributes | null,
  littleEndian: boolean,
  decode: (type: number, value: Bytes) => Value,
): Distinct<Value> {
  const values: Value[] = [];
  const numbers: number[] = [];
  if (shared) {
    const known = new Map<string, number>();
    const all = Bytes.of(shared.bytes, WHAT, littleEndian);
    for (let index = 0, start = 0; index < shared.ends.length; index++) {
      const end = shared.ends[index]!;
      const type = all.u16(start + 2) & ATTRIBUTE_TYPE;
      const value = decode(
        type,
        all.slice(start + ATTRIBUTE_HEADER, end - start - ATTRIBUTE_HEADER),
      );
      const text = JSON.stringify(value);
      let number = known.get(text);
      if (number === undefined) {
        number = values.push(value) - 1;
        known.set(text, number);
      }
      numbers.push(number);
      start = end;
    }
  }
  const numberOf = (attribute: number | undefined): number => numbers[attribute ?? -1] ?? -1;
  return {
    values,
    at: (attribute) => values[numberOf(attribute)] ?? null,
    rows: (size) => Array.from({ length: size }, (_, row) => numberOf(shared?.rows[row])),
  };
}

function expressionsIn(type: number, value: Bytes): NftExpression[] {
  return type === NFTA_SET_ELEM_EXPR ? [decodeExpression(value)] : decodeExpressions(value);
}

function verdictIn(data: Bytes): NftVerdict {
  for (const [type, verdict] of data.attributes()) {
    if (type !== NFTA_DATA_VERDICT) continue;
    try {
      return decodeVerdict(verdict);
    } catch (error) {
      if (error instanceof NotUnderstood) throw data.malformed(0, `${error.message} is no verdict`);
      throw error;
    }
  }
  throw data.malformed(0, 'NFTA_SET_ELEM_DATA has no NFTA_DATA_VERDICT');
}

function base64({ buffer, byteOffset, byteLength }: Uint8Array): string {
  return Buffer.from(buffer, byteOffset, byteLength).toString('base64');
}
