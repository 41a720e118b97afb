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
  for (const { first, last } of joined(ranges)) {
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

/** Neighbouring ranges made one. */
function joined(ranges: readonly AddressRange[]): AddressRange[] {
  const result: AddressRange[] = [];
  for (const range of ranges) {
    const before = result.at(-1);
    if (before && before.last + 1n >= range.first) {
      if (range.last > before.last) before.last = range.last;
    } else result.push({ ...range });
  }
  return result;
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
