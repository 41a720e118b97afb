import type { NftComparison, NftExpression } from '../../../model/ruleset.js';
import { bytesFromHex } from '../bytes.js';
import { askByComparison, FrontQuestion } from '../peer-questions.js';
import { askOfPort } from '../port-questions.js';
import type { PortQuestion } from '../port-watch.js';
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
  const front = new FrontQuestion(wanted);
  const port = (wanted[0]! << 8) | wanted[1]!;
  const question: PortQuestion = {
    answer: (other) => (passes & (other < port ? LESS : other > port ? GREATER : EQUAL)) !== 0,
  };
  return (run) => {
    if (run.registers.portWords !== 0) askOfPort(run, source, wanted.length, question);
    if (run.peer) askByComparison(run, source, op, wanted, front);
    const possible = run.registers.compare(source, wanted);
    if ((possible & passes) === 0) return 'break';
    return (possible & ~passes) === 0 ? 'continue' : 'may';
  };
}
