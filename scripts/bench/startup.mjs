// What importing the library and starting the command cost beside a Node that does nothing, in one run.
// Usage: npm run bench:startup [-- ROUNDS] [--check]
import { spawnSync } from 'node:child_process';
import { build } from '../build.mjs';
import { setUp } from '../setup.mjs';
import { inRoot } from '../support/paths.mjs';
import { main, StepError } from '../support/step.mjs';

/*
 * The goals are milliseconds on a quiet machine: importing within 15 ms of an empty start, and
 * `earshot --version` within 60 ms in all. Empty starts of Node differ between machines and hours, so
 * that --check, for machines that are never quiet, holds the ratio to the empty start: 15 ms of the 40
 * that one commonly takes, and 60 of the 40. It looks at the fastest run of each, which what else the
 * machine does has slowed least, and where they are beyond the goal runs them up to three times as often.
 */

/** @type {{ name: string, args: string[], ratio: number }[]} */
const contenders = [
  { name: 'node, nothing to do', args: ['--input-type=module', '--eval', ''], ratio: Infinity },
  {
    name: "import 'earshot'",
    args: [
      '--input-type=module',
      '--eval',
      `import ${JSON.stringify(inRoot('dist/bundle/index.js'))}`,
    ],
    ratio: 55 / 40,
  },
  { name: 'earshot --version', args: [inRoot('dist/earshot.js'), '--version'], ratio: 60 / 40 },
];

/** Milliseconds that a run takes. @param {string[]} args */
function time(args) {
  const began = process.hrtime.bigint();
  const { status, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  if (status !== 0) throw new StepError(`node ${args.join(' ')} failed`, 'see above', stderr);
  return Number(process.hrtime.bigint() - began) / 1e6;
}

/** @typedef {{ args: string[], name: string, ratio: number, times: number[] }} Row */

/**
 * In turn, so that a busy moment of the machine hits all alike; a first round fills caches.
 * @param {Row[]} rows
 * @param {number} rounds
 * @param {boolean} cold
 */
function measure(rows, rounds, cold) {
  for (let round = cold ? -1 : 0; round < rounds; round += 1) {
    for (const { args, times } of rows) {
      const took = time(args);
      if (round >= 0) times.push(took);
    }
  }
}

/** @param {Row[]} rows @returns {Row[]} those beyond their goal */
function slow(rows) {
  const empty = Math.min(...(rows[0]?.times ?? []));
  return rows.filter(({ times, ratio }) => Math.min(...times) / empty > ratio);
}

/** @param {number[]} values */
const median = (values) => [...values].sort((one, other) => one - other)[values.length >> 1] ?? 0;

await main(async () => {
  const [text = '41', ...rest] = process.argv.slice(2).filter((argument) => argument !== '--check');
  const rounds = Number(text);
  if (!Number.isInteger(rounds) || rounds < 3 || rest.length > 0) {
    throw new StepError(`'${text}' is not a number of rounds`, 'give a whole number from 3');
  }
  await setUp();
  await build();
  const rows = contenders.map((contender) => ({
    ...contender,
    times: /** @type {number[]} */ ([]),
  }));
  const check = process.argv.includes('--check');
  measure(rows, rounds, true);
  for (let more = 0; check && more < 2 && slow(rows).length > 0; more += 1) {
    measure(rows, rounds, false);
  }
  const [first] = rows;
  console.log('milliseconds: median, beyond an empty start, ratio to it; fastest, ratio');
  for (const { name, times } of rows) {
    const [took, empty] = [median(times), median(first?.times ?? [])];
    const [best, bestEmpty] = [Math.min(...times), Math.min(...(first?.times ?? []))];
    const cells = [took, took - empty, took / empty, best, best / bestEmpty];
    const digits = [1, 1, 2, 1, 2];
    const text = cells.map((cell, index) => cell.toFixed(digits[index]).padStart(9));
    console.log(`${name.padEnd(24)}${text.join('')}`);
  }
  if (!check || slow(rows).length === 0) return;
  throw new StepError(
    `slow to start: ${slow(rows)
      .map(({ name, ratio }) => `${name}, beyond ${ratio.toFixed(2)} of an empty start`)
      .join('; ')}`,
    'find what it loads that it does not need (node --cpu-prof)',
  );
});
