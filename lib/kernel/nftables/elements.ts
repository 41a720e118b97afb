import type { NftData, NftExpression, NftSet, NftVerdict } from '../../model/ruleset.js';
import { type Bytes, messages } from '../netlink-message.js';
import {
  ATTRIBUTE_HEADER,
  ATTRIBUTE_TYPE,
  Attributes,
  attributeAt,
  NotUnderstood,
  table,
} from './attributes.js';
import { decodeVerdict } from './data.js';
import { decodeExpression, decodeExpressions } from './expression.js';
import { NFT_MSG } from './messages.js';
import { sortedOrder } from './order.js';

/*
 * A set may hold a million elements, so nothing is made for each but its place in typed arrays:
 *
 *   NFTA_SET_ELEM_LIST_ELEMENTS
 *     NFTA_LIST_ELEM
 *       NFTA_SET_ELEM_KEY        NFTA_DATA_VALUE     bytes
 *       NFTA_SET_ELEM_DATA       NFTA_DATA_VALUE     bytes, or NFTA_DATA_VERDICT
 *       NFTA_SET_ELEM_FLAGS      be32
 *       …
 *
 * What few elements have (a verdict, an expression) is decoded once for each run of equal bytes.
 */

/** enum nft_set_elem_list_attributes */
const NFTA_SET_ELEM_LIST = table('NFTA_SET_ELEM_LIST', 'TABLE', 'SET', 'ELEMENTS', 'SET_ID');

/** enum nft_set_elem_attributes */
const NFTA_SET_ELEM = {
  KEY: 1,
  DATA: 2,
  FLAGS: 3,
  EXPIRATION: 5,
  EXPR: 7,
  OBJREF: 9,
  KEY_END: 10,
  EXPRESSIONS: 11,
} as const;

/** NFT_SET_ELEM_*: flags of an element. */
const NFT_SET_ELEM_INTERVAL_END = 1;
const NFT_SET_ELEM_CATCHALL = 2;

/** enum nft_data_attributes */
const NFTA_DATA_VALUE = 1;
const NFTA_DATA_VERDICT = 2;
const NFT_DATA_VERDICT = 0xffffff00;

const NFGENMSG_SIZE = 4;
const NONE = -1;

const align4 = (length: number): number => (length + 3) & ~3;

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

type Shape = Pick<NftSet, 'flags' | 'keyLength' | 'fields' | 'dataType' | 'dataLength'>;

/** The elements in the answer to a set's `elementsRequest`, sorted; expired ones are left out. */
export function packElements(
  set: Shape,
  bytes: Uint8Array,
  littleEndian?: boolean,
): PackedElements {
  const lists: Bytes[] = [];
  for (const { type, payload } of messages(bytes, 'nftables set elements', littleEndian)) {
    if (type !== NFT_MSG.NEWSETELEM) continue;
    const list = new Attributes(payload, NFTA_SET_ELEM_LIST, NFGENMSG_SIZE).optional('ELEMENTS');
    if (list) lists.push(list);
  }
  const packer = new Packer(
    set,
    lists.reduce((sum, list) => sum + countOf(list), 0),
  );
  for (const list of lists) packer.add(list);
  return packer.finish();
}

const lengthAt = (bytes: Bytes, at: number, end: number): number =>
  attributeAt(bytes, at, end, 'NFTA_SET_ELEM');

function countOf(list: Bytes): number {
  let count = 0;
  for (let at = 0; at < list.length; at += align4(lengthAt(list, at, list.length))) count++;
  return count;
}

class Packer {
  readonly #set: Shape;
  readonly #keys: Uint8Array;
  #keyEnds: Uint8Array | null;
  readonly #ends: Uint8Array;
  readonly #data: Uint8Array;
  readonly #hasData: boolean;
  readonly #verdictOf: Int32Array;
  readonly #expressionsOf: Int32Array;
  readonly #objects: string[] = [];
  readonly #verdicts = new Distinct<NftVerdict>();
  readonly #lists = new Distinct<NftExpression[]>();
  #catchall: NftSet['catchall'] = null;
  #size = 0;

  constructor(set: Shape, capacity: number) {
    const isMap = set.flags.includes('map');
    const isVerdictMap = isMap && set.dataType === NFT_DATA_VERDICT;
    this.#set = set;
    this.#hasData = isMap && !isVerdictMap;
    this.#keys = new Uint8Array(capacity * set.keyLength);
    this.#keyEnds = isConcatenatedRange(set) ? new Uint8Array(this.#keys.length) : null;
    this.#ends = new Uint8Array(capacity);
    this.#data = new Uint8Array(this.#hasData ? capacity * set.dataLength : 0);
    this.#verdictOf = new Int32Array(isVerdictMap ? capacity : 0).fill(NONE);
    this.#expressionsOf = new Int32Array(capacity).fill(NONE);
  }

  add(list: Bytes): void {
    const raw = list.raw();
    for (let at = 0; at < list.length; ) {
      const length = lengthAt(list, at, list.length);
      this.#element(list, raw, at + ATTRIBUTE_HEADER, at + length);
      at += align4(length);
    }
  }

  #element(list: Bytes, raw: Uint8Array, from: number, end: number): void {
    // Offsets of the payloads with their ends: an element is one of few attributes, in any order.
    let key = NONE;
    let keyEnd = NONE;
    let value = NONE;
    let flags = 0;
    let verdict = NONE;
    let expressions = NONE;
    let object: string | null = null;
    for (let at = from; at < end; ) {
      const length = lengthAt(list, at, end);
      const start = at + ATTRIBUTE_HEADER;
      const stop = at + length;
      switch (list.u16(at + 2) & ATTRIBUTE_TYPE) {
        case NFTA_SET_ELEM.KEY:
          key = valueAt(list, start, stop, this.#set.keyLength, 'NFTA_SET_ELEM_KEY');
          break;
        case NFTA_SET_ELEM.KEY_END:
          keyEnd = valueAt(list, start, stop, this.#set.keyLength, 'NFTA_SET_ELEM_KEY_END');
          break;
        case NFTA_SET_ELEM.DATA:
          if (this.#hasData) {
            value = valueAt(list, start, stop, this.#set.dataLength, 'NFTA_SET_ELEM_DATA');
          } else if (this.#verdictOf.length > 0) {
            verdict = this.#verdicts.indexOf(list, raw, start, stop, verdictIn);
          }
          break;
        case NFTA_SET_ELEM.FLAGS:
          if (stop - start !== 4) {
            throw list.malformed(start, `NFTA_SET_ELEM_FLAGS is ${stop - start} bytes long, not 4`);
          }
          flags = list.be32(start);
          break;
        case NFTA_SET_ELEM.EXPIRATION:
          if (stop - start !== 8) {
            throw list.malformed(
              start,
              `NFTA_SET_ELEM_EXPIRATION is ${stop - start} bytes long, not 8`,
            );
          }
          // What is left of its time, in milliseconds: none means that it has gone.
          if (list.be32(start) === 0 && list.be32(start + 4) === 0) return;
          break;
        case NFTA_SET_ELEM.EXPR:
          expressions = this.#lists.indexOf(list, raw, start, stop, (one) => [
            decodeExpression(one),
          ]);
          break;
        case NFTA_SET_ELEM.EXPRESSIONS:
          expressions = this.#lists.indexOf(list, raw, start, stop, decodeExpressions);
          break;
        case NFTA_SET_ELEM.OBJREF:
          object = list.slice(start, stop - start).text();
          break;
      }
      at += align4(length);
    }
    if ((flags & NFT_SET_ELEM_CATCHALL) !== 0) {
      this.#catchall = {
        data: this.#catchallData(raw, value, verdict),
        object,
        expressions: this.#lists.at(expressions) ?? [],
      };
      return;
    }
    if (key === NONE) throw list.malformed(from, 'NFTA_SET_ELEM_KEY is not there');
    const row = this.#size++;
    const width = this.#set.keyLength;
    copy(raw, key, this.#keys, row * width, width);
    // One key alone is a range of itself.
    if (keyEnd !== NONE) this.#keyEnds ??= this.#keys.slice();
    if (this.#keyEnds) copy(raw, keyEnd === NONE ? key : keyEnd, this.#keyEnds, row * width, width);
    if ((flags & NFT_SET_ELEM_INTERVAL_END) !== 0) this.#ends[row] = 1;
    if (value !== NONE)
      copy(raw, value, this.#data, row * this.#set.dataLength, this.#set.dataLength);
    if (this.#verdictOf.length > 0) this.#verdictOf[row] = verdict;
    this.#expressionsOf[row] = expressions;
    if (object !== null) this.#objects[row] = object;
  }

  #catchallData(raw: Uint8Array, value: number, verdict: number): NftData | null {
    if (value !== NONE) {
      return {
        value: Buffer.from(raw.subarray(value, value + this.#set.dataLength)).toString('hex'),
      };
    }
    const met = this.#verdicts.at(verdict);
    return met ? { verdict: met } : null;
  }

  finish(): PackedElements {
    const { flags, keyLength, dataLength } = this.#set;
    const size = this.#size;
    const order = sortedOrder(this.#keys, keyLength, this.#ends, size);
    const gather = (column: Uint8Array, width: number): string =>
      base64(gathered(column, width, order));
    return {
      size,
      keys: gather(this.#keys, keyLength),
      keyEnds: this.#keyEnds ? gather(this.#keyEnds, keyLength) : null,
      ends:
        flags.includes('interval') && !isConcatenatedRange(this.#set)
          ? base64(bitmap(this.#ends, order))
          : null,
      data: this.#hasData ? gather(this.#data, dataLength) : null,
      verdictOf:
        this.#set.dataType === NFT_DATA_VERDICT && flags.includes('map')
          ? Array.from(order, (row) => this.#verdictOf[row]!)
          : null,
      verdicts: this.#verdicts.values,
      objects: flags.includes('object')
        ? Array.from(order, (row) => this.#objects[row] ?? '')
        : null,
      expressionLists: this.#lists.values,
      expressionsOf:
        this.#lists.values.length > 0
          ? Array.from(order, (row) => this.#expressionsOf[row]!)
          : null,
      catchall: this.#catchall,
    };
  }
}

/** nft_set_pipapo takes these: each element is a first and a last key, field by field. */
function isConcatenatedRange({ flags, fields }: Shape): boolean {
  return flags.includes('interval') && fields.length > 1;
}

/** Where the bytes of a value begin; they have to be as many as the set says. */
function valueAt(list: Bytes, from: number, end: number, length: number, name: string): number {
  for (let at = from; at < end; ) {
    const whole = lengthAt(list, at, end);
    if ((list.u16(at + 2) & ATTRIBUTE_TYPE) === NFTA_DATA_VALUE) {
      if (whole - ATTRIBUTE_HEADER === length) return at + ATTRIBUTE_HEADER;
      throw list.malformed(at, `${name} is ${whole - ATTRIBUTE_HEADER} bytes long, not ${length}`);
    }
    at += align4(whole);
  }
  throw list.malformed(from, `${name} has no NFTA_DATA_VALUE`);
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

/** What elements share, numbered as it is first met. */
class Distinct<Value> {
  readonly values: Value[] = [];
  readonly #indexes = new Map<string, number>();
  #last: Uint8Array | null = null;
  #lastIndex = NONE;

  at(index: number): Value | null {
    return this.values[index] ?? null;
  }

  /** The number of what these bytes say; bytes equal to the last ones are not read again. */
  indexOf(
    list: Bytes,
    raw: Uint8Array,
    from: number,
    end: number,
    decode: (bytes: Bytes) => Value,
  ): number {
    if (this.#last && equal(this.#last, raw, from, end)) return this.#lastIndex;
    const value = decode(list.slice(from, end - from));
    const text = JSON.stringify(value);
    let index = this.#indexes.get(text);
    if (index === undefined) {
      index = this.values.push(value) - 1;
      this.#indexes.set(text, index);
    }
    this.#last = raw.subarray(from, end);
    this.#lastIndex = index;
    return index;
  }
}

function equal(known: Uint8Array, raw: Uint8Array, from: number, end: number): boolean {
  if (known.length !== end - from) return false;
  for (let at = 0; at < known.length; at++) if (known[at] !== raw[from + at]) return false;
  return true;
}

/** Keys are short: a loop costs less than a view and `set`. */
function copy(from: Uint8Array, at: number, to: Uint8Array, offset: number, length: number): void {
  for (let byte = 0; byte < length; byte++) to[offset + byte] = from[at + byte]!;
}

function gathered(column: Uint8Array, width: number, order: Uint32Array): Uint8Array {
  const result = new Uint8Array(order.length * width);
  for (let place = 0; place < order.length; place++) {
    copy(column, order[place]! * width, result, place * width, width);
  }
  return result;
}

/** Bit `place & 7` of byte `place >> 3`. */
function bitmap(flags: Uint8Array, order: Uint32Array): Uint8Array {
  const result = new Uint8Array((order.length + 7) >> 3);
  for (let place = 0; place < order.length; place++) {
    if (flags[order[place]!] === 1) result[place >> 3]! |= 1 << (place & 7);
  }
  return result;
}

function base64({ buffer, byteOffset, byteLength }: Uint8Array): string {
  return Buffer.from(buffer, byteOffset, byteLength).toString('base64');
}
