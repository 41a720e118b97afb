import {
  type Address,
  bitsOf,
  type Prefix,
  prefixHolds,
  sameAddress,
} from '../../../model/address.js';
import { type AddressRange, prefixRange } from '../../../model/prefix-set.js';
import type { Found, Key } from './set.js';

/** An element, field by field; a name or number that is compared as it is. */
export interface Element {
  readonly fields: readonly (Prefix | string)[];
  readonly found: Found;
  /** The last field is the beginning of an interface's name. */
  readonly isWildcard: boolean;
}

/** One that the other fields of a key fall on, with the addresses that it is for. */
interface Fitting extends AddressRange {
  readonly found: Found;
  /** Of several for the same addresses, the one that decides: by their other network, then by name. */
  readonly rank: number;
}

/** Which addresses, put into a key at a place, are found so. `texts`: the key as elements write it. */
export function peersFound(
  elements: Iterable<Element>,
  keys: readonly Key[],
  texts: readonly string[],
  place: number,
  found: Found,
): AddressRange[] {
  const fitting = new Map<string, Fitting>();
  for (const element of elements) {
    const own = element.fields[place];
    const rank = typeof own === 'object' ? rankOf(element, keys, texts, place) : -1;
    if (rank < 0) continue;
    const { first, last } = prefixRange(own as Prefix);
    const name = `${first}-${last}`;
    const known = fitting.get(name);
    if (!known || known.rank <= rank)
      fitting.set(name, { first, last, found: element.found, rank });
  }
  return innermost([...fitting.values()].sort(outerFirst), found);
}

/** How well the other fields fit; -1 where they don't. */
function rankOf(
  { fields, isWildcard }: Element,
  keys: readonly Key[],
  texts: readonly string[],
  place: number,
): number {
  let rank = isWildcard ? 0 : 1;
  for (const [other, field] of fields.entries()) {
    if (other === place) continue;
    const key = keys[other]!;
    if (typeof field === 'string') {
      const text = texts[other]!;
      const isLast = other === fields.length - 1;
      if (isWildcard && isLast ? !text.startsWith(field) : text !== field) return -1;
    } else if (key.kind !== 'address' || !isWithin(field, key.address)) return -1;
    else rank += 2 * field.length;
  }
  return rank;
}

function isWithin(prefix: Prefix, address: Address): boolean {
  return prefix.length === bitsOf(address.family)
    ? sameAddress(prefix.address, address)
    : prefixHolds(prefix, address);
}

function outerFirst(one: Fitting, other: Fitting): number {
  if (one.first !== other.first) return one.first < other.first ? -1 : 1;
  return one.last > other.last ? -1 : one.last < other.last ? 1 : 0;
}

/** Of networks that lie in each other the innermost decides: where that one is found so. */
function innermost(sorted: readonly Fitting[], found: Found): AddressRange[] {
  const ranges: AddressRange[] = [];
  const open: Fitting[] = [];
  let at = 0n;
  const upTo = (end: bigint): void => {
    if (open.at(-1)?.found === found && at <= end) ranges.push({ first: at, last: end });
    if (end >= at) at = end + 1n;
  };
  for (const next of sorted) {
    while (open.length > 0 && open.at(-1)!.last < next.first) {
      upTo(open.at(-1)!.last);
      open.pop();
    }
    if (open.length > 0) upTo(next.first - 1n);
    at = next.first;
    open.push(next);
  }
  while (open.length > 0) {
    upTo(open.at(-1)!.last);
    open.pop();
  }
  return ranges;
}
