import type { NftExpression } from '../../../model/ruleset.js';
import { bytesFromHex } from '../bytes.js';
import { askByRange } from '../peer-questions.js';
import { askOfPort } from '../port-questions.js';
import type { PortQuestion } from '../port-watch.js';
import { EQUAL, GREATER, LESS } from '../registers.js';
import type { Evaluate } from '../run.js';

/** nft_range_eval: both ends belong to the range. */
export function range({
  source,
  op,
  from,
  to,
}: Extract<NftExpression, { kind: 'range' }>): Evaluate {
  const first = bytesFromHex(from);
  const last = bytesFromHex(to);
  const inside = op === 'eq' ? 'continue' : 'break';
  const outside = op === 'eq' ? 'break' : 'continue';
  const [low, high] = [(first[0]! << 8) | first[1]!, (last[0]! << 8) | last[1]!];
  const question: PortQuestion = { answer: (port) => port >= low && port <= high };
  return (run) => {
    const { registers } = run;
    if (registers.portWords !== 0) askOfPort(run, source, first.length, question);
    if (run.peer) askByRange(run, source, first, last);
    const toFirst = registers.compare(source, first);
    const toLast = registers.compare(source, last);
    if ((toFirst & (EQUAL | GREATER)) === 0 || (toLast & (LESS | EQUAL)) === 0) return outside;
    return (toFirst & LESS) === 0 && (toLast & GREATER) === 0 ? inside : 'may';
  };
}
