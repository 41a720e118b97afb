import { type Address, bitsOf, formatPrefix, ipv4, ipv6, type Prefix } from './address.js';
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

/** The fewest prefixes that hold exactly these ranges, which are in ascending order, as CIDR texts. */
export function rangesToPrefixes(ranges: readonly AddressRange[], family: Family): string[] {
  const bits = bitsOf(family);
  const texts: string[] = [];
  for (const { first, last } of joinedRanges(ranges)) {
    for (let at = first; at <= last; ) {
      let free = 0; // host bits: as many as the start's alignment and the rest allow
      while (free < bits) {
        const size = 1n << BigInt(free + 1);
        if (at % size !== 0n || at + size - 1n > last) break;
        free++;
      }
      texts.push(formatPrefix({ address: addressFromNumber(at, family), length: bits - free }));
      at += 1n << BigInt(free);
    }
  }
  return texts;
}

/** The place of the first range that does not end before an address. */
function endsFrom(ranges: readonly AddressRange[], address: bigint): number {
  let low = 0;
  let high = ranges.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (ranges[middle]!.last < address) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** What two lists of ranges have in common; both are in ascending order, and so is the result. */
export function commonRanges(
  one: readonly AddressRange[],
  other: readonly AddressRange[],
): AddressRange[] {
  const result: AddressRange[] = [];
  let at = endsFrom(other, one[0]?.first ?? 0n);
  for (const { first, last } of one) {
    while (at < other.length && other[at]!.last < first) at++;
    for (let next = at; next < other.length && other[next]!.first <= last; next++) {
      const from = other[next]!.first;
      const to = other[next]!.last;
      const piece = { first, last };
      if (from > first) piece.first = from;
      if (to < last) piece.last = to;
      result.push(piece);
    }
  }
  return result;
}

/** What is in one list of ranges and not in another; both are in ascending order, and so is the result. */
export function rangesWithout(
  one: readonly AddressRange[],
  other: readonly AddressRange[],
): AddressRange[] {
  const result: AddressRange[] = [];
  let at = endsFrom(other, one[0]?.first ?? 0n);
  for (const { first, last } of one) {
    while (at < other.length && other[at]!.last < first) at++;
    let from = first;
    for (let next = at; next < other.length && other[next]!.first <= last; next++) {
      const hole = other[next]!;
      if (hole.first > from) result.push({ first: from, last: hole.first - 1n });
      if (hole.last >= from) from = hole.last + 1n;
    }
    if (from <= last) result.push({ first: from, last });
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
      if (range.last > before.last) before.last = range.last;
    } else result.push({ ...range });
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
