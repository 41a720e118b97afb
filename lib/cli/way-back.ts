import { isLinkLocal, parseAddress } from '../model/address.js';
import type { HostState } from '../model/host-state.js';
import { hostOf } from '../reach/host.js';
import { keyTo } from '../reach/policy.js';
import { unknownUser } from '../reach/ready-rule.js';

/**
 * The interface by which a host would send to a peer: its own routing, rules and all, for a packet
 * that nothing is known of but where it goes. `null` without such a route, where a rule cannot be
 * evaluated, and for a link-local peer, whose link the address does not tell.
 */
export function wayBack(state: HostState, peer: string): string | null {
  const destination = parseAddress(peer);
  if (!destination || isLinkLocal(destination)) return null;
  const { family } = destination;
  const answer = hostOf(state).policy[family].lookup(keyTo(destination, { uid: unknownUser }));
  return answer.kind === 'found' ? (answer.found.device?.name ?? null) : null;
}
