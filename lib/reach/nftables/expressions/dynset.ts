import type { NftExpression } from '../../../model/ruleset.js';
import type { Evaluate, Result } from '../run.js';
import type { CompiledSet } from '../sets.js';

const INVERT = 1; // NFT_DYNSET_F_INV

/**
 * nft_dynset_eval: adds the packet to a set, or takes it out. A set that is full refuses, which ends
 * the rule; expressions of the element (a rate for each peer) run with it.
 */
export function dynset(
  { op, flags }: Extract<NftExpression, { kind: 'dynset' }>,
  set: CompiledSet | null,
  elements: Evaluate[],
): Evaluate {
  const inverted = (flags & INVERT) !== 0;
  return (run): Result => {
    if (set) run.touched.add(set);
    if (op === 'delete') return 'continue';
    for (const evaluate of elements) {
      const one = evaluate(run);
      if (one === 'unknown' || one === 'verdict') return 'unknown';
      // Stored or not, the rule ends here, unless a set that is full makes an inverted one go on.
      if (one === 'break') return inverted ? 'may' : 'break';
    }
    return 'may';
  };
}
