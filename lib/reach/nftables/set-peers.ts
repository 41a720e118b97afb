import type { AddressRange } from '../../model/prefix-set.js';
import { compareBytes, fromBytes, hexFromBytes } from './bytes.js';

/** Where in a key the peer's address stands, and how many of its last bits were masked away. */
export interface AddressPart {
  readonly offset: number;
  readonly size: number;
  readonly hostBits: number;
}

/** What falls on an element: keys of which each field lies between these two, both included. */
export interface ElementSpan {
  readonly first: Uint8Array;
  readonly last: Uint8Array;
  /** Elements of one class give one answer. */
  readonly class: string;
}

/** The peers that fall on elements, by the class of these, and all of them together; in ascending order. */
export interface PeersOfSet {
  readonly byClass: ReadonlyMap<string, readonly AddressRange[]>;
  readonly all: readonly AddressRange[];
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
  for (const list of [...byClass.values(), all]) list.sort(byFirst);
  return { byClass, all };
}

/** Is every field but the address within the element? */
function othersFit(
  { first, last }: ElementSpan,
  fields: readonly number[],
  key: Uint8Array,
  part: AddressPart,
): boolean {
  let offset = 0;
  for (const length of fields) {
    if (offset !== part.offset) {
      if (compareBytes(key, offset, first, offset, length) < 0) return false;
      if (compareBytes(key, offset, last, offset, length) > 0) return false;
    }
    offset += (length + 3) & ~3;
  }
  return true;
}

/** A masked address is a multiple of the mask's step; null where none lies inside. */
function rangeOf(
  { first, last }: ElementSpan,
  { offset, size, hostBits }: AddressPart,
): AddressRange | null {
  const step = 1n << BigInt(hostBits);
  const from = ((fromBytes(first, offset, size) + step - 1n) / step) * step;
  const to = (fromBytes(last, offset, size) / step) * step + step - 1n;
  return from <= to ? { first: from, last: to } : null;
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
  const rest = hexFromBytes(key.subarray(0, offset)) + hexFromBytes(key.subarray(offset + size));
  return `${offset}/${hostBits} ${rest}`;
}
