import type { NftVerdict } from '../../model/ruleset.js';
import { Cursor, type IndexedRun } from './rule-index.js';
import type { CompiledChain, CompiledRule } from './ruleset.js';
import type { Refusal } from './run.js';

/**
 * Deeper than any rule set jumps: the kernel refuses more than 16 of nftables' (NFT_JUMP_STACK_SIZE),
 * and of legacy tables a loop. Only a spoiled capture has one.
 */
const deepest = 1024;

/** What a base chain makes of a packet, and the rule that said so; none where the policy did. */
export type ChainOutcome =
  | { readonly kind: 'accept'; readonly rule: CompiledRule | null }
  | { readonly kind: 'drop'; readonly rule: CompiledRule | null; readonly refusal: Refusal | null }
  | { readonly kind: 'unknown'; readonly rule: CompiledRule };

/** The run of a chain, and how it asks at a fork. */
export interface ChainRun extends IndexedRun {
  /** The rule being followed. */
  rule: CompiledRule | null;
}

/** Where a packet is in a chain: of its rules those that it has to be held against. */
class Walk {
  #next = 0;
  readonly #cursor: Cursor | null;

  constructor(
    readonly chain: CompiledChain,
    run: ChainRun,
    everyRule: boolean,
  ) {
    const index = everyRule ? null : chain.whenAsked(run.peer !== null);
    this.#cursor = index && new Cursor(index, run);
  }

  next(): CompiledRule | undefined {
    if (this.#cursor) this.#next = this.#cursor.from(this.#next);
    return this.#next < 0 ? undefined : this.chain.rules[this.#next++];
  }
}

/**
 * nft_do_chain: rule by rule, into other chains and back; the end is the policy's. `everyRule`: those
 * too that the index says cannot matter.
 */
export function runChain(base: CompiledChain, run: ChainRun, everyRule = false): ChainOutcome {
  const stack: Walk[] = [];
  let walk = new Walk(base, run, everyRule);
  for (;;) {
    const rule = walk.next();
    if (!rule) {
      const back = stack.pop();
      if (!back) return policyOf(base);
      walk = back;
      continue;
    }
    const verdict = runRule(rule, run);
    if (rule.changesPacket) run.values.forget();
    if (verdict === null) continue;
    if (verdict === 'unknown') return { kind: 'unknown', rule };
    switch (verdict.code) {
      case 'accept':
        return { kind: 'accept', rule };
      case 'drop':
        return { kind: 'drop', rule, refusal: run.refusal };
      case 'jump':
      case 'goto': {
        const target = base.tables.chains.get(verdict.chain);
        if (!target || stack.length === deepest) return { kind: 'unknown', rule };
        if (verdict.code === 'jump') stack.push(walk);
        walk = new Walk(target, run, everyRule);
        break;
      }
      case 'return': {
        const back = stack.pop();
        if (!back) return policyOf(base);
        walk = back;
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
