import { parsePrefix } from '../../model/address.js';
import { checkKeys, checkOneOf, invalid as invalidArgument, show } from '../../model/arguments.js';
import type { HostState } from '../../model/host-state.js';
import type { Remedy } from '../exposure-row.js';
import type { Flow } from '../flow.js';
import { trace } from '../trace.js';
import type { Change } from './change.js';
import { closings, type Solution, solve } from './search.js';

/** What is wanted of a flow. */
export interface RemedyOptions {
  /** `open`, the default: a flow that fails is to get through. `close`: one that gets through is not to. */
  goal?: 'open' | 'close';
  /**
   * Whom rules of a firewall name: CIDR texts. Default: the peer of the flow alone. The proof is of
   * that flow in any case.
   */
  peers?: readonly string[];
}

/**
 * The smallest changes that let a flow through, or keep it out, each with its proof: it was made on a
 * copy of the state, and this is the verdict there. Nothing is changed on any host. What lets in the
 * fewest comes first: another address for the server, a rule before the one that decides (in the terms
 * of ufw, firewalld, iptables or nft, whichever keeps it), a setting, an address, a route, an interface
 * switched on; several together where one is not enough.
 *
 * @param state what `capture()` or `parseState()` gave
 * @param flow one that fails, or with `goal: 'close'` one that gets through, as for `trace`
 * @returns up to four; none where the flow fares as wanted already, where the cause is not in this
 *   host's power, or where no change was found that surely does it
 * @throws EarshotError as `trace`, and `ERR_INVALID_ARGUMENT` for options
 * @example
 * ```js
 * import { capture, remedies } from 'earshot';
 * const state = await capture();
 * const flow = {
 *   protocol: 'tcp',
 *   ingress: 'lo',
 *   destination: { address: '127.0.0.1', port: 3000 },
 * };
 * for (const { summary, command, proof } of remedies(state, flow)) {
 *   console.log(summary, command, proof.outcome); // … 'reachable'
 * }
 * for (const { summary, command, proof } of remedies(state, flow, { goal: 'close' })) {
 *   console.log(summary, command, proof.outcome); // … 'unreachable'
 * }
 * ```
 */
export function remedies(state: HostState, flow: Flow, options: RemedyOptions = {}): Remedy[] {
  const { goal, peers } = checkOptions(options);
  if (goal === 'close')
    return closings(state, flow, peers).map((solution) => remedyOf(solution, flow));
  if (trace(state, flow).outcome === 'reachable') return [];
  const wish = { peers, socket: null, cause: null };
  return solve(state, flow, wish).map((solution) => remedyOf(solution, flow));
}

/** A prefix of everybody makes a rule that names nobody. */
function checkOptions(options: RemedyOptions): { goal: string; peers: readonly string[] | null } {
  checkKeys(options, 'options', ['goal', 'peers']);
  const { goal = 'open', peers = [] } = options;
  checkOneOf(goal, 'options.goal', ['open', 'close'] as const);
  if (!Array.isArray(peers))
    throw invalidArgument(`options.peers is ${show(peers)}: give a list of prefixes`);
  for (const text of peers as readonly unknown[]) {
    if (typeof text === 'string' && parsePrefix(text)) continue;
    throw invalidArgument(`options.peers has ${show(text)}: give prefixes such as 192.0.2.0/24`);
  }
  return { goal, peers: peers.some((text) => text.endsWith('/0')) ? null : peers };
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
