import {
  type Address,
  bitsOf,
  formatPrefix,
  ipv4,
  ipv6,
  type Prefix,
  parsePrefix,
} from './address.js';
import type { Family } from './socket.js';

/** Consecutive addresses of one family, both ends included, as unsigned numbers. */
export interface AddressRange {
  first: bigint;
  last: bigint;
}

/** The address as an unsigned number: 32 bits for IPv4, 128 for IPv6. */
export function addressToNumber(address: Address): bigint {
  const word = (value: number) => BigInt(value >>> 0);
  if (address.family === 'ipv4') return word(address.a);
  return (
    (word(address.a) << 96n) | (word(address.b) << 64n) | (word(address.c) << 32n) | word(address.d)
  );
}

/** The address of a family with this unsigned number. */
export function addressFromNumber(value: bigint, family: Family): Address {
  const word = (shift: bigint) => Number((value >> shift) & 0xffffffffn);
  return family === 'ipv4' ? ipv4(word(0n)) : ipv6(word(96n), word(64n), word(32n), word(0n));
}

/** All addresses of a prefix. */
export function prefixRange(prefix: Prefix): AddressRange {
  const first = addressToNumber(prefix.address);
  const size = 1n << BigInt(bitsOf(prefix.address.family) - prefix.length);
  return { first, last: first + size - 1n };
}

/** Of CIDR texts those of a family, as few ranges as can be, in ascending order. */
export function prefixesToRanges(texts: readonly string[], family: Family): AddressRange[] {
  const ranges = texts.flatMap((text) => {
    const prefix = parsePrefix(text);
    return prefix?.address.family === family ? [prefixRange(prefix)] : [];
  });
  return joinedRanges(ranges);
}

/** The fewest prefixes that hold exactly these ranges, which are in ascending order, as CIDR texts. */
export function rangesToPrefixes(ranges: readonly AddressRange[], family: Family): string[] {
  const texts: string[] = [];
  for (const range of joinedRanges(ranges)) addPrefixes(range, family, texts);
  return texts;
}

/** Adds the fewest prefixes that are exactly this range, as CIDR texts. */
export function addPrefixes(range: AddressRange, family: Family, texts: string[]): void {
  if (family === 'ipv4') addIpv4Prefixes(range, texts);
  else addIpv6Prefixes(range, texts);
}

/** In numbers, which JavaScript is quick with: there may be a hundred thousand. */
function addIpv4Prefixes(range: AddressRange, texts: string[]): void {
  const last = Number(range.last);
  for (let at = Number(range.first); at <= last; ) {
    // Host bits: as many as the start's alignment and the rest allow.
    const aligned = at === 0 ? 32 : 31 - Math.clz32(at & -at);
    const rest = last - at + 1;
    const free = Math.min(aligned, rest >= 2 ** 32 ? 32 : 31 - Math.clz32(rest));
    const bytes = `${at >>> 24}.${(at >>> 16) & 255}.${(at >>> 8) & 255}.${at & 255}`;
    texts.push(`${bytes}/${32 - free}`);
    at += 2 ** free;
  }
}

function addIpv6Prefixes({ first, last }: AddressRange, texts: string[]): void {
  const bits = bitsOf('ipv6');
  for (let at = first; at <= last; ) {
    let free = 0;
    while (free < bits) {
      const size = 1n << BigInt(free + 1);
      if (at % size !== 0n || at + size - 1n > last) break;
      free++;
    }
    texts.push(formatPrefix({ address: addressFromNumber(at, 'ipv6'), length: bits - free }));
    at += 1n << BigInt(free);
  }
}

/** The place of the first range, from a place on, that does not end before an address. */
export function placeFrom(ranges: readonly AddressRange[], address: bigint, from = 0): number {
  // Mostly it is near: steps that double, and then half of what is left.
  let step = 1;
  let low = from;
  while (low + step < ranges.length && ranges[low + step - 1]!.last < address) {
    low += step;
    step *= 2;
  }
  let high = Math.min(low + step, ranges.length);
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (ranges[middle]!.last < address) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The range that holds an address, of some in ascending order; `null` where none does. */
export function rangeAt(ranges: readonly AddressRange[], address: bigint): AddressRange | null {
  const range = ranges[placeFrom(ranges, address)];
  return range && range.first <= address ? range : null;
}

/** What two lists of ranges have in common; both are in ascending order, and so is the result. */
export function commonRanges(
  one: readonly AddressRange[],
  other: readonly AddressRange[],
): AddressRange[] {
  if (one.length > other.length) return commonRanges(other, one);
  const result: AddressRange[] = [];
  let at = 0;
  for (const { first, last } of one) {
    at = placeFrom(other, first, at);
    for (let next = at; next < other.length && other[next]!.first <= last; next++) {
      const range = other[next]!;
      if (range.first >= first && range.last <= last) result.push(range);
      else {
        const piece = { ...range };
        if (piece.first < first) piece.first = first;
        if (piece.last > last) piece.last = last;
        result.push(piece);
      }
    }
  }
  return result;
}

/**
 * What is in one list of ranges and not in another; both are in ascending order, without overlaps, and
 * so is the result.
 */
export function rangesWithout(
  one: readonly AddressRange[],
  other: readonly AddressRange[],
): AddressRange[] {
  if (other.length === 0) return one.slice();
  const result: AddressRange[] = [];
  let hole = 0;
  for (let place = 0; place < one.length; place++) {
    const range = one[place]!;
    hole = placeFrom(other, range.first, hole);
    if (hole === other.length) return result.concat(one.slice(place));
    if (other[hole]!.first > range.last) {
      // Nothing is taken from those that end before the next hole.
      const end = placeFrom(one, other[hole]!.first, place);
      for (; place < end; place++) result.push(one[place]!);
      place--;
      continue;
    }
    let from = range.first;
    for (let next = hole; next < other.length && other[next]!.first <= range.last; next++) {
      const { first, last } = other[next]!;
      if (first > from) result.push({ first: from, last: first - 1n });
      if (last >= from) from = last + 1n;
    }
    if (from <= range.last) result.push({ first: from, last: range.last });
  }
  return result;
}

/** The same addresses in as few ranges as can be, in ascending order. */
export function joinedRanges(ranges: readonly AddressRange[]): AddressRange[] {
  const result: AddressRange[] = [];
  const sorted = isSorted(ranges) ? ranges : [...ranges].sort(byFirst);
  for (const range of sorted) {
    const before = result.at(-1);
    if (before && before.last + 1n >= range.first) {
      if (range.last > before.last)
        result[result.length - 1] = { first: before.first, last: range.last };
    } else result.push(range);
  }
  return result;
}

function isSorted(ranges: readonly AddressRange[]): boolean {
  return ranges.every((range, index) => index === 0 || ranges[index - 1]!.first <= range.first);
}

function byFirst(one: AddressRange, other: AddressRange): number {
  return one.first < other.first ? -1 : one.first > other.first ? 1 : 0;
}

/** The whole space of a family, cut wherever one of the prefixes begins or ends, in ascending order. */
export function cutAt(prefixes: readonly Prefix[], family: Family): AddressRange[] {
  const end = 1n << BigInt(bitsOf(family));
  const starts = new Set<bigint>([0n]);
  for (const prefix of prefixes) {
    const { first, last } = prefixRange(prefix);
    starts.add(first);
    if (last + 1n < end) starts.add(last + 1n);
  }
  const sorted = [...starts].sort((one, other) => (one < other ? -1 : 1));
  return sorted.map((first, index) => ({ first, last: (sorted[index + 1] ?? end) - 1n }));
}
