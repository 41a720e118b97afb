import type { NftExpression } from '../../../model/ruleset.js';
import { bytesFromHex } from '../bytes.js';
import type { Evaluate } from '../run.js';

/** nft_immediate_eval: a constant into a register, or a verdict. */
export function immediate({
  destination,
  data,
}: Extract<NftExpression, { kind: 'immediate' }>): Evaluate {
  if ('verdict' in data) {
    const { verdict } = data;
    return (run) => {
      run.verdict = verdict;
      return 'verdict';
    };
  }
  if (destination === 'verdict') return () => 'unknown';
  const value = bytesFromHex(data.value);
  return ({ registers }) => {
    registers.store(destination, value);
    return 'continue';
  };
}
