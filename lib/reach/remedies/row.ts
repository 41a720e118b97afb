import type { HostState } from '../../model/host-state.js';
import { prefixesToRanges, rangesWithout } from '../../model/prefix-set.js';
import type { Transport } from '../../model/socket.js';
import type { Blocked, Exposure, Remedy } from '../exposure-row.js';
import type { Flow } from '../flow.js';
import type { Target } from '../knock.js';
import { remedyOf } from './remedies.js';
import { type Solution, solve } from './search.js';

/** More prefixes than these make no rule that a person would type. */
const mostPrefixes = 4;

/** Who does not get in at one door. */
export interface BlockedPeers {
  readonly target: Target;
  /** The first packet of one of them. */
  readonly flow: Flow;
  readonly row: Pick<Blocked, 'interface' | 'address' | 'peers' | 'cause'>;
}

/** The exposures of what stands on a port. */
export type ExposuresOf = (state: HostState, protocol: Transport, port: number) => Exposure[];

/**
 * What lets all of these peers in, to this socket or to another of its port. The proof is the verdict
 * of one of them; that the others get in too is told by the exposure of the changed state.
 */
export function rowRemedies(
  state: HostState,
  { target, flow, row }: BlockedPeers,
  exposuresOf: ExposuresOf,
): Remedy[] {
  const fewPeers = row.peers.length <= mostPrefixes ? row.peers : [];
  const isEverybody = fewPeers.some((text) => text.endsWith('/0'));
  const peers = row.interface === 'lo' ? [] : isEverybody ? null : fewPeers;
  const { cause } = row;
  const only = cause.code === 'shadowed' ? target.socket : null;
  return solve(state, flow, { peers, socket: only, cause })
    .filter((solution) => letsAllIn(solution, target, row, exposuresOf))
    .map((solution) => remedyOf(solution, flow));
}

function letsAllIn(
  { state }: Solution,
  { protocol, port }: Target,
  row: BlockedPeers['row'],
  exposuresOf: ExposuresOf,
): boolean {
  const place = `${protocol} ${port}`;
  const found = known.get(state);
  const exposures = found?.place === place ? found.exposures : exposuresOf(state, protocol, port);
  known.set(state, { place, exposures });
  const peers = exposures
    .flatMap(({ reach }) => reach)
    .filter((one) => one.interface === row.interface && one.address === row.address)
    .flatMap((one) => one.peers);
  return covers(peers, row.peers);
}

/** Of one changed state, every door of a socket asks for them. */
const known = new WeakMap<HostState, { place: string; exposures: readonly Exposure[] }>();

/** Is every address of the one in the other? */
function covers(prefixes: readonly string[], wanted: readonly string[]): boolean {
  return (['ipv4', 'ipv6'] as const).every((family) => {
    const held = prefixesToRanges(prefixes, family);
    return rangesWithout(prefixesToRanges(wanted, family), held).length === 0;
  });
}
