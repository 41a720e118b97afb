import type { NftVerdict } from '../../model/ruleset.js';
import type { CompiledChain, CompiledRule } from './ruleset.js';
import type { Refusal, Run } from './run.js';

/** How deep jumps may go (NFT_JUMP_STACK_SIZE). */
const deepest = 16;

/** What a base chain makes of a packet, and the rule that said so; none where the policy did. */
export type ChainOutcome =
  | { readonly kind: 'accept'; readonly rule: CompiledRule | null }
  | { readonly kind: 'drop'; readonly rule: CompiledRule | null; readonly refusal: Refusal | null }
  | { readonly kind: 'unknown'; readonly rule: CompiledRule };

/** The run of a chain, and how it asks at a fork. */
export interface ChainRun extends Run {
  /** The rule being followed. */
  rule: CompiledRule | null;
}

/** nft_do_chain: rule by rule, into other chains and back; the end is the policy's. */
export function runChain(base: CompiledChain, run: ChainRun): ChainOutcome {
  const stack: { chain: CompiledChain; next: number }[] = [];
  let chain = base;
  let next = 0;
  for (;;) {
    const rule = chain.rules[next++];
    if (!rule) {
      const back = stack.pop();
      if (!back) return policyOf(base);
      ({ chain, next } = back);
      continue;
    }
    const verdict = runRule(rule, run);
    if (verdict === null) continue;
    if (verdict === 'unknown') return { kind: 'unknown', rule };
    switch (verdict.code) {
      case 'accept':
        return { kind: 'accept', rule };
      case 'drop':
        return { kind: 'drop', rule, refusal: run.refusal };
      case 'jump':
      case 'goto': {
        const target = chain.tables.chains.get(verdict.chain);
        if (!target || stack.length === deepest) return { kind: 'unknown', rule };
        if (verdict.code === 'jump') stack.push({ chain, next });
        chain = target;
        next = 0;
        break;
      }
      case 'return': {
        const back = stack.pop();
        if (!back) return policyOf(base);
        ({ chain, next } = back);
        break;
      }
      case 'continue':
      case 'break':
        break;
      case 'queue':
        return run.choose(2) === 0
          ? { kind: 'accept', rule }
          : { kind: 'drop', rule, refusal: null };
      case 'stolen':
        return { kind: 'unknown', rule };
    }
  }
}

/** The verdict that a rule speaks; null where it speaks none. */
function runRule(rule: CompiledRule, run: ChainRun): NftVerdict | 'unknown' | null {
  run.rule = rule;
  for (const evaluate of rule.steps) {
    const result = evaluate(run);
    if (result === 'continue') continue;
    if (result === 'break') return null;
    if (result === 'verdict') return run.verdict;
    if (result === 'unknown') return 'unknown';
    if (run.choose(2) === 1) return null;
  }
  return null;
}

function policyOf({ chain }: CompiledChain): ChainOutcome {
  return chain.base?.policy === 'drop'
    ? { kind: 'drop', rule: null, refusal: null }
    : { kind: 'accept', rule: null };
}
