import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, openSync, readFileSync, rmSync } from 'node:fs';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { Worker } from 'node:worker_threads';
import { inRoot } from '../support/paths.mjs';
import { main, run, StepError, say } from '../support/step.mjs';
import { compile } from './compile.mjs';
import { sum, Tally } from './tally.mjs';

/*
 * `npm run bench:watch [-- --minutes M] [--rate N] [--interval MS]`: watches connections that come and
 * go, 1,000 a second and every 100 ms unless told otherwise, in a network namespace of their own. Holds
 * what was told against what was done: each connection has two sockets, and each of these is to open once
 * and to close once. It fails where that is not so; memory and the delays of the event loop are shown,
 * beside those of a thread that has nothing to do with it (control.mjs), for other programs, and the machine,
 * cause delays too.
 */

/** How many TIME-WAITs the kernel holds here. */
const TIME_WAITS = 2_000;
/** Each goes after 60 s, or up to 2 s later: timers so far ahead are kept no finer. */
const LONGEST_TIME_WAIT_MS = 70_000;

await main(async () => {
  const { values } = parseArgs({
    options: {
      minutes: { type: 'string', default: '1' },
      rate: { type: 'string', default: '1000' },
      interval: { type: 'string', default: '100' },
      inside: { type: 'boolean', default: false },
    },
  });
  const seconds = Math.round(Number(values.minutes) * 60);
  if (!(seconds >= 1))
    throw new StepError(`'${values.minutes}' is no number of minutes`, 'give one');
  if (!values.inside) return inNamespaceOfItsOwn();
  await run('ip', ['link', 'set', 'lo', 'up']);
  await run('sysctl', ['-qw', `net.ipv4.tcp_max_tw_buckets=${TIME_WAITS}`]);
  await measure(Number(values.rate), seconds, Number(values.interval));
});

async function inNamespaceOfItsOwn() {
  if (!existsSync(inRoot('dist/index.js'))) {
    throw new StepError('dist/index.js is not there', "run 'npm run build' first");
  }
  await compile(['churn', 'thread-clock']);
  const asOther = process.getuid?.() === 0 ? [] : ['--map-root-user'];
  // To collect garbage, as is done here to tell of the memory, makes V8 do so once more eight seconds later.
  const options = ['--expose-gc', '--no-memory-reducer'];
  const command = [process.execPath, ...options, ...process.argv.slice(1), '--inside'];
  const child = spawn('unshare', ['--net', ...asOther, ...command], { stdio: 'inherit' });
  const [status] = await once(child, 'exit');
  process.exitCode = status ?? 1;
}

async function timeWaitsGone() {
  const latest = performance.now() + LONGEST_TIME_WAIT_MS;
  while (!/^TCP: .* tw 0 /m.test(readFileSync('/proc/net/sockstat', 'utf8'))) {
    if (performance.now() > latest)
      throw new StepError('TIME-WAITs are left', 'they are to go after a minute');
    await setTimeout(100);
  }
}

/** @param {number} rate @param {number} seconds @param {number} intervalMs */
async function measure(rate, seconds, intervalMs) {
  const { socketsSync, watch } = await import(new URL('../../dist/index.js', import.meta.url).href);
  const { LoopWork, MOST_WORK } = await import('./loop-work.mjs'); // needs what was compiled first
  // Tens of thousands of lines in the end, which are not to be read while this is measured.
  const done = inRoot(`build/bench/churn-${process.pid}.txt`);
  const file = openSync(done, 'w');
  const churn = spawn(inRoot('build/bench/churn'), [String(rate), String(seconds)], {
    stdio: ['pipe', 'pipe', 'inherit', file],
  });
  closeSync(file);
  await once(/** @type {import('node:stream').Readable} */ (churn.stdout), 'data');

  const beforeAddon = performance.now();
  socketsSync({ state: 'listen' });
  const addon = performance.now() - beforeAddon;
  const tally = new Tally();
  let [batches, missed, largest] = [0, 0, 0];
  const work = new LoopWork();
  await work.settle();
  const begun = performance.now();
  const watcher = watch({ filter: { protocol: 'tcp' }, intervalMs });
  const started = performance.now();
  const reading = (async () => {
    for await (const changes of watcher) {
      batches++;
      largest = Math.max(largest, changes.length);
      for (const change of changes) {
        if (change.type === 'missed') missed++;
        if (change.type === 'opened' || change.type === 'closed')
          tally.add(change.type, change.socket);
      }
    }
  })();
  await watcher.ready;
  const control = new Worker(new URL('control.mjs', import.meta.url));
  work.skip();
  const delay = monitorEventLoopDelay({ resolution: 10 });
  delay.enable();
  const ended = once(churn, 'exit');
  /** @type {import('node:stream').Writable} */ (churn.stdin).end('\n');
  const report = setInterval(() => {
    globalThis.gc?.();
    const { rss, heapUsed, external } = process.memoryUsage();
    const mib = [rss, heapUsed, external].map((bytes) => (bytes / 2 ** 20).toFixed(1));
    work.skip();
    say(`memory ${mib[0]} MiB, heap ${mib[1]}, outside of it ${mib[2]}; ${batches} batches`);
  }, 30_000);
  const before = process.cpuUsage();
  const running = performance.now();
  await ended;
  const used = process.cpuUsage(before);
  delay.disable();
  control.postMessage('tell');
  const [{ late, same }] = await once(control, 'message');
  await control.terminate();
  say('the connections are made; the last TIME-WAIT goes in a minute');
  await timeWaitsGone();
  await setTimeout(10 * intervalMs);
  clearInterval(report);
  await watcher.close();
  await reading;
  work.end();

  const said = readFileSync(done, 'utf8').trim().split('\n');
  rmSync(done);
  const truth = new Map(
    said.map((line) => /** @type {[number, number]} */ (line.split(' ').map(Number))),
  );
  const results = tally.differences(truth);
  say(`${sum(truth.values())} connections in ${seconds} s, polled every ${intervalMs} ms`);
  for (const { what, told, lost, doubled } of results) {
    say(`${what}: told ${told}, lost ${lost}, doubled ${doubled}`);
  }
  const own = [99.9, 99.99, 100].map((share) => delay.percentile(share) / 1e6);
  const show = (/** @type {number[]} */ [one = 0, two = 0, most = 0]) =>
    `99.9 % below ${one.toFixed(1)} ms, 99.99 % below ${two.toFixed(1)}, at most ${most.toFixed(1)}`;
  const all = work.between(begun);
  const [usual = 0, nearly = 0, most = 0] = [0.5, 0.999, 1].map(
    (share) => all[Math.ceil(share * all.length) - 1]?.ms,
  );
  say(
    `work of the event loop's thread from turn to turn, where it is worth telling: median ${usual.toFixed(2)} ms, 99.9 % below ${nearly.toFixed(2)}, at most ${most.toFixed(2)}`,
  );
  say(`the longest: ${work.longest(all)}`);
  const first = work.between(begun, running).at(-1)?.ms ?? 0;
  say(
    `watch() took ${(started - begun).toFixed(2)} ms by the clock, and the first question of the process, which loads the addon, ${addon.toFixed(2)}; until the connections began, at most ${first.toFixed(2)} ms of work`,
  );
  say(`event loop, timers late: ${show(own)}`);
  say(`another thread's, timers late: ${show(late)}`);
  say(`the same work of that, some 0.3 ms, over and over: ${show(same)}`);
  say(`${batches} batches of at most ${largest} changes; missed told ${missed} times`);
  const seconds2 = (used.user + used.system) / 1e6;
  say(`processor: ${((100 * seconds2) / seconds).toFixed(1)} % of one core`);
  if (most > MOST_WORK) throw new StepError('it held up the event loop', 'see above');
  if (results.some(({ lost, doubled }) => lost + doubled > 0) || missed > 0) {
    throw new StepError('what was told is not what happened', 'see above');
  }
}
