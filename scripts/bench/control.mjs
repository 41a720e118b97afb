import { monitorEventLoopDelay } from 'node:perf_hooks';
import { parentPort } from 'node:worker_threads';
import { threadClock } from './thread-clock.mjs';

/*
 * A thread that does the same little work over and over, as often as a watch has something to tell:
 * how late its timers come and how much processor time that work takes are the machine's doing alone.
 */

const EVERY_MS = 16;
const WORK_MS = 0.3;

let sum = 0;
/** @param {number} turns */
function work(turns) {
  for (let turn = 0; turn < turns; turn++) sum = (Math.imul(sum, 31) + turn) | 0;
}

let turns = 1000;
for (let took = 0; took < WORK_MS; turns *= 2) {
  const start = threadClock();
  work(turns);
  took = threadClock() - start;
}

/** @type {number[]} */
const took = [];
setInterval(() => {
  const start = threadClock();
  work(turns / 2);
  took.push(threadClock() - start);
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
