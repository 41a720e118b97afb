import { spawnSync } from 'node:child_process';

/* What every benchmark does with its figures, and where those that need rules of their own run. */

/** Half of them are less. @param {readonly number[]} values */
export const median = (values) =>
  [...values].sort((one, other) => one - other)[values.length >> 1] ?? Number.NaN;

/** @param {number} value @param {number} [digits] behind the point */
export const shown = (value, digits = 1) =>
  value.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits });

/** Ends with 2, as for a question that makes no sense. @param {string} reason @returns {never} */
export function refuse(reason) {
  console.error(reason);
  process.exit(2);
}

const INSIDE = 'EARSHOT_BENCH_NAMESPACE';

/**
 * Runs this very program again, in a network namespace made for it, and ends with it: only there does
 * it come back.
 * @param {string[]} options of Node
 */
export function insideNamespace(options = []) {
  if (process.env[INSIDE] !== undefined) return;
  const again = [process.execPath, ...process.execArgv, ...options, ...process.argv.slice(1)];
  const { status } = spawnSync('unshare', ['--net', ...again], {
    env: { ...process.env, [INSIDE]: '1', PATH: `/usr/sbin:/sbin:${process.env.PATH}` },
    stdio: 'inherit',
  });
  process.exit(status ?? 1);
}

/**
 * Microseconds that each value takes in each round, after as many rounds to warm up as are usual.
 * @template Value
 * @param {readonly Value[]} values
 * @param {number} rounds
 * @param {(value: Value) => unknown} work
 */
export function timeEach(values, rounds, work) {
  /** @type {number[]} */
  const times = [];
  for (let round = -20; round < rounds; round++)
    for (const value of values) {
      const began = performance.now();
      work(value);
      if (round >= 0) times.push((performance.now() - began) * 1000);
    }
  return times;
}
