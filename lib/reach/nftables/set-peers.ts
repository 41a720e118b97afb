import type { AddressRange } from '../../model/prefix-set.js';
import { compareBytes, fromBytes, hexFromBytes } from './bytes.js';

/** Where in a key the peer's address stands, and how many of its last bits were masked away. */
export interface AddressPart {
  readonly offset: number;
  readonly size: number;
  readonly hostBits: number;
}

/** What falls on an element: keys of which each field lies between two, both included, which begin at these places. */
export interface ElementSpan {
  firsts: Uint8Array;
  first: number;
  lasts: Uint8Array;
  last: number;
  /** Elements of one class give one answer. */
  class: string;
}

/** The peers that fall on elements, by the class of these, and all of them together; in ascending order. */
export interface PeersOfSet {
  readonly byClass: ReadonlyMap<string, readonly AddressRange[]>;
  readonly all: readonly AddressRange[];
}

/** All peers that get one answer of a set, as the watched one does: those `inside` of the ranges, or outside. */
export interface PeersLike {
  readonly name: string;
  readonly ranges: readonly AddressRange[];
  readonly inside: boolean;
}

/** What a set answers to addresses that stand in keys in one way, each answer made once. */
export class AnswersToPeers {
  readonly #outside: PeersLike;
  readonly #inside = new Map<string, PeersLike>();

  constructor(
    readonly name: string,
    private readonly peers: PeersOfSet,
  ) {
    this.#outside = { name, ranges: peers.all, inside: false };
  }

  /** `kind`: the class of the element that was found, `null` for none. */
  of(kind: string | null): PeersLike {
    if (kind === null) return this.#outside;
    let known = this.#inside.get(kind);
    if (!known) {
      const ranges = this.peers.byClass.get(kind) ?? [];
      known = { name: `${this.name} ${kind}`, ranges, inside: true };
      this.#inside.set(kind, known);
    }
    return known;
  }
}

/**
 * Which addresses fall on elements of a set, put into a key in the place of the watched peer's.
 * `fields` are the lengths of the fields of a key, each of which begins at a word.
 */
export function peersOfElements(
  elements: Iterable<ElementSpan>,
  fields: readonly number[],
  key: Uint8Array,
  part: AddressPart,
): PeersOfSet {
  const byClass = new Map<string, AddressRange[]>();
  const all: AddressRange[] = [];
  for (const element of elements) {
    if (!othersFit(element, fields, key, part)) continue;
    const range = rangeOf(element, part);
    if (!range) continue;
    all.push(range);
    const list = byClass.get(element.class);
    if (list) list.push(range);
    else byClass.set(element.class, [range]);
  }
  // Intervals come in order, one behind the other.
  for (const list of [...byClass.values(), all]) if (!isSorted(list)) list.sort(byFirst);
  return { byClass, all };
}

/** Is every field but the address within the element? */
function othersFit(
  { firsts, first, lasts, last }: ElementSpan,
  fields: readonly number[],
  key: Uint8Array,
  part: AddressPart,
): boolean {
  let offset = 0;
  for (const length of fields) {
    if (offset !== part.offset) {
      if (compareBytes(key, offset, firsts, first + offset, length) < 0) return false;
      if (compareBytes(key, offset, lasts, last + offset, length) > 0) return false;
    }
    offset += (length + 3) & ~3;
  }
  return true;
}

/** A masked address is a multiple of the mask's step; null where none lies inside. */
function rangeOf(
  { firsts, first, lasts, last }: ElementSpan,
  { offset, size, hostBits }: AddressPart,
): AddressRange | null {
  let from = fromBytes(firsts, first + offset, size);
  let to = fromBytes(lasts, last + offset, size);
  if (hostBits > 0) {
    const step = 1n << BigInt(hostBits);
    from = ((from + step - 1n) / step) * step;
    to = (to / step) * step + step - 1n;
  }
  return from <= to ? { first: from, last: to } : null;
}

function isSorted(ranges: readonly AddressRange[]): boolean {
  for (let place = 1; place < ranges.length; place++)
    if (ranges[place - 1]!.first > ranges[place]!.first) return false;
  return true;
}

function byFirst(one: AddressRange, other: AddressRange): number {
  return one.first < other.first ? -1 : one.first > other.first ? 1 : 0;
}

/** The address stands in a key as a field of its own. */
export function isField(
  fields: readonly number[],
  { offset, size }: AddressPart,
  keyLength: number,
): boolean {
  let start = 0;
  for (const length of fields) {
    if (start === offset) return length === size && start + length <= keyLength;
    start += (length + 3) & ~3;
  }
  return false;
}

/** A name for a key beside the peer's address. */
export function restOf(key: Uint8Array, { offset, size, hostBits }: AddressPart): string {
  if (size === key.length) return `${offset}/${hostBits} `;
  const rest = hexFromBytes(key.subarray(0, offset)) + hexFromBytes(key.subarray(offset + size));
  return `${offset}/${hostBits} ${rest}`;
}
