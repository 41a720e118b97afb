import { addressFromBytes, bitsOf, formatPrefix, parsePrefix } from '../../model/address.js';
import type { Family } from '../../model/socket.js';

/*
 * Sets of addresses of one family as sorted, disjoint ranges of numbers, both ends included: what is
 * needed to say "the LAN" of a list of prefixes that is the LAN without this host's own address.
 */

export type Ranges = readonly (readonly [from: bigint, to: bigint])[];

/** The addresses of a family that CIDR texts name. */
export function rangesOf(prefixes: Iterable<string>, family: Family): Ranges {
  const found: [bigint, bigint][] = [];
  for (const text of prefixes) {
    const prefix = parsePrefix(text);
    if (prefix?.address.family !== family) continue;
    const { a, b, c, d } = prefix.address;
    const words = family === 'ipv4' ? [a] : [a, b, c, d];
    const from = words.reduce((sum, word) => (sum << 32n) | BigInt(word >>> 0), 0n);
    found.push([from, from + (1n << BigInt(bitsOf(family) - prefix.length)) - 1n]);
  }
  found.sort((one, other) => (one[0] < other[0] ? -1 : one[0] > other[0] ? 1 : 0));
  const merged: [bigint, bigint][] = [];
  for (const range of found) {
    const last = merged.at(-1);
    if (last && range[0] <= last[1] + 1n) {
      if (range[1] > last[1]) last[1] = range[1];
    } else merged.push(range);
  }
  return merged;
}

/** What is in the first and not in the second. */
export function without(set: Ranges, taken: Ranges): Ranges {
  const left: [bigint, bigint][] = [];
  let next = 0;
  for (const [from, to] of set) {
    let start = from;
    while (next < taken.length && taken[next]![1] < start) next++;
    for (let index = next; index < taken.length && taken[index]![0] <= to; index++) {
      const [takenFrom, takenTo] = taken[index]!;
      if (takenFrom > start) left.push([start, takenFrom - 1n]);
      if (takenTo >= start) start = takenTo + 1n;
    }
    if (start <= to) left.push([start, to]);
  }
  return left;
}

/** What is in both. */
export function common(one: Ranges, other: Ranges): Ranges {
  return without(one, without(one, other));
}

/** How many addresses a set holds. */
export function sizeOf(set: Ranges): bigint {
  return set.reduce((sum, [from, to]) => sum + to - from + 1n, 0n);
}

/** The fewest CIDR texts that name a set; a plain address where it is one. */
export function prefixesOf(set: Ranges, family: Family): string[] {
  const bits = bitsOf(family);
  const texts: string[] = [];
  for (const [from, to] of set) {
    let start = from;
    while (start <= to) {
      let size = 0;
      while (
        size < bits &&
        (start & ((1n << BigInt(size + 1)) - 1n)) === 0n &&
        start + (1n << BigInt(size + 1)) - 1n <= to
      ) {
        size++;
      }
      const text = formatPrefix({ address: addressAt(start, family), length: bits - size });
      texts.push(size === 0 ? text.slice(0, text.indexOf('/')) : text);
      start += 1n << BigInt(size);
    }
  }
  return texts;
}

function addressAt(value: bigint, family: Family) {
  const bytes = new Uint8Array(bitsOf(family) / 8);
  for (let index = bytes.length - 1, rest = value; index >= 0; index--, rest >>= 8n) {
    bytes[index] = Number(rest & 255n);
  }
  return addressFromBytes(bytes, 0, family);
}
