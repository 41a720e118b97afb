// What listing the listeners of this machine costs in process, beside a whole `ss -tln`.
// Usage: npm run bench [-- ROUNDS]
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';

const dist = new URL('../../dist/', import.meta.url);
if (!existsSync(new URL('native.js', dist))) {
  console.error(`${dist.pathname}native.js is not there: run 'npm run build' first`);
  process.exit(2);
}
const { native } = await import(new URL('native.js', dist).href);
const earshot = existsSync(new URL('kernel/sockets.js', dist))
  ? await import(new URL('kernel/sockets.js', dist).href)
  : {};

const rounds = Number(process.argv[2] ?? 2000);
if (!Number.isInteger(rounds) || rounds < 10) {
  console.error(`'${process.argv[2]}' is not a number of rounds: give a whole number from 10`);
  process.exit(2);
}

const query = {
  tcpStates: 1 << 10,
  udpStates: 1 << 7,
  families: 3,
  localPorts: new Uint16Array(),
  remotePorts: new Uint16Array(),
  localAddress: null,
  localPrefixLength: 0,
  remoteAddress: null,
  remotePrefixLength: 0,
  boundInterface: null,
  uid: null,
  mark: null,
  source: 'auto',
  netns: null,
};

const ss = () => {
  const { error, status } = spawnSync('ss', ['-tln'], { stdio: ['ignore', 'pipe', 'inherit'] });
  if (error || status !== 0) throw error ?? new Error(`ss ended with ${status}`);
};

/** @type {{ name: string, task: () => unknown, count: number }[]} */
const contenders = [
  {
    name: 'addon: TCP listeners',
    task: () => native.readSocketsSync({ ...query, udpStates: 0 }),
    count: rounds,
  },
  {
    name: 'addon: TCP listeners and UDP',
    task: () => native.readSocketsSync(query),
    count: rounds,
  },
  {
    name: 'addon: the same from /proc',
    task: () => native.readSocketsSync({ ...query, source: 'procfs' }),
    count: rounds,
  },
];
if (earshot.listenersSync) {
  const withoutOwners = () => earshot.listenersSync({}, { owners: false });
  contenders.push({ name: 'listenersSync(), no owners', task: withoutOwners, count: rounds });
  const withOwners = () => earshot.listenersSync();
  contenders.push({ name: 'listenersSync()', task: withOwners, count: Math.ceil(rounds / 20) });
}
if (spawnSync('ss', ['-V']).status === 0) {
  contenders.push({ name: 'ss -tln (a process)', task: ss, count: Math.ceil(rounds / 20) });
} else {
  console.error('ss is not installed, so there is nothing to compare with: apt install iproute2');
}

/**
 * Milliseconds of each round, in ascending order; the first tenth warms up and does not count.
 * @param {() => unknown} task
 * @param {number} count
 */
function measure(task, count) {
  /** @type {number[]} */
  const times = [];
  for (let round = -Math.ceil(count / 10); round < count; round++) {
    const start = process.hrtime.bigint();
    task();
    const took = Number(process.hrtime.bigint() - start) / 1e6;
    if (round >= 0) times.push(took);
  }
  return times.sort((one, other) => one - other);
}

/** @param {number[]} times @param {number} share */
const quantile = (times, share) => times[Math.floor(times.length * share)] ?? 0;

const results = contenders.map(({ name, task, count }) => {
  const times = measure(task, count);
  return { name, median: quantile(times, 0.5), p95: quantile(times, 0.95) };
});
const slowest = results.at(-1)?.median ?? 0;

const { columns } = native.readSocketsSync(query);
console.log(`${columns.length} sockets; milliseconds, and how many times in the last row's time`);
console.log(
  `${'what'.padEnd(32)}${'median'.padStart(10)}${'p95'.padStart(10)}${'ratio'.padStart(9)}`,
);
for (const { name, median, p95 } of results) {
  const ratio = (slowest / median).toFixed(1);
  console.log(
    `${name.padEnd(32)}${median.toFixed(3).padStart(10)}${p95.toFixed(3).padStart(10)}${ratio.padStart(9)}`,
  );
}
