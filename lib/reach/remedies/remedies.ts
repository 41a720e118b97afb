import type { HostState } from '../../model/host-state.js';
import type { Remedy } from '../exposure-row.js';
import type { Flow } from '../flow.js';
import { trace } from '../trace.js';
import type { Change } from './change.js';
import { type Solution, solve } from './search.js';

/**
 * The smallest changes that let a flow through, each with its proof: it was made on a copy of the
 * state, and this is the verdict there. Nothing is changed on any host. What lets in the fewest
 * comes first: another address for the server, a rule before the one that decides (in the terms of
 * ufw, firewalld, iptables or nft, whichever keeps it), a setting, an address, a route, an interface
 * switched on; several together where one is not enough.
 *
 * @param state what `capture()` or `parseState()` gave
 * @param flow one that fails, as for `trace`
 * @returns up to four; none where the flow gets through, where the cause is not in this host's
 *   power, or where no change was found that surely helps
 * @throws EarshotError as `trace`
 * @example
 * ```js
 * import { capture, remedies } from 'earshot';
 * const flow = {
 *   protocol: 'tcp',
 *   ingress: 'lo',
 *   destination: { address: '127.0.0.1', port: 3000 },
 * };
 * for (const { summary, command, proof } of remedies(await capture(), flow)) {
 *   console.log(summary, command, proof.outcome);
 * }
 * ```
 */
export function remedies(state: HostState, flow: Flow): Remedy[] {
  if (trace(state, flow).outcome === 'reachable') return [];
  const wish = { peers: [], socket: null, cause: null };
  return solve(state, flow, wish).map((solution) => remedyOf(solution, flow));
}

/** A solution as a person is told of it. */
export function remedyOf({ changes, state }: Solution, flow: Flow): Remedy {
  return {
    summary: summaryOf(changes),
    command: commandOf(changes),
    proof: trace(state, flow),
  };
}

/** Where no line does it all, each that there is stands with its own part. */
function summaryOf(changes: readonly Change[]): string {
  const whole = commandOf(changes) !== null;
  const parts = changes.map(({ what, command }) =>
    whole || command === null ? what : `${what} (${command})`,
  );
  return parts.map((part, place) => (place === 0 ? part : lowered(part))).join('; and ');
}

function lowered(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}

/** A server that is started does not come back to the shell: it comes last. */
function commandOf(changes: readonly Change[]): string | null {
  const started = changes.filter(({ move }) => move !== undefined);
  if (started.length > 1 || changes.some(({ command }) => command === null)) return null;
  const rest = changes.filter((change) => !started.includes(change));
  if (started.length > 0 && rest.some(({ settles }) => settles)) return null;
  return [...rest, ...started].map(({ command }) => command).join(' && ');
}
