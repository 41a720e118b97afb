import { hasEffect } from './compile.js';
import type { CompiledChain, HookEntry } from './ruleset.js';

/** Entries of one hook that share a priority, in every order in which they may be asked. */
export interface AnyOrder {
  readonly kind: 'any-order';
  readonly priority: number;
  /** What keeps its own order: the chains of one table, conntrack, NAT. */
  readonly units: readonly (readonly HookEntry[])[];
}

/**
 * Of equal priority, the hook that was registered last is asked first (nf_hook_entries_grow), and
 * the kernel does not tell when that was: handles tell it of the chains of one table alone. Where it
 * matters, all orders are followed.
 */
export function withOrders(entries: readonly HookEntry[]): (HookEntry | AnyOrder)[] {
  const found: (HookEntry | AnyOrder)[] = [];
  for (let start = 0; start < entries.length; ) {
    const { priority } = entries[start]!;
    let end = start;
    while (end < entries.length && entries[end]!.priority === priority) end++;
    const together = entries.slice(start, end);
    const units = unitsOf(together);
    if (units.length === 1 || commute(together)) found.push(...together);
    else found.push({ kind: 'any-order', priority, units });
    start = end;
  }
  return found;
}

/** The same for the chains that NAT asks, which keep priorities of their own among themselves. */
export function natWithOrders(chains: readonly CompiledChain[]): (HookEntry | AnyOrder)[] {
  return withOrders(
    chains.map((chain) => ({ kind: 'chain', priority: chain.chain.base!.priority, chain })),
  );
}

function unitsOf(entries: readonly HookEntry[]): HookEntry[][] {
  const units = new Map<string, HookEntry[]>();
  for (const entry of entries) {
    const of = entry.kind === 'chain' ? tableOf(entry.chain) : entry.kind;
    const unit = units.get(of);
    if (unit) unit.push(entry);
    else units.set(of, [entry]);
  }
  return [...units.values()];
}

function tableOf({ chain, tables }: CompiledChain): string {
  return `${tables.tool} ${chain.family} ${chain.table}`;
}

/** Chains that only let pass or drop come to the same in any order. */
function commute(entries: readonly HookEntry[]): boolean {
  return entries.every(
    (entry) =>
      entry.kind === 'chain' &&
      onlyJudges(entry.chain) &&
      [...entry.chain.tables.chains.values()].every((one) => one.chain.base || onlyJudges(one)),
  );
}

const judging: ReadonlySet<string> = new Set(['immediate', 'lookup']);

function onlyJudges({ chain }: CompiledChain): boolean {
  return chain.rules.every(({ expressions }) =>
    expressions.every((expression) => judging.has(expression.kind) || !hasEffect(expression)),
  );
}

/** What could be asked first, as a person names it. */
export function namesOf({ units }: AnyOrder): string {
  const names = units.flatMap((unit) =>
    unit.map((entry) => (entry.kind === 'chain' ? entry.chain.name : entry.kind)),
  );
  return names.join(', ');
}

/** The permutation of so many things that stands at a place among all; the first changes nothing. */
export function permutation<Thing>(things: readonly Thing[], place: number): Thing[] {
  const left = [...things];
  const order: Thing[] = [];
  let rest = place;
  for (let size = things.length; size > 0; size--) {
    const ways = factorial(size - 1);
    order.push(...left.splice(Math.floor(rest / ways), 1));
    rest %= ways;
  }
  return order;
}

export function factorial(count: number): number {
  return count < 2 ? 1 : count * factorial(count - 1);
}
