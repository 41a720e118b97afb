import type { HostState } from '../../model/host-state.js';
import type { Socket } from '../../model/socket.js';
import type { Flow } from '../flow.js';
import { type Host, hostOf, type Receiver } from '../host.js';
import { missOf } from '../stages/socket.js';
import { follow } from '../trace.js';
import type { Cause } from '../verdict.js';
import { candidates, closingCandidates } from './candidates.js';
import type { Change, Failing } from './change.js';
import { made } from './made.js';

/** Changes that are enough together, and the state that they make. */
export interface Solution {
  readonly changes: readonly Change[];
  readonly state: HostState;
  /** The socket that was to take the flow, as it is after the changes; `null` where any might. */
  readonly socket: Socket | null;
}

/** What stands in the way one behind the other: more than so many changes are no small remedy. */
const mostChanges = 4;

/** So many changed states are evaluated for one flow at most. */
const mostTrials = 64;

/** So many solutions are worth telling. */
const mostSolutions = 4;

/** What is wanted of a flow. */
export interface Wish {
  /** Whom rules let in: CIDR texts; `null` for everybody; none for the peer of the flow alone. */
  readonly peers: readonly string[] | null;
  /** The socket that is to take it; `null` for any. */
  readonly socket: Socket | null;
  /** Why it does not take the flow, where the flow's own verdict speaks of another socket. */
  readonly cause: Cause | null;
}

interface Node extends Solution {
  /** The causes that were met on the way here: none may come twice. */
  readonly causes: readonly string[];
}

/** A flow at a node: `cause` is what still stands in the way, `null` where nothing does. */
interface Attempt {
  readonly failing: Failing;
  readonly cause: Cause | null;
}

/**
 * The fewest changes that let a flow through, the least of them first. Each is made on a copy of the
 * state, and the flow followed again: what stands in the way then is looked at in its turn.
 */
export function solve(state: HostState, flow: Flow, wish: Wish): Solution[] {
  const { socket } = wish;
  let level: Node[] = [{ changes: [], state, socket, causes: [] }];
  let trials = 0;
  for (let depth = 0; depth < mostChanges && level.length > 0; depth++) {
    const solved: Node[] = [];
    const next: Node[] = [];
    for (const node of level) {
      const attempt = tryFlow(node, flow, wish);
      const cause = depth === 0 ? (wish.cause ?? attempt.cause) : attempt.cause;
      if (cause === null) continue;
      const causes = [...node.causes, keyOf(cause)];
      for (const change of inOrder(candidates(attempt.failing, cause))) {
        if (++trials > mostTrials) break;
        const changed = { ...after(node, change), causes };
        const left = tryFlow(changed, flow, wish).cause;
        if (left === null) solved.push(changed);
        else if (!causes.includes(keyOf(left))) next.push(changed);
      }
    }
    if (solved.length > 0) return best(solved);
    level = next;
  }
  return [];
}

/**
 * The changes, each enough by itself, after which a flow that gets through, or is passed on, surely
 * does not; the least first.
 */
export function closings(
  state: HostState,
  flow: Flow,
  peers: readonly string[] | null,
): Solution[] {
  const start: Node = { changes: [], state, socket: null, causes: [] };
  const { failing } = tryFlow(start, flow, { peers, socket: null, cause: null });
  const solved = inOrder(closingCandidates(failing))
    .map((change) => after(start, change))
    .filter((node) => follow(hostOf(node.state), flow).fate.outcome === 'unreachable');
  return best(solved);
}

function after({ changes, state, socket, causes }: Node, wanted: Change): Node {
  const { change, state: changed } = made(state, wanted);
  const { move } = change;
  // One that is opened beside another serves for it.
  const replaced = move && socket !== null && (move.from === socket || move.from === null);
  return {
    changes: [...changes, change],
    state: changed,
    socket: replaced ? move.to : socket,
    causes,
  };
}

function tryFlow({ state, socket }: Node, flow: Flow, { peers }: Wish): Attempt {
  const host = hostOf(state);
  const followed = follow(host, flow);
  const failing = { host, state, flow, peers, followed };
  const { fate, course } = followed;
  const mine = socket && receiverOf(host, socket);
  if (fate.outcome === 'reachable') {
    const taken = mine === null || course.takers.includes(mine);
    const cause = taken ? null : ({ code: 'shadowed', by: course.takers[0]!.socket } as const);
    return { failing, cause };
  }
  // Who is let through, and answered through this host, is in: no more can be done here.
  if (fate.letThroughTo && mine === null) return { failing, cause: null };
  const nobody = mine !== null && fate.stage === 'socket' && course.takers.length === 0;
  const cause = nobody && fate.outcome === 'unreachable' ? missOf(course, mine).cause : fate.cause;
  return { failing, cause };
}

function receiverOf(host: Host, socket: Socket): Receiver | null {
  const { protocol, local } = socket;
  const all = host.receivers(protocol, local.port);
  return all.find((one) => one.socket === socket) ?? null;
}

function inOrder(changes: readonly Change[]): Change[] {
  return [...changes].sort((one, other) => one.weight - other.weight);
}

/** A rule that is met again at another line is the same. */
function keyOf(cause: Cause): string {
  return JSON.stringify(cause, (key, value: unknown) => (key === 'line' ? undefined : value));
}

/** Without those that are only there for want of others, the least first. */
function best(solved: readonly Solution[]): Solution[] {
  const proper = solved.filter(({ changes }) => !changes.some(({ fallback }) => fallback));
  const kept = proper.length > 0 ? proper : solved;
  const distinct = new Map(
    kept.map((one) => [one.changes.map(({ what }) => what).join('\n'), one]),
  );
  return [...distinct.values()]
    .sort((one, other) => weightOf(one) - weightOf(other))
    .slice(0, mostSolutions);
}

function weightOf({ changes }: Solution): number {
  return changes.reduce((sum, { weight }) => sum + weight, 0);
}
