import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { cpus, loadavg, release } from 'node:os';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { inRoot } from '../support/paths.mjs';
import { writePart } from '../support/readme.mjs';
import { fingerprint, isStamped, stamp } from '../support/stamp.mjs';
import { main, run, StepError, say } from '../support/step.mjs';
import { compile } from './compile.mjs';
import { median } from './measure.mjs';
import { held, questions } from './questions.mjs';
import { costTable, table } from './table.mjs';
import { takeTurns } from './turns.mjs';

/*
 * `npm run bench [-- SIZE… [--rounds N] [--check] [--write]]` asks earshot, the kernel alone and other programs
 * and packages the same questions about so many TCP sockets over loopback, 1,000 and 100,000 unless
 * given, in a network namespace of their own. The answerers take turns, so that a machine that is
 * slower for a while is so for all. With --check it fails where a ratio is not kept; with --write the
 * tables of the last size and what one socket costs at each go into README.md, with the date and the
 * machine.
 */

/** The ratios are promised from so many sockets on. */
const PROMISED = 100_000;
const source = 'scripts/bench/packages';
const packages = 'build/bench-packages';

/** @typedef {import('./questions.mjs').Answerer} Answerer */
/** @typedef {import('./turns.mjs').Answers} Answers */

await main(async () => {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      rounds: { type: 'string', default: '9' },
      check: { type: 'boolean', default: false },
      write: { type: 'boolean', default: false },
      inside: { type: 'boolean', default: false },
      cost: { type: 'boolean', default: false },
    },
  });
  const rounds = wholeNumber(values.rounds, 'a number of rounds', 1);
  const sizes = (positionals.length > 0 ? positionals : ['1000', '100000']).map((text) =>
    wholeNumber(text.replaceAll(/[,_]/g, ''), 'a number of sockets', 2),
  );
  if (!values.inside) return inNamespaceOfItsOwn();
  await run('ip', ['link', 'set', 'lo', 'up']);
  if (values.cost) return tellCost(sizes[0] ?? 0, rounds);
  const machine = `${cpus()[0]?.model.trim()}, ${cpus().length} cores, Linux ${release()}, Node ${process.version}`;
  say(machine);
  const [load = 0] = loadavg();
  let tables = '';
  /** @type {import('./table.mjs').Cost[]} */
  const costs = [];
  for (const size of sizes) {
    tables = await measure(size, rounds, values.check, costs);
    const own = await costWithSmallTable(size, rounds);
    if (own) costs.push(own);
  }
  if (costs.length > 1) {
    const text = costTable(costs);
    console.log(text);
    tables = `${tables}\n${text}`;
  }
  if (values.write) await write(sizes.at(-1) ?? 0, machine, load, tables);
});

/** @param {number} size @param {string} machine @param {number} load before it began @param {string} tables */
async function write(size, machine, load, tables) {
  const date = new Date().toISOString().slice(0, 10);
  const said = `${size.toLocaleString('en')} TCP sockets over loopback, ${date}: ${machine}; the load of other programs was ${load.toFixed(1)}.`;
  await writePart('bench', `${said}\n\n${tables}`);
}

/** @param {string} text @param {string} what @param {number} least */
function wholeNumber(text, what, least) {
  if (/^\d+$/.test(text) && Number(text) >= least) return Number(text);
  throw new StepError(`'${text}' is not ${what}`, `give a whole number from ${least}`);
}

/** Prepares what is needed, and runs this again in a namespace where nothing else is. */
async function inNamespaceOfItsOwn() {
  if (!existsSync(inRoot('dist/index.js'))) {
    throw new StepError('dist/index.js is not there', "run 'npm run build' first");
  }
  await compile(['floor', 'load', 'program']);
  await install();
  const asOther = process.getuid?.() === 0 ? [] : ['--map-root-user'];
  const command = [process.execPath, ...process.argv.slice(1), '--inside'];
  const child = spawn('unshare', ['--net', ...asOther, ...command], { stdio: 'inherit' });
  const [status] = await once(child, 'exit');
  process.exitCode = status ?? 1;
}

/** The packages compared with are none of earshot's: they are installed apart, at fixed versions. */
async function install() {
  const files = ['package.json', 'package-lock.json'];
  const inputs = fingerprint(files.map((file) => `${source}/${file}`));
  if (isStamped('bench-packages', inputs)) return;
  say(`installing the packages to compare with in ${packages}`);
  mkdirSync(inRoot(packages), { recursive: true });
  for (const file of files) cpSync(inRoot(source, file), inRoot(packages, file));
  const args = ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel', 'error'];
  const { status, output } = await run('npm', args, { cwd: inRoot(packages) });
  if (status !== 0) throw new StepError('they could not be installed', 'see above', output);
  stamp('bench-packages', inputs);
}

/**
 * @param {number} size @param {number} rounds @param {boolean} check
 * @param {import('./table.mjs').Cost[]} costs what one socket costs is added to these
 * @returns {Promise<string>} the tables
 */
async function measure(size, rounds, check, costs) {
  /** @type {string[]} */
  const tables = [];
  await underLoad(size, async (port) => {
    console.log(`\n## ${size.toLocaleString('en')} TCP sockets\n`);
    for (const { what, answerers } of questions(port)) {
      const installed = answerers.filter(isThere);
      const results = await takeTurns(installed, rounds);
      if (tables.length === 0) costs.push(await costOf(size, results));
      const { text, broken } = table(what, installed, results);
      console.log(text);
      tables.push(text);
      if (size < PROMISED) continue;
      if (check && broken.length > 0) process.exitCode = 1;
      for (const ratio of broken) say(`not kept: ${ratio}`);
    }
  });
  return tables.join('\n');
}

/** @param {number} size @param {(port: number) => Promise<void>} work what is done while so many sockets are held */
async function underLoad(size, work) {
  const load = spawn(inRoot('build/bench/load'), [String(size)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const ended = once(load, 'exit');
  try {
    const [line] = await Promise.race([
      once(createInterface({ input: load.stdout }), 'line'),
      ended,
    ]);
    const [said, , port] = String(line).split(' ');
    if (said !== 'ready') throw new StepError(`${size} sockets cannot be held`, 'see above');
    await work(Number(port));
  } finally {
    load.stdin.end();
    await ended;
  }
}

/** @param {number} size @param {Answers[]} results of the first question: the floor, columns and records */
async function costOf(size, results) {
  const [floor = NaN, columns = NaN, records = NaN] = results.map(({ times }) => median(times));
  const [{ count: bytes } = { count: NaN }] = await takeTurns([held], 1);
  return { size, buckets: Math.abs(setting('tcp_ehash_entries')), floor, columns, records, bytes };
}

/**
 * What one socket costs where the kernel's hash table is no larger than for so many, as it would be on
 * a machine made for them: in a namespace that has one of its own. Null where the table fits as it is,
 * and before Linux 6.1, where no namespace has its own.
 * @param {number} size @param {number} rounds
 */
async function costWithSmallTable(size, rounds) {
  const buckets = 2 ** Math.ceil(Math.log2(2 * size));
  const child = 'tcp_child_ehash_entries';
  if (Math.abs(setting('tcp_ehash_entries')) <= 2 * buckets || Number.isNaN(setting(child)))
    return null;
  await run('sysctl', ['-qw', `net.ipv4.${child}=${buckets}`]);
  const args = [String(size), '--rounds', String(rounds), '--inside', '--cost'];
  const command = ['--net', process.execPath, process.argv[1] ?? '', ...args];
  const { status, output } = await run('unshare', command);
  if (status !== 0) throw new StepError('what one socket costs is not known', 'see above', output);
  return /** @type {import('./table.mjs').Cost} */ (JSON.parse(output));
}

/** @param {number} size @param {number} rounds */
async function tellCost(size, rounds) {
  await underLoad(size, async (port) => {
    const [all] = questions(port);
    const answerers = all?.answerers.slice(0, 3) ?? [];
    console.log(JSON.stringify(await costOf(size, await takeTurns(answerers, rounds))));
  });
}

/** A setting of this namespace; negative where it shares its table with the first, NaN where there is none. @param {string} name */
function setting(name) {
  try {
    return Number(readFileSync(`/proc/sys/net/ipv4/${name}`, 'utf8'));
  } catch {
    return NaN;
  }
}

/** @param {Answerer} answerer */
function isThere({ name, command: [helper = '', program = ''] }) {
  if (!helper.endsWith('/program')) return true;
  const { error } = spawnSync(program, ['--version'], { stdio: 'ignore' });
  if (error) say(`'${name}' is left out: ${program} is not installed`);
  return !error;
}
