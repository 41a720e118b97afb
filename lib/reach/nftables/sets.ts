import type { NftSet, NftVerdict } from '../../model/ruleset.js';
import { bytesFromBase64, bytesFromHex, compareBytes } from './bytes.js';
import type { Span } from './conditions.js';
import { type Key, keyOf } from './field.js';
import {
  type AddressPart,
  AnswersToPeers,
  type ElementSpan,
  isField,
  type PeersLike,
  peersOfElements,
  restOf,
} from './set-peers.js';

let count = 0;

/** A set or map made ready for look-ups; built once for a state. */
export class CompiledSet {
  readonly #keys: Uint8Array;
  readonly #keyEnds: Uint8Array | null;
  readonly #ends: Uint8Array | null;
  readonly #data: Uint8Array | null;
  readonly #fields: readonly number[];
  readonly #length: number;
  readonly #size: number;
  readonly #interval: boolean;
  readonly #catchall: Uint8Array | null;
  /** Its place among all sets that were made, for names. */
  readonly #number = count++;
  readonly #peers = new Map<string, AnswersToPeers>();
  /** Its elements have nothing but their keys. */
  readonly #isPlain: boolean;
  /** The one that was made last: there may be tens of thousands, each for a moment. */
  readonly #lastKey: Uint8Array;

  constructor(readonly set: NftSet) {
    this.#keys = bytesFromBase64(set.keys);
    this.#keyEnds = set.keyEnds === null ? null : bytesFromBase64(set.keyEnds);
    this.#ends = set.ends === null ? null : bytesFromBase64(set.ends);
    this.#data = set.data === null ? null : bytesFromBase64(set.data);
    this.#fields = set.fields;
    this.#length = set.keyLength;
    this.#lastKey = new Uint8Array(set.keyLength);
    const { verdictOf, objects, expressionsOf } = set;
    this.#isPlain = !set.data && !verdictOf && !objects && !expressionsOf;
    this.#size = set.size;
    this.#interval = set.flags.includes('interval') && set.keyEnds === null;
    const data = set.catchall?.data;
    this.#catchall = data && 'value' in data ? bytesFromHex(data.value) : null;
  }

  /** It has a flag that this version does not know, and means who knows what. */
  get isOpaque(): boolean {
    return this.set.flags.some((flag) => flag.startsWith('0x'));
  }

  get keyLength(): number {
    return this.#length;
  }

  /** Something runs with an element that is found, a limit or a counter. */
  get hasExpressions(): boolean {
    return this.set.expressions.length > 0;
  }

  /** The keys that are found; `null` where they are no spans, or more than so many. */
  spans(most: number): Span[] | null {
    if (this.#keyEnds || this.set.catchall !== null || this.#size > most) return null;
    const spans: Span[] = [];
    for (let place = 0; place < this.#size; place++) {
      if (this.#interval && this.#closes(place)) continue;
      const from = this.#keyAt(place);
      if (!this.#interval) spans.push({ from, to: from, closed: true });
      else spans.push({ from, to: this.#keyBehind(place), closed: false });
    }
    return spans;
  }

  #keyAt(place: number): Key {
    return keyOf(this.#keys, place * this.#length, this.#length);
  }

  /** The key of the next element that has another one. */
  #keyBehind(place: number): Key | null {
    const key = this.#keyAt(place);
    for (let next = place + 1; next < this.#size; next++) {
      const other = this.#keyAt(next);
      if (other !== key) return other;
    }
    return null;
  }

  /** The place of the element that a key falls on; -1 for none, -2 for the one that catches all. */
  find(bytes: Uint8Array, from: number): number {
    const place = this.#keyEnds
      ? this.#findRanges(bytes, from, this.#keyEnds)
      : this.#interval
        ? this.#findInterval(bytes, from)
        : this.#findExact(bytes, from);
    return place < 0 && this.set.catchall !== null ? -2 : place;
  }

  /**
   * The peers that are answered as the watched one is, whose key fell on this place: `inside` of the
   * ranges or outside. Null where the address is no field of the key.
   */
  peersLike(key: Uint8Array, part: AddressPart, place: number): PeersLike | null {
    const fields = this.#fields.length > 0 ? this.#fields : [this.#length];
    if (!isField(fields, part, this.#length)) return null;
    const rest = restOf(key, part);
    let answers = this.#peers.get(rest);
    if (!answers) {
      const peers = peersOfElements(this.#spans(), fields, key, part);
      answers = new AnswersToPeers(`${this.#number} ${rest}`, peers);
      this.#peers.set(rest, answers);
    }
    return answers.of(place < 0 ? null : this.#classOf(place));
  }

  /** Each holds until the next is asked for: there may be tens of thousands. */
  *#spans(): Generator<ElementSpan> {
    const length = this.#length;
    const keys = this.#keys;
    const span = { firsts: keys, first: 0, lasts: this.#keyEnds ?? keys, last: 0, class: '' };
    for (let place = 0; place < this.#size; place++) {
      if (this.#interval && this.#closes(place)) continue;
      span.first = place * length;
      span.last = place * length;
      if (this.#interval) {
        span.lasts = this.#lastOf(place);
        span.last = 0;
      }
      span.class = this.#classOf(place);
      yield span;
    }
  }

  /** The last key of an interval: the one before the next element begins, or the last there is. */
  #lastOf(place: number): Uint8Array {
    const length = this.#length;
    const start = place * length;
    let next = place + 1;
    while (
      next < this.#size &&
      compareBytes(this.#keys, next * length, this.#keys, start, length) === 0
    )
      next++;
    const last = this.#lastKey;
    if (next >= this.#size) return last.fill(0xff);
    for (let index = 0; index < length; index++) last[index] = this.#keys[next * length + index]!;
    for (let index = length - 1; index >= 0; index--) if (last[index]!-- !== 0) break;
    return last;
  }

  /** What is found with an element, as a name. */
  #classOf(place: number): string {
    if (this.#isPlain) return '';
    const { dataLength, verdictOf, objects, expressionsOf } = this.set;
    const data = this.#data?.subarray(place * dataLength, (place + 1) * dataLength).join() ?? '';
    return `${data} ${verdictOf?.[place] ?? ''} ${objects?.[place] ?? ''} ${expressionsOf?.[place] ?? ''}`;
  }

  /** The data of an element of a map; `null` where it has none. */
  dataOf(place: number): Uint8Array | null {
    if (place === -2) return this.#catchall;
    const { dataLength } = this.set;
    return this.#data?.subarray(place * dataLength, (place + 1) * dataLength) ?? null;
  }

  /** The verdict of an element of a verdict map. */
  verdictOf(place: number): NftVerdict | null {
    const { verdictOf, verdicts, catchall } = this.set;
    if (place === -2) {
      const data = catchall?.data;
      return data && 'verdict' in data ? data.verdict : null;
    }
    return verdicts[verdictOf?.[place] ?? -1] ?? null;
  }

  /** The name of an element's object. */
  objectOf(place: number): string | null {
    return place === -2 ? (this.set.catchall?.object ?? null) : (this.set.objects?.[place] ?? null);
  }

  /** All elements that open something, for keys of which not every bit is known. */
  places(): number[] {
    const places: number[] = [];
    for (let place = 0; place < this.#size; place++) if (!this.#closes(place)) places.push(place);
    if (this.set.catchall !== null) places.push(-2);
    return places;
  }

  /** The first element whose key is not below the one looked for. */
  #lowerBound(bytes: Uint8Array, from: number): number {
    let low = 0;
    let high = this.#size;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#compare(middle, bytes, from) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #compare(place: number, bytes: Uint8Array, from: number): number {
    return compareBytes(this.#keys, place * this.#length, bytes, from, this.#length);
  }

  #findExact(bytes: Uint8Array, from: number): number {
    const place = this.#lowerBound(bytes, from);
    return place < this.#size && this.#compare(place, bytes, from) === 0 ? place : -1;
  }

  /** nft_rbtree_lookup: the closest key at or below decides, and an opening one counts before a closing one. */
  #findInterval(bytes: Uint8Array, from: number): number {
    let place = this.#lowerBound(bytes, from);
    let closest = place - 1;
    for (; place < this.#size && this.#compare(place, bytes, from) === 0; place++) {
      if (!this.#closes(place)) return place;
      closest = -1;
    }
    if (closest < 0) return -1;
    // Of several elements with the key below, the one that opens.
    const key = closest * this.#length;
    for (let other = closest; other >= 0; other--) {
      if (compareBytes(this.#keys, other * this.#length, this.#keys, key, this.#length) !== 0)
        break;
      if (!this.#closes(other)) return other;
    }
    return -1;
  }

  /** nft_pipapo_lookup: every field within its own range. */
  #findRanges(bytes: Uint8Array, from: number, keyEnds: Uint8Array): number {
    for (let place = 0; place < this.#size; place++)
      if (this.#within(place * this.#length, bytes, from, keyEnds)) return place;
    return -1;
  }

  #within(at: number, bytes: Uint8Array, from: number, keyEnds: Uint8Array): boolean {
    const fields = this.#fields.length > 0 ? this.#fields : [this.#length];
    let offset = 0;
    for (const length of fields) {
      if (compareBytes(this.#keys, at + offset, bytes, from + offset, length) > 0) return false;
      if (compareBytes(keyEnds, at + offset, bytes, from + offset, length) < 0) return false;
      offset += (length + 3) & ~3; // each field begins a new word
    }
    return true;
  }

  #closes(place: number): boolean {
    const byte = this.#ends?.[place >>> 3];
    return byte !== undefined && ((byte >>> (place & 7)) & 1) === 1;
  }
}
