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
 * that one commonly takes, and 60 of the 40.
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

/** @param {number[]} values */
const median = (values) => values.sort((one, other) => one - other)[values.length >> 1] ?? 0;

await main(async () => {
  const [text = '41', ...rest] = process.argv.slice(2).filter((argument) => argument !== '--check');
  const rounds = Number(text);
  if (!Number.isInteger(rounds) || rounds < 3 || rest.length > 0) {
    throw new StepError(`'${text}' is not a number of rounds`, 'give a whole number from 3');
  }
  await setUp();
  await build();
  // In turn, so that a busy moment of the machine hits all alike; the first round fills caches.
  const rows = contenders.map((contender) => ({
    ...contender,
    times: /** @type {number[]} */ ([]),
  }));
  for (let round = -1; round < rounds; round += 1) {
    for (const { args, times } of rows) {
      const took = time(args);
      if (round >= 0) times.push(took);
    }
  }
  const medians = rows.map(({ times }) => median(times));
  const empty = medians[0] ?? 1;
  console.log(`medians of ${rounds} runs: milliseconds, beyond an empty start, ratio to it`);
  for (const [index, { name }] of rows.entries()) {
    const took = medians[index] ?? 0;
    const cells = [took.toFixed(1), (took - empty).toFixed(1), (took / empty).toFixed(2)];
    console.log(`${name.padEnd(24)}${cells.map((cell) => cell.padStart(9)).join('')}`);
  }
  if (!process.argv.includes('--check')) return;
  const slow = rows.filter(({ ratio }, index) => (medians[index] ?? 0) / empty > ratio);
  if (slow.length === 0) return;
  throw new StepError(
    `slow to start: ${slow.map(({ name, ratio }) => `${name}, beyond ${ratio.toFixed(2)} of an empty start`).join('; ')}`,
    'find what it loads that it does not need (node --cpu-prof)',
  );
});
