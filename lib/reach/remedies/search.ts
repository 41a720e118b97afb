import type { HostState } from '../../model/host-state.js';
import type { Flow } from '../flow.js';
import { hostOf } from '../host.js';
import { follow } from '../trace.js';
import type { Cause } from '../verdict.js';
import { candidates } from './candidates.js';
import type { Change, Failing } from './change.js';

/** Changes that are enough together, and the state that they make. */
export interface Solution {
  readonly changes: readonly Change[];
  readonly state: HostState;
}

/** What stands in the way one behind the other: more than so many changes are no small remedy. */
const mostChanges = 4;

/** So many changed states are evaluated for one flow at most. */
const mostTrials = 64;

/** So many solutions are worth telling. */
const mostSolutions = 4;

interface Node extends Solution {
  /** The causes that were met on the way here: none may come twice. */
  readonly causes: readonly string[];
}

/**
 * The fewest changes that let a flow through, the least of them first. Each is made on a copy of the
 * state, and the flow followed again: what stands in the way then is looked at in its turn.
 */
export function solve(state: HostState, flow: Flow, peers: readonly string[] | null): Solution[] {
  let level: Node[] = [{ changes: [], state, causes: [] }];
  let trials = 0;
  for (let depth = 0; depth < mostChanges && level.length > 0; depth++) {
    const solved: Solution[] = [];
    const next: Node[] = [];
    for (const node of level) {
      const failing = failingOf(node.state, flow, peers);
      const { cause } = failing.followed.fate;
      if (cause === null) continue;
      const key = keyOf(cause);
      for (const change of inOrder(candidates(failing, cause))) {
        if (++trials > mostTrials) break;
        const changed = change.apply(node.state);
        const after = follow(hostOf(changed), flow).fate;
        const changes = [...node.changes, change];
        if (after.outcome === 'reachable') solved.push({ changes, state: changed });
        else if (after.cause !== null && ![...node.causes, key].includes(keyOf(after.cause)))
          next.push({ changes, state: changed, causes: [...node.causes, key] });
      }
    }
    if (solved.length > 0) return best(solved);
    level = next;
  }
  return [];
}

function failingOf(state: HostState, flow: Flow, peers: readonly string[] | null): Failing {
  const host = hostOf(state);
  return { host, state, flow, peers, followed: follow(host, flow) };
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
  const distinct = new Map(kept.map((one) => [one.changes.map(({ what }) => what).join('\n'), one]));
  return [...distinct.values()]
    .sort((one, other) => weightOf(one) - weightOf(other))
    .slice(0, mostSolutions);
}

function weightOf({ changes }: Solution): number {
  return changes.reduce((sum, { weight }) => sum + weight, 0);
}
