import {
  type AddressRange,
  commonRanges,
  joinedRanges,
  rangesToPrefixes,
  rangesWithout,
} from '../model/prefix-set.js';
import type { Family } from '../model/socket.js';
import type { PeerCondition } from './nftables/peer-watch.js';
import type { Piece } from './peers.js';

/** Some of the peers behind an interface. */
export interface PeerPart {
  readonly id: number;
  /** In ascending order. */
  readonly ranges: readonly AddressRange[];
}

/**
 * The peers behind one interface, taken apart as rules tell them apart. Many sockets are asked for by
 * the same peers, and lists of addresses may be long: each part, and each text, is made once.
 */
export class PeerSpace {
  readonly #parts = new Map<string, PeerPart>();
  readonly #texts = new Map<string, string[]>();

  constructor(
    readonly pieces: readonly Piece[],
    private readonly family: Family,
  ) {}

  /** All of a piece. */
  whole(number: number): PeerPart {
    return this.#part(`${number}`, () => [this.pieces[number]!]);
  }

  /** Those who meet all conditions. */
  meeting(part: PeerPart, conditions: readonly PeerCondition[]): PeerPart {
    if (conditions.length === 0) return part;
    const name = conditions.map(({ key }) => key).sort();
    return this.#part(`${part.id} & ${name.join(' ')}`, () => {
      const within = conditions.filter(({ inside }) => inside);
      const outside = conditions.filter(({ inside }) => !inside);
      const common = within.reduce(
        (left, { ranges }) => commonRanges(left, joined(ranges)),
        part.ranges,
      );
      // The long ones each by themselves, the short ones, of which there may be many, all at once.
      const long = outside.filter(({ ranges }) => ranges.length > 16);
      const short = outside.filter(({ ranges }) => ranges.length <= 16);
      const rest = long.reduce((left, { ranges }) => rangesWithout(left, joined(ranges)), common);
      return rangesWithout(rest, joinedRanges(short.flatMap(({ ranges }) => ranges)));
    });
  }

  /** The others of a part. */
  without(part: PeerPart, taken: PeerPart): PeerPart {
    if (taken === part) return nobody;
    return this.#part(`${part.id} - ${taken.id}`, () => rangesWithout(part.ranges, taken.ranges));
  }

  /** The prefixes of some parts together; the list is one and the same for all who ask. */
  prefixes(parts: readonly PeerPart[]): string[] {
    const name = parts
      .map(({ id }) => id)
      .sort((one, other) => one - other)
      .join();
    let texts = this.#texts.get(name);
    if (!texts) {
      const ranges = parts.flatMap((part) => part.ranges);
      texts = rangesToPrefixes(joinedRanges(ranges), this.family);
      this.#texts.set(name, texts);
    }
    return texts;
  }

  #part(name: string, make: () => readonly AddressRange[]): PeerPart {
    const known = this.#parts.get(name);
    if (known) return known;
    const made = { id: this.#parts.size, ranges: make() };
    this.#parts.set(name, made);
    return made;
  }
}

/** A long list is asked for again and again: it is joined once. */
const joinedLists = new WeakMap<readonly AddressRange[], readonly AddressRange[]>();

function joined(ranges: readonly AddressRange[]): readonly AddressRange[] {
  let known = joinedLists.get(ranges);
  if (!known) {
    known = joinedRanges(ranges);
    joinedLists.set(ranges, known);
  }
  return known;
}

const nobody: PeerPart = { id: -1, ranges: [] };
