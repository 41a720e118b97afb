import type { Hook } from '../../model/firewall.js';
import type { Course } from '../course.js';
import type { Stage } from '../verdict.js';
import type { CompiledChain } from './ruleset.js';

/**
 * Chains of nftables and of a legacy table at one hook with one priority: whichever was registered
 * last is asked first, and nobody tells when a legacy table was. Those of nftables are in their order.
 */
export interface Tied {
  readonly chains: readonly CompiledChain[];
  readonly legacy: CompiledChain;
}

/** The order in which they are asked, every one of those that may be; the same for a whole flow. */
export function inTurn(course: Course, hook: Hook, stage: Stage, tied: Tied): CompiledChain[] {
  const { chains, legacy } = tied;
  const known = course.turns.get(legacy);
  const what = `whether ${legacy.name} or ${chains[0]!.name} is asked first at ${hook}`;
  const place =
    known ??
    course.choices.choose(chains.length + 1, stage, () => ({ code: 'not-evaluated', what }));
  course.turns.set(legacy, place);
  return [...chains.slice(0, place), legacy, ...chains.slice(place)];
}

/** Chains in the order of their priority, one legacy chain among those that share its own. */
export function tiesIn(chains: readonly CompiledChain[]): (CompiledChain | Tied)[] {
  const turns: (CompiledChain | Tied)[] = [];
  for (let at = 0; at < chains.length; ) {
    const { priority } = chains[at]!.chain.base!;
    const equal = chains.slice(at).filter(({ chain }) => chain.base!.priority === priority);
    const legacy = equal.find(isLegacy);
    if (legacy && equal.length > 1)
      turns.push({ chains: equal.filter((one) => one !== legacy), legacy });
    else turns.push(...equal);
    at += equal.length;
  }
  return turns;
}

function isLegacy({ tables: { tool } }: CompiledChain): boolean {
  return tool === 'iptables-legacy' || tool === 'ip6tables-legacy';
}
