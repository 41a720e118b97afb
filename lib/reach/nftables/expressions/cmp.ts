import type { NftComparison, NftExpression } from '../../../model/ruleset.js';
import { bytesFromHex } from '../bytes.js';
import { askByComparison } from '../peer-questions.js';
import { EQUAL, GREATER, LESS } from '../registers.js';
import type { Evaluate } from '../run.js';

const accepted: Record<NftComparison, number> = {
  eq: EQUAL,
  neq: LESS | GREATER,
  lt: LESS,
  lte: LESS | EQUAL,
  gt: GREATER,
  gte: GREATER | EQUAL,
};

/** nft_cmp_eval: memcmp of a register and a constant. */
export function cmp({ source, op, data }: Extract<NftExpression, { kind: 'cmp' }>): Evaluate {
  const wanted = bytesFromHex(data);
  const passes = accepted[op];
  return (run) => {
    if (run.peer) askByComparison(run, source, op, wanted);
    const possible = run.registers.compare(source, wanted);
    if ((possible & passes) === 0) return 'break';
    return (possible & ~passes) === 0 ? 'continue' : 'may';
  };
}
