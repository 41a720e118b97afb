import {
  type AddressRange,
  addressFromNumber,
  joinedRanges,
  rangeAt,
} from '../model/prefix-set.js';
import type { Family } from '../model/socket.js';
import type { Device, Host } from './host.js';
import { Audience } from './nftables/audience.js';
import { Peer } from './nftables/peer-watch.js';
import { PeerLists } from './peer-lists.js';
import { none, type PeerPart, Region } from './peer-parts.js';
import { isUplink, type PeerClass, type Piece, type Who, whoHas } from './peers.js';

/** Peers whom nothing but rules of a firewall tells apart. */
export interface StartingPart extends PeerPart {
  /** They stand on the link itself; all others come through a router. */
  readonly onLink: boolean;
  /** The one with the lowest address. */
  readonly first: Peer;
  /** All of them, as rules see them. */
  readonly audience: Audience;
}

/** Addresses that no peer has, between others. */
interface Gap extends AddressRange {
  /** Who has the address before it, and behind it. */
  readonly before: Who;
  readonly behind: Who;
}

/** The peers of a family behind one interface. */
export class PeerSpace {
  readonly parts: readonly StartingPart[];
  readonly #gaps: readonly Gap[];
  readonly #lists: PeerLists;

  constructor(host: Host, device: Device, family: Family, pieces: readonly Piece[]) {
    this.#lists = new PeerLists(family);
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
    this.parts = [...known].flatMap(([{ ranges }, who]) => {
      if (who !== 'neighbour' && who !== 'beyond') return [];
      const region = new Region(joinedRanges(ranges));
      const first = new Peer(addressFromNumber(region.ranges[0]!.first, family));
      const audience = new Audience(family, region.ranges);
      return [{ region, holes: none, onLink: who === 'neighbour', first, audience }];
    });
    this.#gaps = gapsOf(pieces.map((piece) => ({ ...piece, who: whoOf(piece.class) })));
  }

  /**
   * The fewest prefixes of these parts together. Nobody's addresses are listed with those before them,
   * or behind. `linkOnly`: who stands behind a router is nobody's neighbour here.
   */
  prefixes(parts: readonly PeerPart[], linkOnly: boolean): string[] {
    const has = (address: bigint) => parts.some((part) => isIn(part, address));
    const gaps = this.#gaps.filter(({ first, last, before, behind }) => {
      if (asks(before, linkOnly)) return has(first - 1n);
      return asks(behind, linkOnly) && has(last + 1n);
    });
    return this.#lists.of(parts, gaps);
  }
}

function isIn({ region, holes }: PeerPart, address: bigint): boolean {
  return rangeAt(region.ranges, address) !== null && rangeAt(holes, address) === null;
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
