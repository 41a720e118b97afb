import {
  type AddressRange,
  addressFromNumber,
  commonRanges,
  joinedRanges,
  rangeAt,
  rangesToPrefixes,
  rangesWithout,
} from '../model/prefix-set.js';
import type { Family } from '../model/socket.js';
import type { Device, Host } from './host.js';
import { Audience } from './nftables/audience.js';
import type { PeerCondition } from './nftables/peer-watch.js';
import { isUplink, type PeerClass, type Piece, type Who, whoHas } from './peers.js';

/** Conditions of fewer ranges than these are taken out of a part one by one. */
const longList = 64;

/** Some of the peers behind an interface: a region, but for a few of its addresses. */
export interface PeerPart {
  readonly region: Region;
  /** In ascending order, joined. */
  readonly holes: readonly AddressRange[];
}

/** Peers whom nothing but rules of a firewall tells apart. */
export interface StartingPart extends PeerPart {
  /** They stand on the link itself; all others come through a router. */
  readonly onLink: boolean;
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

const none: readonly AddressRange[] = [];

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

/** Addresses that no peer has, between others. */
interface Gap extends AddressRange {
  /** Who has the address before it, and behind it. */
  readonly before: Who;
  readonly behind: Who;
}

/** The peers of a family behind one interface. */
export class PeerSpace {
  readonly parts: readonly StartingPart[];
  /** All of them, as rules see them. */
  readonly audience: Audience;
  readonly #gaps: readonly Gap[];
  /** By how many ranges they are of: lists of prefixes, each made once for all who have it. */
  readonly #texts = new Map<number, { ranges: readonly AddressRange[]; texts: string[] }[]>();

  constructor(
    host: Host,
    device: Device,
    private readonly family: Family,
    pieces: readonly Piece[],
  ) {
    const uplink = isUplink(host, device, family);
    const known = new Map<PeerClass, Who>();
    const whoOf = (one: PeerClass): Who => {
      let who = known.get(one);
      if (!who) {
        who = whoHas(host, device, addressFromNumber(one.ranges[0]!.first, family), uplink);
        known.set(one, who);
      }
      return who;
    };
    for (const piece of pieces) whoOf(piece.class);
    this.parts = [...known].flatMap(([{ ranges }, who]) =>
      who === 'neighbour' || who === 'beyond'
        ? [
            {
              region: new Region(joinedRanges(ranges)),
              holes: none,
              onLink: who === 'neighbour',
            },
          ]
        : [],
    );
    const everybody = joinedRanges(this.parts.flatMap(({ region }) => region.ranges));
    this.audience = new Audience(family, everybody);
    this.#gaps = gapsOf(pieces.map((piece) => ({ ...piece, who: whoOf(piece.class) })));
  }

  /**
   * The fewest prefixes of these parts together. Nobody's addresses are listed with those before them,
   * or behind. `linkOnly`: who stands behind a router is nobody's neighbour here.
   */
  prefixes(parts: readonly PeerPart[], linkOnly: boolean): string[] {
    const peers = joinedRanges(
      parts.flatMap(({ region, holes }) => rangesWithout(region.ranges, holes)),
    );
    const gaps = this.#gaps.filter(({ first, last, before, behind }) => {
      if (asks(before, linkOnly)) return rangeAt(peers, first - 1n) !== null;
      return asks(behind, linkOnly) && rangeAt(peers, last + 1n) !== null;
    });
    return this.#textsOf(gaps.length > 0 ? joinedRanges([...peers, ...gaps]) : peers);
  }

  #textsOf(ranges: readonly AddressRange[]): string[] {
    const sameLength = this.#texts.get(ranges.length) ?? [];
    this.#texts.set(ranges.length, sameLength);
    const known = sameLength.find((one) => sameRanges(one.ranges, ranges));
    if (known) return known.texts;
    const texts = rangesToPrefixes(ranges, this.family);
    sameLength.push({ ranges, texts });
    return texts;
  }
}

function asks(who: Who, linkOnly: boolean): boolean {
  return who === 'neighbour' || (who === 'beyond' && !linkOnly);
}

function gapsOf(pieces: readonly (AddressRange & { who: Who })[]): Gap[] {
  const gaps: Gap[] = [];
  for (let place = 0; place < pieces.length; ) {
    let end = place;
    while (pieces[end]?.who === 'nobody') end++;
    if (end > place) {
      const [before, behind] = [pieces[place - 1], pieces[end]];
      gaps.push({
        first: pieces[place]!.first,
        last: pieces[end - 1]!.last,
        before: before?.who ?? 'elsewhere',
        behind: behind?.who ?? 'elsewhere',
      });
    }
    place = end + 1;
  }
  return gaps;
}

function sameRanges(one: readonly AddressRange[], other: readonly AddressRange[]): boolean {
  return one.every(
    ({ first, last }, place) => other[place]!.first === first && other[place]!.last === last,
  );
}

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
