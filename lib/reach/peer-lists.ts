import {
  type AddressRange,
  addPrefixes,
  commonRanges,
  joinedRanges,
  placeFrom,
  rangesToPrefixes,
  rangesWithout,
} from '../model/prefix-set.js';
import type { Family } from '../model/socket.js';
import { longList, type PeerPart, Region } from './peer-parts.js';

/** All lists that are kept together have no more prefixes than this, or they are one. */
const mostKept = 4_000_000;

/** A long region's prefixes as texts. */
interface Written {
  readonly texts: readonly string[];
  /** Where those of each range begin, and where the last one's end. */
  readonly starts: Int32Array;
}

/** Ranges of a long region, from one place up to another, in place of which there are these. */
interface Edit {
  readonly from: number;
  readonly to: number;
  readonly ranges: readonly AddressRange[];
}

/**
 * The prefixes of peers as texts. Behind a block list a thousand sockets may have a hundred thousand
 * prefixes each, which are the same but for a few: those of a long region are written once, and what is
 * not so for all of them is put in its place.
 */
export class PeerLists {
  readonly #ids = new Map<Region, number>();
  readonly #unions = new Map<string, Region>();
  readonly #written = new Map<Region, Written>();
  /** The one that was asked for last stands last. */
  readonly #kept = new Map<string, string[]>();
  #keptPrefixes = 0;

  constructor(private readonly family: Family) {}

  /** The fewest prefixes of some parts, and of ranges beside them. */
  of(parts: readonly PeerPart[], more: readonly AddressRange[]): string[] {
    const isLong = ({ region }: PeerPart) => region.ranges.length > longList;
    const long = parts.filter(isLong);
    const few = joinedRanges([...parts.filter((part) => !isLong(part)).flatMap(rangesOf), ...more]);
    if (long.length === 0) {
      const key = few.map(({ first, last }) => `${first}-${last}`).join();
      return this.#keep(key, () => rangesToPrefixes(few, this.family));
    }
    const base = this.#union(long.map(({ region }) => region));
    const edits = editsOf(base, long, few);
    const key = `${this.#id(base)} ${edits.map(nameOf).join(' ')}`;
    return this.#keep(key, () => this.#edited(this.#writtenOnce(base), edits));
  }

  #keep(key: string, make: () => string[]): string[] {
    const list = this.#kept.get(key) ?? make();
    if (this.#kept.delete(key)) this.#keptPrefixes -= list.length;
    this.#kept.set(key, list);
    this.#keptPrefixes += list.length;
    for (const [oldest, { length }] of this.#kept) {
      if (this.#keptPrefixes <= mostKept || oldest === key) break;
      this.#kept.delete(oldest);
      this.#keptPrefixes -= length;
    }
    return list;
  }

  #id(region: Region): number {
    const id = this.#ids.get(region) ?? this.#ids.size;
    this.#ids.set(region, id);
    return id;
  }

  #union(regions: readonly Region[]): Region {
    const [only, ...others] = new Set(regions);
    if (only && others.length === 0) return only;
    const key = [...new Set(regions)].map((one) => this.#id(one)).join();
    const known = this.#unions.get(key);
    if (known) return known;
    const made = new Region(joinedRanges(regions.flatMap(({ ranges }) => ranges)));
    this.#unions.set(key, made);
    return made;
  }

  #writtenOnce(region: Region): Written {
    const known = this.#written.get(region);
    if (known) return known;
    const { ranges } = region;
    const texts: string[] = [];
    const starts = new Int32Array(ranges.length + 1);
    for (const [place, range] of ranges.entries()) {
      addPrefixes(range, this.family, texts);
      starts[place + 1] = texts.length;
    }
    const made = { texts, starts };
    this.#written.set(region, made);
    return made;
  }

  #edited({ texts, starts }: Written, edits: readonly Edit[]): string[] {
    const pieces: string[][] = [];
    let at = 0;
    for (const { from, to, ranges } of edits) {
      pieces.push(texts.slice(at, starts[from]), rangesToPrefixes(ranges, this.family));
      at = starts[to]!;
    }
    pieces.push(texts.slice(at));
    return ([] as string[]).concat(...pieces);
  }
}

function rangesOf({ region, holes }: PeerPart): readonly AddressRange[] {
  return rangesWithout(region.ranges, holes);
}

function nameOf({ from, to, ranges }: Edit): string {
  return `${from}-${to}:${ranges.map(({ first, last }) => `${first}-${last}`).join()}`;
}

/**
 * What of a region, which is that of all these parts, is otherwise: where they have holes, and where
 * there are a few ranges beside them.
 */
function editsOf(
  { ranges: base }: Region,
  long: readonly PeerPart[],
  few: readonly AddressRange[],
): Edit[] {
  const edits: Edit[] = [];
  const places = joinedRanges([...long.flatMap(({ holes }) => holes), ...few]);
  for (let next = 0; next < places.length; ) {
    let { first, last } = places[next++]!;
    // With each range of the region that it touches, and each place that touches these.
    const from = placeFrom(base, first - 1n);
    let to = from;
    for (;;) {
      const range = base[to];
      const place = places[next];
      if (range && range.first <= last + 1n) {
        if (range.first < first) first = range.first;
        if (range.last > last) last = range.last;
        to++;
      } else if (place && place.first <= last + 1n) {
        if (place.last > last) last = place.last;
        next++;
      } else break;
    }
    const extent = [{ first, last }];
    const within = (ranges: readonly AddressRange[]) => commonRanges(extent, ranges);
    edits.push({
      from,
      to,
      ranges: joinedRanges([
        ...long.flatMap(({ region, holes }) => rangesWithout(within(region.ranges), within(holes))),
        ...within(few),
      ]),
    });
  }
  return edits;
}
