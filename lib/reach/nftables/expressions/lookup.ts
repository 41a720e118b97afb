import type { NftExpression, NftVerdict } from '../../../model/ruleset.js';
import { askBySet } from '../peer-questions.js';
import { askOfPort } from '../port-questions.js';
import type { PortQuestion } from '../port-watch.js';
import type { Evaluate, Result, Run } from '../run.js';
import type { CompiledSet } from '../sets.js';

type Lookup = Extract<NftExpression, { kind: 'lookup' }>;

/** More answers than these to a key that is not known, and the rule is not followed any further. */
const mostAnswers = 16;

/** The expressions that run with an element, by its place. */
export type ElementExpressions = (place: number) => readonly Evaluate[];

/** nft_lookup_eval. */
export function lookup(
  expression: Lookup,
  set: CompiledSet,
  elements: ElementExpressions | null,
): Evaluate {
  const { source, destination, invert } = expression;
  const question: PortQuestion = {
    answer: (port) => set.find(Uint8Array.of(port >>> 8, port & 0xff), 0),
  };
  return (run) => {
    const { registers } = run;
    if (registers.portWords !== 0) askOfPort(run, source, set.keyLength, question);
    if (!registers.isKnown(source, set.keyLength)) return lookUpUnknown(run, expression, set);
    const place = set.find(registers.bytes, source * 4);
    const found = place !== -1;
    // What packets of this very flow added or deleted is not known to the captured set.
    if (run.touched.has(set)) return destination === null ? 'may' : 'unknown';
    if (run.peer) askBySet(run, source, set, place);
    if (!found) return invert ? 'continue' : 'break';
    if (set.isOpaque) return 'unknown';
    const element = elements && found ? withElement(run, elements(place)) : 'continue';
    if (invert || element === 'break' || element === 'unknown')
      return element === 'unknown' ? 'unknown' : 'break';
    const result = destination === null ? 'continue' : answer(run, destination, set, place);
    return element === 'may' && result !== 'unknown' ? maybe(run, result) : result;
  };
}

/** nft_set_elem_update_expr: the first that breaks ends the rule. */
function withElement(
  run: Run,
  elements: readonly Evaluate[],
): 'continue' | 'break' | 'may' | 'unknown' {
  let result: 'continue' | 'may' = 'continue';
  for (const evaluate of elements) {
    const one = evaluate(run);
    if (one === 'break' || one === 'unknown' || one === 'verdict')
      return one === 'break' ? 'break' : 'unknown';
    if (one === 'may') result = 'may';
  }
  return result;
}

/** A verdict cannot be followed half: whether the element's expressions let it be is chosen here. */
function maybe(run: Run, result: Result): Result {
  if (result !== 'verdict') return 'may';
  return run.choose(2) === 0 ? 'verdict' : 'break';
}

function answer(
  run: Run,
  destination: number | 'verdict',
  set: CompiledSet,
  place: number,
): Result {
  if (destination === 'verdict') {
    const verdict = set.verdictOf(place);
    if (!verdict) return 'unknown';
    return speak(run, verdict);
  }
  const data = set.dataOf(place);
  if (!data) return 'unknown';
  run.registers.store(destination, data);
  return 'continue';
}

function speak(run: Run, verdict: NftVerdict): Result {
  if (verdict.code === 'continue') return 'continue';
  if (verdict.code === 'break') return 'break';
  run.verdict = verdict;
  return 'verdict';
}

/** Any element may be meant, or none: every different answer is a way of its own. */
function lookUpUnknown(run: Run, { destination, invert }: Lookup, set: CompiledSet): Result {
  const places = set.places();
  if (places.length === 0) return invert ? 'continue' : 'break';
  if (destination === null) return 'may';
  const answers = new Map<string, number>();
  for (const place of places) {
    const value = destination === 'verdict' ? set.verdictOf(place) : set.dataOf(place);
    const key = value instanceof Uint8Array ? value.join() : JSON.stringify(value);
    if (!answers.has(key)) answers.set(key, place);
    if (answers.size > mostAnswers) return 'unknown';
  }
  const chosen = [...answers.values()][run.choose(answers.size + 1)];
  return chosen === undefined ? 'break' : answer(run, destination, set, chosen);
}
