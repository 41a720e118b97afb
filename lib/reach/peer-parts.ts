import {
  type AddressRange,
  commonRanges,
  joinedRanges,
  rangesWithout,
} from '../model/prefix-set.js';
import type { PeerCondition } from './nftables/peer-watch.js';

/** Lists of no more ranges than these are gone through range by range. */
export const longList = 64;

/** Some of the peers behind an interface: a region, but for a few of its addresses. */
export interface PeerPart {
  readonly region: Region;
  /** In ascending order, joined. */
  readonly holes: readonly AddressRange[];
}

/** Addresses, and how long lists that rules ask divide them: many sockets are asked for by the same peers. */
export class Region {
  readonly #halves = new Map<string, { inside: Region; outside: Region }>();

  /** `ranges`: in ascending order, joined. */
  constructor(readonly ranges: readonly AddressRange[]) {}

  /** The addresses in the ranges of a condition, and the others. */
  halves({ key, ranges }: PeerCondition): { inside: Region; outside: Region } {
    const known = this.#halves.get(key);
    if (known) return known;
    const list = joinedOnce(ranges);
    const inside = new Region(commonRanges(this.ranges, list));
    const outside = new Region(rangesWithout(this.ranges, list));
    // What a list leaves as it is goes on being divided as one.
    const made = {
      inside: outside.ranges.length === 0 ? this : inside,
      outside: inside.ranges.length === 0 ? this : outside,
    };
    this.#halves.set(key, made);
    return made;
  }
}

/** No holes. */
export const none: readonly AddressRange[] = [];

/** The lowest address of a part; `null` where there is none. */
export function firstOf({ region, holes }: PeerPart): bigint | null {
  let hole = 0;
  for (const { first, last } of region.ranges) {
    let address = first;
    while (hole < holes.length && holes[hole]!.first <= address) {
      if (holes[hole]!.last >= address) address = holes[hole]!.last + 1n;
      if (address > last) break; // the hole may reach into the next range
      hole++;
    }
    if (address <= last) return address;
  }
  return null;
}

/** Those of a part who meet all conditions, and all others, in parts of their own. */
export function divide(
  part: PeerPart,
  conditions: readonly PeerCondition[],
): { taken: PeerPart; rest: PeerPart[] } {
  const rest: PeerPart[] = [];
  let { region } = part;
  let within: readonly AddressRange[] | null = null;
  const outside: AddressRange[] = [];
  for (const condition of conditions) {
    const { ranges, inside } = condition;
    if (ranges.length > longList) {
      const halves = region.halves(condition);
      region = inside ? halves.inside : halves.outside;
      rest.push({ region: inside ? halves.outside : halves.inside, holes: part.holes });
    } else if (inside)
      within = within ? commonRanges(within, joinedRanges(ranges)) : joinedRanges(ranges);
    else outside.push(...ranges);
  }
  const { taken, others } = within
    ? takeWithin(region, part.holes, within, outside)
    : takeOutside(region, part.holes, outside);
  rest.push(others);
  return { taken, rest: rest.filter((one) => firstOf(one) !== null) };
}

/** Those in a few ranges are listed; they are holes for the others. */
function takeWithin(
  region: Region,
  holes: readonly AddressRange[],
  within: readonly AddressRange[],
  outside: readonly AddressRange[],
): { taken: PeerPart; others: PeerPart } {
  const [first, last] = [within[0]?.first ?? 0n, within.at(-1)?.last ?? -1n];
  const near = outside.filter((range) => range.first <= last && range.last >= first);
  const listed = rangesWithout(
    rangesWithout(commonRanges(within, region.ranges), holes),
    joinedRanges(near),
  );
  return {
    taken: { region: new Region(listed), holes: none },
    others: { region, holes: joinedRanges([...holes, ...listed]) },
  };
}

/** Those in no range of a few: these are holes, and the others are listed. */
function takeOutside(
  region: Region,
  holes: readonly AddressRange[],
  outside: readonly AddressRange[],
): { taken: PeerPart; others: PeerPart } {
  if (outside.length === 0)
    return { taken: { region, holes }, others: { region: nobody, holes: none } };
  const listed = rangesWithout(commonRanges(joinedRanges(outside), region.ranges), holes);
  return {
    taken: { region, holes: joinedRanges([...holes, ...listed]) },
    others: { region: new Region(listed), holes: none },
  };
}

const nobody = new Region([]);

/** A long list is asked for again and again: it is joined once. */
const joinedLists = new WeakMap<readonly AddressRange[], readonly AddressRange[]>();

function joinedOnce(ranges: readonly AddressRange[]): readonly AddressRange[] {
  let known = joinedLists.get(ranges);
  if (!known) {
    known = joinedRanges(ranges);
    joinedLists.set(ranges, known);
  }
  return known;
}
