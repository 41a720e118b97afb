import { readFileSync } from 'node:fs';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { parentPort } from 'node:worker_threads';

/*
 * A thread that does the same little work over and over, as often as a watch has something to tell:
 * how late its timers come and how much processor time that work takes are the machine's doing alone.
 */

const EVERY_MS = 16;
const WORK_MS = 0.3;

/** Milliseconds for which this thread has run. */
const time = () => Number(readFileSync('/proc/thread-self/schedstat', 'utf8').split(' ')[0]) / 1e6;

let sum = 0;
/** @param {number} turns */
function work(turns) {
  for (let turn = 0; turn < turns; turn++) sum = (Math.imul(sum, 31) + turn) | 0;
}

let turns = 1000;
for (let took = 0; took < WORK_MS; turns *= 2) {
  const start = time();
  work(turns);
  took = time() - start;
}

/** @type {number[]} */
const took = [];
setInterval(() => {
  const start = time();
  work(turns / 2);
  took.push(time() - start);
}, EVERY_MS);

const delay = monitorEventLoopDelay({ resolution: 10 });
delay.enable();

parentPort?.on('message', () => {
  took.sort((one, other) => one - other);
  const shares = [99.9, 99.99, 100];
  parentPort?.postMessage({
    late: shares.map((share) => delay.percentile(share) / 1e6),
    same: shares.map((share) => took[Math.ceil((share / 100) * took.length) - 1]),
  });
});
