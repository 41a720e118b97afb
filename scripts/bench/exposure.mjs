// What `exposure` costs: of a laptop, with and without a firewall, and of a server with a thousand
// listeners, ten interfaces, a thousand rules and a block list of fifty thousand elements. Each time
// it is given a state that it has never seen, as a capture is; and, as who types the command meets it, by
// a process of its own that has asked nothing before. Beside it, taking turns, JSON.parse of that state,
// so that machines can be compared. Times are those of the processor, which do not count
// what others use, and of the clock.
// Usage: npm run bench:exposure [-- ROUNDS]
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { median } from './measure.mjs';
import { guardedLaptop, laptop, server } from './scenes.mjs';

/** @typedef {import('../../lib/reach/index.js').HostState} HostState */
/** @typedef {import('../../lib/reach/index.js').Exposure} Exposure */

const reach = new URL('../../dist/reach/index.js', import.meta.url);
if (!existsSync(reach)) {
  console.error(`${reach.pathname} is not there: run 'npm run build' first`);
  process.exit(2);
}
/** @type {typeof import('../../lib/reach/index.js')} */
const { exposure } = await import(reach.href);

const rounds = Number(process.argv[2] ?? 5);
if (!Number.isInteger(rounds) || rounds < 1) {
  console.error(`'${process.argv[2]}' is not a number of rounds: give a whole number from 1`);
  process.exit(2);
}

const large = { interfaces: 10, listeners: 1000, rules: 1000, elements: 50_000 };
/** How many times a state is asked for a round: short answers are measured together. @type {[string, HostState, number][]} */
const scenes = [
  ['laptop, 25 listeners', laptop(), 20],
  ['laptop, 25 listeners, 6 rules', guardedLaptop(), 20],
  ['server, 1,000 listeners', server(large), 1],
];

/** Milliseconds of the processor and of the clock. @param {() => void} work */
function timed(work) {
  const began = performance.now();
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  return { processor: (user + system) / 1000, clock: performance.now() - began };
}

/** The first call of a process, which is given the scene as text. @param {string} text */
function firstCall(text) {
  const program = `
    import { readFileSync } from 'node:fs';
    import { exposure } from ${JSON.stringify(reach.href)};
    const state = JSON.parse(readFileSync(0, 'utf8'));
    const began = performance.now();
    const before = process.cpuUsage();
    exposure(state);
    const { user, system } = process.cpuUsage(before);
    console.log(JSON.stringify({ processor: (user + system) / 1000, clock: performance.now() - began }));`;
  const options = { input: text, encoding: /** @type {const} */ ('utf8') };
  const told = execFileSync(process.execPath, ['--input-type=module', '-e', program], options);
  return /** @type {{ processor: number, clock: number }} */ (JSON.parse(told));
}

/** Every row of an exposure. @param {Exposure} one */
const rowsOf = ({ reach: reached, blocked, unknown }) => [...reached, ...blocked, ...unknown];

/** Reads who stands in every row. @param {Exposure[]} exposures */
function readPeers(exposures) {
  let rows = 0;
  let prefixes = 0;
  for (const one of exposures) {
    for (const { peers } of rowsOf(one)) {
      rows++;
      prefixes += peers.length;
    }
  }
  return { rows, prefixes };
}

/** @param {number} value */
const show = (value) =>
  value.toLocaleString('en', { maximumFractionDigits: value < 100 ? 1 : 0 }).padStart(12);

/** @param {string} name @param {{ processor: number, clock: number }[]} times @param {number} count @param {number} reference */
function print(name, times, count, reference) {
  const processor = median(times.map((one) => one.processor)) / count;
  const clock = median(times.map((one) => one.clock)) / count;
  const ratio = (processor / reference).toFixed(2).padStart(10);
  console.log(`${name.padEnd(44)}${show(processor)}${show(clock)}${ratio}`);
}

console.log(
  `${'milliseconds, medians'.padEnd(44)}${'processor'.padStart(12)}${'clock'.padStart(12)}${'of JSON'.padStart(10)}`,
);
for (const [name, state, count] of scenes) {
  const text = JSON.stringify(state);
  /** @type {Record<'parsed' | 'first' | 'exposed' | 'read', { processor: number, clock: number }[]>} */
  const times = { parsed: [], first: [], exposed: [], read: [] };
  let told = { rows: 0, prefixes: 0 };
  for (let round = -1; round < rounds; round++) {
    const copies = Array.from({ length: count }, () => /** @type {HostState} */ (JSON.parse(text)));
    const parsed = timed(() => {
      for (let number = 0; number < count; number++) JSON.parse(text);
    });
    /** @type {Exposure[][]} */
    const exposures = [];
    const exposed = timed(() => {
      for (const copy of copies) exposures.push(exposure(copy));
    });
    const read = timed(() => {
      for (const one of exposures) told = readPeers(one);
    });
    if (round < 0) continue; // warms up
    times.parsed.push(parsed);
    times.first.push(firstCall(text));
    times.exposed.push(exposed);
    times.read.push(read);
  }
  const reference = median(times.parsed.map((one) => one.processor)) / count;
  print(`JSON.parse of the ${name.split(',')[0]}`, times.parsed, count, reference);
  print(`exposure(): ${name}`, times.exposed, count, reference);
  print('  in a process that asks nothing before', times.first, 1, reference);
  print('  and reading the peers of every row', times.read, count, reference);
  const { rows, prefixes } = told;
  console.log(`  ${rows.toLocaleString('en')} rows, ${prefixes.toLocaleString('en')} prefixes`);
}
