import { isLinkLocal, parseAddress } from '../../model/address.js';
import type { Family } from '../../model/socket.js';
import type { Blocked, Exposure, Reach, Untold } from '../../reach/exposure-row.js';
import type { PeerNames } from './peers.js';

/*
 * Who gets in to a row's port by one interface, as one mark for each family: what `exposure` tells of
 * that interface and nothing else. A peer gets in where one of the interface's addresses lets it in.
 */

/** Who gets in: `all` and `most` hold peers from beyond the link, `sent` says that rules send them on. */
export type Mark =
  | { who: 'all' | 'most' | 'link' | 'some' | 'nobody' | 'unknown' }
  | { who: 'sent'; beyond: boolean };

/** The marks of one interface by family; `null` where nothing is told of it. */
export type Marks = Readonly<Record<Family, Mark | null>>;

const families: readonly Family[] = ['ipv4', 'ipv6'];
const nobody: Mark = { who: 'nobody' };

/** What `exposure` tells of each interface that it tells anything of. */
export class InterfaceRows {
  readonly reach: Reach[] = [];
  readonly blocked: Blocked[] = [];
  readonly unknown: Untold[] = [];

  /** The entries of some exposures by interface. */
  static of(exposures: readonly Exposure[]): Map<string, InterfaceRows> {
    const found = new Map<string, InterfaceRows>();
    const at = (name: string) => {
      const known = found.get(name) ?? new InterfaceRows();
      found.set(name, known);
      return known;
    };
    for (const { reach, blocked, unknown } of exposures) {
      for (const row of reach) at(row.interface).reach.push(row);
      for (const row of blocked) at(row.interface).blocked.push(row);
      for (const row of unknown) at(row.interface).unknown.push(row);
    }
    return found;
  }
}

/**
 * The marks of an interface. Link-local peers are the same people again: where the interface has
 * another address, they count only if nobody gets in by that.
 */
export function marksOf(name: string, rows: InterfaceRows, names: PeerNames): Marks {
  const [ipv4, ipv6] = families.map((family) => markOf(name, ofFamily(rows, family), names));
  const linkLocal = [...rows.reach, ...rows.blocked, ...rows.unknown].every(
    ({ address }) => familyOf(address) !== 'ipv6' || isLinkLocal(parseAddress(address)!),
  );
  const again = linkLocal && ipv4 && (ipv4.who !== 'nobody' || ipv6?.who === 'nobody');
  return { ipv4: ipv4 ?? null, ipv6: again ? null : (ipv6 ?? null) };
}

function markOf(name: string, rows: InterfaceRows, names: PeerNames): Mark | null {
  if (rows.reach.length + rows.blocked.length + rows.unknown.length === 0) return null;
  const group = (entries: readonly { peers: string[] }[]) => ({
    interface: name,
    peers: peersOf(entries),
  });
  const here = group(rows.reach.filter(({ forwardedTo }) => forwardedTo === null));
  if (name === 'lo') return ofThisHost(here.peers.length > 0, rows);
  const extent = names.extent(here);
  if (extent === 'all' || extent === 'most') return { who: extent };
  const passedOn = rows.reach.filter(({ forwardedTo }) => forwardedTo !== null);
  if (names.anyRemain(group(rows.unknown), here.peers)) return { who: 'unknown' };
  if (extent === 'none') {
    if (passedOn.length === 0) return nobody;
    const far = names.extent(group(passedOn));
    return { who: 'sent', beyond: far === 'all' || far === 'most' };
  }
  if (extent === 'link') return { who: 'link' };
  // Peers of networks behind a router: all that can come by this interface, where nobody is left.
  const others = group([...rows.blocked.filter(isPeer), ...passedOn]);
  return { who: names.anyRemain(others, here.peers) ? 'some' : 'all' };
}

/** The peers of some entries, each once. */
export function peersOf(entries: readonly { peers: string[] }[]): string[] {
  const [only, ...others] = entries;
  // A list behind a block list is long: it is not copied where it is all.
  if (only && others.length === 0) return only.peers;
  return [...new Set(entries.flatMap(({ peers }) => peers))];
}

function ofThisHost(reached: boolean, { unknown, reach }: InterfaceRows): Mark {
  if (reached) return { who: 'all' };
  if (unknown.length > 0) return { who: 'unknown' };
  return reach.length > 0 ? { who: 'sent', beyond: false } : nobody;
}

/** Senders that no neighbour can be are nobody's peers. */
function isPeer({ cause }: Blocked): boolean {
  return cause.code !== 'martian-source' && cause.code !== 'source-is-ours';
}

function ofFamily(rows: InterfaceRows, family: Family): InterfaceRows {
  const result = new InterfaceRows();
  const own = ({ address }: Blocked | Reach) => familyOf(address) === family;
  result.reach.push(...rows.reach.filter(own));
  result.blocked.push(...rows.blocked.filter(own));
  result.unknown.push(...rows.unknown.filter(own));
  return result;
}

function familyOf(address: string): Family {
  return address.includes(':') ? 'ipv6' : 'ipv4';
}
