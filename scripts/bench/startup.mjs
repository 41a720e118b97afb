// What importing the library and starting the command cost beside a Node that does nothing, in one run.
// Usage: npm run bench:startup [-- ROUNDS] [--check]
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { build } from '../build.mjs';
import { setUp } from '../setup.mjs';
import { inRoot } from '../support/paths.mjs';
import { main, StepError } from '../support/step.mjs';
import { median } from './measure.mjs';

/*
 * The goals are milliseconds on a quiet machine: importing within 15 ms of an empty start, and
 * `earshot --version` within 60 ms in all. Empty starts of Node differ between machines and hours, so
 * that --check holds the ratio to the empty start: 15 ms of the 40 that one commonly takes, and 60 of the
 * 40. It does so in time of the processor, which what else the machine does lengthens for all alike.
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

/** Milliseconds that the processor has worked for programs that this one ran, to the clock's tick. */
function childrenTime() {
  // What follows the program's name, which may hold spaces: cutime and cstime, in hundredths of a second.
  const fields = readFileSync('/proc/self/stat', 'latin1').split(') ').at(-1)?.split(' ') ?? [];
  return (Number(fields[13]) + Number(fields[14])) * 10;
}

/** @typedef {{ args: string[], name: string, ratio: number, times: number[], work: number }} Row */

/** Adds one run to a row. @param {Row} row */
function run(row) {
  const [began, worked] = [process.hrtime.bigint(), childrenTime()];
  const { status, stderr } = spawnSync(process.execPath, row.args, { encoding: 'utf8' });
  row.times.push(Number(process.hrtime.bigint() - began) / 1e6);
  row.work += childrenTime() - worked;
  if (status !== 0) throw new StepError(`node ${row.args.join(' ')} failed`, 'see above', stderr);
}

await main(async () => {
  const [text = '41', ...rest] = process.argv.slice(2).filter((argument) => argument !== '--check');
  const rounds = Number(text);
  if (!Number.isInteger(rounds) || rounds < 3 || rest.length > 0) {
    throw new StepError(`'${text}' is not a number of rounds`, 'give a whole number from 3');
  }
  await setUp();
  await build();
  /** @type {() => Row[]} */
  const start = () => contenders.map((contender) => ({ ...contender, times: [], work: 0 }));
  // The first round fills caches. In turn, so that a busy moment of the machine hits all alike.
  for (const row of start()) run(row);
  const rows = start();
  for (let round = 0; round < rounds; round += 1) rows.forEach(run);

  const [first = { times: [], work: 1 }] = rows;
  const empty = median(first.times);
  console.log(
    `medians of ${rounds} runs: milliseconds, beyond an empty start, ratio to it; of work`,
  );
  for (const { name, times, work } of rows) {
    const took = median(times);
    const cells = [took.toFixed(1), (took - empty).toFixed(1), (took / empty).toFixed(2)];
    const text = [...cells, (work / first.work).toFixed(2)].map((cell) => cell.padStart(9));
    console.log(`${name.padEnd(24)}${text.join('')}`);
  }
  if (!process.argv.includes('--check')) return;
  const slow = rows.filter(({ work, ratio }) => work / first.work > ratio);
  if (slow.length === 0) return;
  throw new StepError(
    `slow to start: ${slow.map(({ name, ratio }) => `${name}, beyond ${ratio.toFixed(2)} of an empty start`).join('; ')}`,
    'find what it loads that it does not need (node --cpu-prof)',
  );
});
