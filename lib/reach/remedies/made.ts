import type { HostState } from '../../model/host-state.js';
import type { Change } from './change.js';

/** A change and the state that it makes. */
export interface Made {
  readonly change: Change;
  readonly state: HostState;
}

/** Doors of one socket mostly have the same remedies: so many changed states are kept of one state. */
const mostKept = 12;

const kept = new WeakMap<HostState, Map<string, Made>>();

/** The state with a change: the same one again where the same change was made of it lately. */
export function made(state: HostState, change: Change): Made {
  const known = kept.get(state) ?? new Map<string, Made>();
  kept.set(state, known);
  const key = keyOf(state, change);
  const found = known.get(key) ?? { change, state: change.apply(state) };
  known.delete(key);
  known.set(key, found);
  const [oldest] = known.keys();
  if (known.size > mostKept && oldest !== undefined) known.delete(oldest);
  return found;
}

/** What is said of two sockets may be the same: these are told apart by their place. */
function keyOf({ sockets }: HostState, { what, command, move }: Change): string {
  const moved = move
    ? [move.from && sockets.indexOf(move.from), move.to && [move.to.local, move.to.boundInterface]]
    : null;
  return JSON.stringify([what, command, moved]);
}
