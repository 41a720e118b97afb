import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

/** @typedef {import('./questions.mjs').Answerer} Answerer */
/** @typedef {{ times: number[], count: number, peak: number }} Answers */

const SLOW_ROUNDS = 3;
/** An answer this quick, in milliseconds, is asked for so often in a row that its code is warm. */
const QUICK = 5;
const QUICK_ASKS = 100;

/**
 * Every answerer once a round, and in a round before that does not count.
 * @param {Answerer[]} answerers @param {number} rounds
 * @returns {Promise<Answers[]>}
 */
export async function takeTurns(answerers, rounds) {
  const running = answerers.map(({ command: [file = '', ...values], line = '' }) => {
    const child = spawn(file, values, { stdio: ['pipe', 'pipe', 'ignore'] });
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    const ask = async () => {
      child.stdin.write(`${line}\n`);
      const { value } = await lines.next();
      return value === undefined ? null : value.split(' ').map(Number);
    };
    return {
      child,
      ask,
      answers: /** @type {Answers} */ ({ times: [], count: -1, peak: 0 }),
    };
  });
  for (let round = 0; round <= rounds; round++) {
    for (const [at, { ask, answers }] of running.entries()) {
      const slow = answerers[at]?.slow ?? false;
      if (slow && (round === 0 || round > SLOW_ROUNDS)) continue;
      let took = 0;
      for (let asked = 0; asked === 0 || (took < QUICK && asked < QUICK_ASKS); asked++) {
        const told = await ask();
        if (!told) break;
        const [count = -1, peak = 0] = told.slice(1);
        // The very first loads what answers, and does not say how quick that is.
        const loads = round === 0 && asked === 0;
        took = loads ? 0 : (told[0] ?? 0);
        if (round > 0) answers.times.push(took);
        Object.assign(answers, { count, peak });
      }
    }
  }
  for (const { child } of running) child.stdin.end();
  return running.map(({ answers }) => answers);
}
