import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { inRoot } from '../support/paths.mjs';
import { main, run, StepError, say } from '../support/step.mjs';
import { compile } from './compile.mjs';
import { insideNamespace } from './measure.mjs';

/*
 * `npm run bench:flood [-- --sockets N] [--listeners N]`: how long a watch holds up the event loop where
 * there is much to tell at once: of 100,000 sockets that are there already, and of who reaches 1,000
 * listeners that come, that a rule shuts, that are open again and that go. In a network namespace of
 * its own, as root. It fails where a turn of the event loop had more than 5 ms of work in any of them.
 */

/** All is told when nothing has come for so long, in milliseconds: longer than a look at exposures rests. */
const QUIET_MS = 8000;
const FIRST_PORT = 30_000;

await main(async () => {
  const { values } = parseArgs({
    options: {
      sockets: { type: 'string', default: '100000' },
      listeners: { type: 'string', default: '1000' },
    },
  });
  const [sockets, listeners] = [values.sockets, values.listeners].map(Number);
  if (![sockets, listeners].every((number) => Number.isInteger(number) && Number(number) > 0)) {
    throw new StepError(
      `sockets '${values.sockets}', listeners '${values.listeners}'`,
      'give whole numbers',
    );
  }
  await compile(['load', 'thread-clock']);
  insideNamespace(['--expose-gc', '--no-memory-reducer']);
  for (const line of [
    'link set lo up',
    'link add one type veth peer name two',
    'address add 192.0.2.1/24 dev one',
    'link set one up',
    'link set two up',
  ]) {
    await run('ip', line.split(' '));
  }
  await measure(Number(sockets), Number(listeners));
});

/** A program that says when it is ready. @param {string} file @param {string[]} args */
async function ready(file, args) {
  const child = spawn(file, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  await once(/** @type {import('node:stream').Readable} */ (child.stdout), 'data');
  return child;
}

/** @param {number} sockets @param {number} listeners */
async function measure(sockets, listeners) {
  const { watch } = await import(new URL('../../dist/index.js', import.meta.url).href);
  const { LoopWork, MOST_WORK } = await import('./loop-work.mjs'); // needs what was compiled first
  const load = await ready(inRoot('build/bench/load'), [String(sockets)]);
  const listen = `
    const { createServer } = require('node:net');
    for (let at = 0; at < ${listeners}; at++)
      createServer().listen(${FIRST_PORT} + at, '0.0.0.0');
    setImmediate(() => console.log('ready'));
    process.stdin.resume().on('end', () => process.exit());`;
  /** @type {import('node:child_process').ChildProcess | undefined} */
  let servers;

  let [changes, exposures, last] = [0, 0, performance.now()];
  const work = new LoopWork();
  await work.settle();
  /** @type {(() => unknown)[]} */
  const steps = [
    () => {
      const begun = performance.now();
      const watcher = watch({ existing: true, intervalMs: 100 });
      say(
        `watch(), which loads the addon: ${(performance.now() - begun).toFixed(2)} ms by the clock`,
      );
      void (async () => {
        for await (const told of watcher) {
          changes += told.length;
          for (const { type } of told) if (type === 'exposure-changed') exposures++;
          last = performance.now();
        }
      })();
      return () => watcher.close();
    },
    async () => {
      servers = await ready(process.execPath, ['-e', listen]);
    },
    () =>
      run('nft', [
        `add table inet t; add chain inet t c { type filter hook input priority 0; }; add rule inet t c tcp dport ${FIRST_PORT}-${FIRST_PORT + listeners} drop`,
      ]),
    () => run('nft', ['delete table inet t']),
    () => servers?.stdin?.end(),
  ];
  const names = [
    'sockets that are there',
    'listeners that come',
    'shut by a rule',
    'open again',
    'gone',
  ];
  let most = 0;
  const results = [];
  for (const [at, step] of steps.entries()) {
    [changes, exposures] = [0, 0];
    const begun = performance.now();
    results.push(await step());
    last = performance.now();
    while (performance.now() < last + QUIET_MS) await setTimeout(50);
    const all = work.between(begun);
    most = Math.max(most, all.at(-1)?.ms ?? 0);
    say(
      `${names[at]}: ${changes} changes, ${exposures} of them of exposures; the longest work from turn to turn: ${work.longest(all)}`,
    );
    await work.settle();
  }
  work.end();
  await /** @type {() => Promise<void>} */ (results[0])();
  load.stdin.end();
  if (most > MOST_WORK) throw new StepError('it held up the event loop', 'see above');
}
