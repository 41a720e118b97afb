import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, openSync, readFileSync, rmSync } from 'node:fs';
import { monitorEventLoopDelay, PerformanceObserver } from 'node:perf_hooks';
import { setTimeout } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { Worker } from 'node:worker_threads';
import { inRoot } from '../support/paths.mjs';
import { main, run, StepError, say } from '../support/step.mjs';
import { compile } from './compile.mjs';
import { Stretches } from './stretches.mjs';
import { sum, Tally } from './tally.mjs';
import { ThreadClock } from './thread-clock.mjs';

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
const FIRST_LOOK_MS = 1000;
/** Between batches a stretch of work counts from this on, in milliseconds. */
const WORTH_TELLING = 0.5;
/** The event loop is not to be held up for longer, in milliseconds. */
const MOST_WORK = 5;

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
  await compile(['churn']);
  const asOther = process.getuid?.() === 0 ? [] : ['--map-root-user'];
  const command = [process.execPath, '--expose-gc', ...process.argv.slice(1), '--inside'];
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
  const { watch } = await import(new URL('../../dist/index.js', import.meta.url).href);
  // Tens of thousands of lines in the end, which are not to be read while this is measured.
  const done = inRoot(`build/bench/churn-${process.pid}.txt`);
  const file = openSync(done, 'w');
  const churn = spawn(inRoot('build/bench/churn'), [String(rate), String(seconds)], {
    stdio: ['pipe', 'pipe', 'inherit', file],
  });
  closeSync(file);
  await once(/** @type {import('node:stream').Readable} */ (churn.stdout), 'data');

  const tally = new Tally();
  let [batches, missed, largest] = [0, 0, 0];
  // No stretch of work on this thread can be longer than all that it did between two looks at its clock:
  // at each batch, and each millisecond that the event loop is free to look.
  const clock = new ThreadClock();
  let worked = clock.now();
  const work = new Stretches();
  const begun = performance.now();
  let from = begun;
  const look = (told = false) => {
    const [until, time] = [performance.now(), clock.now()];
    if (told || time - worked > WORTH_TELLING) work.add(time - worked, from, until);
    [from, worked] = [until, time];
  };
  let first = 0;
  /** @type {NodeJS.Timeout | undefined} */
  let looking;
  /** @type {{ from: number, ms: number }[]} */
  const collections = [];
  const collected = new PerformanceObserver((list) => {
    for (const { startTime, duration } of list.getEntries())
      collections.push({ from: startTime, ms: duration });
  });
  collected.observe({ entryTypes: ['gc'] });
  const watcher = watch({ filter: { protocol: 'tcp' }, intervalMs });
  const start = clock.now() - worked;
  worked = clock.now();
  const reading = (async () => {
    for await (const changes of watcher) {
      batches++;
      largest = Math.max(largest, changes.length);
      for (const change of changes) {
        if (change.type === 'missed') missed++;
        if (change.type === 'opened' || change.type === 'closed')
          tally.add(change.type, change.socket);
      }
      if (batches > 1) look(true);
      else {
        // It waits for what is made only once: the worker's thread, code that is compiled.
        first = clock.now() - worked;
        looking = setInterval(() => look(), 1);
        [from, worked] = [performance.now(), clock.now()];
      }
    }
  })();
  // What is done while the first look goes on counts as having been there before (see watch()).
  await setTimeout(FIRST_LOOK_MS);
  const control = new Worker(new URL('control.mjs', import.meta.url));
  const delay = monitorEventLoopDelay({ resolution: 10 });
  delay.enable();
  const ended = once(churn, 'exit');
  /** @type {import('node:stream').Writable} */ (churn.stdin).end('\n');
  const report = setInterval(() => {
    globalThis.gc?.();
    const { rss, heapUsed, external } = process.memoryUsage();
    const mib = [rss, heapUsed, external].map((bytes) => (bytes / 2 ** 20).toFixed(1));
    worked = clock.now();
    say(`memory ${mib[0]} MiB, heap ${mib[1]}, outside of it ${mib[2]}; ${batches} batches`);
  }, 30_000);
  const before = process.cpuUsage();
  await ended;
  const used = process.cpuUsage(before);
  delay.disable();
  control.postMessage('tell');
  const [{ late, same }] = await once(control, 'message');
  await control.terminate();
  worked = clock.now();
  say('the connections are made; the last TIME-WAIT goes in a minute');
  await timeWaitsGone();
  await setTimeout(10 * intervalMs);
  clearInterval(report);
  clearInterval(looking);
  await watcher.close();
  await reading;

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
  const later = work.all();
  later.sort((one, other) => one.ms - other.ms);
  const [usual = 0, nearly = 0, most = 0] = [0.5, 0.999, 1].map(
    (share) => later[Math.ceil(share * later.length) - 1]?.ms,
  );
  const longest = later.slice(-5).map((one) => {
    const within = collections.filter((gc) => gc.from >= one.from && gc.from < one.to);
    const gc = within.reduce((all, { ms }) => all + ms, 0);
    return `${one.ms.toFixed(2)} ms (${gc.toFixed(2)} of garbage collection by the clock) ${((one.from - begun) / 1000).toFixed(0)} s after the start`;
  });
  say(
    `work of the event loop's thread for a batch: median ${usual.toFixed(2)} ms, 99.9 % below ${nearly.toFixed(2)}, at most ${most.toFixed(2)}`,
  );
  say(`the longest: ${longest.reverse().join(', ')}`);
  say(
    `before that, once: ${start.toFixed(2)} ms to start, ${first.toFixed(2)} for the first batch`,
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
