import { parsePrefix } from '../../model/address.js';
import type { HostState } from '../../model/host-state.js';
import { type AddressRange, prefixRange } from '../../model/prefix-set.js';
import type { Socket } from '../../model/socket.js';
import type { Blocked, Exposure, Remedy } from '../exposure-row.js';
import type { Flow } from '../flow.js';
import { remedyOf } from './remedies.js';
import { type Solution, solve } from './search.js';

/** More prefixes than these make no rule that a person would type. */
const mostPrefixes = 4;

/** Who does not get in at one door of a socket. */
export interface BlockedPeers {
  readonly socket: Socket;
  /** The first packet of one of them. */
  readonly flow: Flow;
  readonly row: Pick<Blocked, 'interface' | 'address' | 'peers' | 'cause'>;
}

/**
 * What lets all of these peers in. The proof is the verdict of one of them; that the others get in
 * too is told by the exposure of the changed state. `exposureOf` gives that of a socket.
 */
export function rowRemedies(
  state: HostState,
  { socket, flow, row }: BlockedPeers,
  exposureOf: (state: HostState, socket: Socket) => Exposure | null,
): Remedy[] {
  const fewPeers = row.peers.length <= mostPrefixes ? row.peers : [];
  const isEverybody = fewPeers.some((text) => text.endsWith('/0'));
  const peers = row.interface === 'lo' ? [] : isEverybody ? null : fewPeers;
  const solutions = solve(state, flow, { peers, socket, cause: row.cause });
  return solutions
    .filter((solution) => letsAllIn(solution, row, exposureOf))
    .map((solution) => remedyOf(solution, flow));
}

function letsAllIn(
  { state, socket }: Solution,
  row: BlockedPeers['row'],
  exposureOf: (state: HostState, socket: Socket) => Exposure | null,
): boolean {
  const then = socket && exposureOf(state, socket);
  if (!then) return false;
  const here = then.reach.filter(
    (one) => one.interface === row.interface && one.address === row.address,
  );
  return covers(
    here.flatMap(({ peers }) => peers),
    row.peers,
  );
}

/** Is every address of these prefixes in one of those? */
export function covers(prefixes: readonly string[], wanted: readonly string[]): boolean {
  return (['ipv4', 'ipv6'] as const).every((family) => {
    const held = rangesOf(prefixes, family);
    return rangesOf(wanted, family).every(({ first, last }) =>
      held.some((range) => range.first <= first && last <= range.last),
    );
  });
}

/** In ascending order, what adjoins joined. */
function rangesOf(prefixes: readonly string[], family: 'ipv4' | 'ipv6'): AddressRange[] {
  const ranges = prefixes
    .map((text) => parsePrefix(text))
    .filter((prefix) => prefix?.address.family === family)
    .map((prefix) => prefixRange(prefix!))
    .sort((one, other) => (one.first < other.first ? -1 : one.first > other.first ? 1 : 0));
  const joined: AddressRange[] = [];
  for (const { first, last } of ranges) {
    const before = joined.at(-1);
    if (before && first <= before.last + 1n) {
      if (last > before.last) before.last = last;
    } else joined.push({ first, last });
  }
  return joined;
}
