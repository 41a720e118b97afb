import { generate } from './generate.js';
import { type Held, holdScenario } from './hold.js';

/*
 * node build/test/lab/random/run.js --seeds 1-500: the randomised lab. Prints a line for each
 * disagreement and the sums at the end; ends with 1 where anything was wrong.
 */

const range = /^(\d+)-(\d+)$/.exec(process.argv[process.argv.indexOf('--seeds') + 1] ?? '');
const [first, last] = range ? [Number(range[1]), Number(range[2])] : [1, 20];
const sums = { agrees: 0, wrong: 0, unknown: 0, elsewhere: 0 };
const unknowns = new Map<string, number>();
const limit = Number(process.env.SHOW ?? 5);
let shown = 0;
for (let seed = first; seed <= last; seed++) {
  const scenario = generate(seed);
  const { held } = await holdScenario(scenario);
  for (const one of held) {
    sums[one.judgement]++;
    if (one.judgement === 'unknown')
      unknowns.set(one.verdict.cause!.code, (unknowns.get(one.verdict.cause!.code) ?? 0) + 1);
    if (one.judgement === 'wrong' && shown++ < limit) show(seed, one);
  }
}
console.log(sums, Object.fromEntries(unknowns));
process.exitCode = sums.wrong > 0 ? 1 : 0;

function show(seed: number, { flow, verdict, result, about }: Held): void {
  const { takers, acceptedBy, ...happened } = result;
  console.log(`seed ${seed}: ${about}: ${JSON.stringify(flow)}`);
  console.log(
    `  earshot: ${verdict.outcome} ${verdict.symptom} ${JSON.stringify(verdict.cause?.code)} ${verdict.explanation}`,
  );
  for (const step of verdict.steps) console.log(`    ${step.stage} ${step.action}: ${step.detail}`);
  console.log(
    `  kernel: ${JSON.stringify(happened)} ${JSON.stringify(takers.map(({ spec }) => spec))}`,
  );
}
