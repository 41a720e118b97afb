import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, release } from 'node:os';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { inRoot } from '../support/paths.mjs';
import { fingerprint, isStamped, stamp } from '../support/stamp.mjs';
import { main, run, StepError, say } from '../support/step.mjs';
import { compile } from './compile.mjs';
import { questions } from './questions.mjs';
import { table } from './table.mjs';

/*
 * `npm run bench [-- SIZE… [--rounds N] [--check] [--write]]` asks earshot, the kernel alone and other programs
 * and packages the same questions about so many TCP sockets over loopback, 1,000 and 100,000 unless
 * given, in a network namespace of their own. The answerers take turns, so that a machine that is
 * slower for a while is so for all. With --check it fails where a ratio is not kept; with --write the
 * tables of the last size go into README.md, with the date and the machine.
 */

const SLOW_ROUNDS = 3;
/** An answer this quick, in milliseconds, is asked for so often in a row that its code is warm. */
const QUICK = 5;
const QUICK_ASKS = 100;
/** The ratios are promised from so many sockets on. */
const PROMISED = 100_000;
const source = 'scripts/bench/packages';
const packages = 'build/bench-packages';

/** @typedef {import('./questions.mjs').Answerer} Answerer */
/** @typedef {{ times: number[], count: number, peak: number }} Answers */

await main(async () => {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      rounds: { type: 'string', default: '9' },
      check: { type: 'boolean', default: false },
      write: { type: 'boolean', default: false },
      inside: { type: 'boolean', default: false },
    },
  });
  const rounds = wholeNumber(values.rounds, 'a number of rounds', 1);
  const sizes = (positionals.length > 0 ? positionals : ['1000', '100000']).map((text) =>
    wholeNumber(text.replaceAll(/[,_]/g, ''), 'a number of sockets', 2),
  );
  if (!values.inside) return inNamespaceOfItsOwn();
  await run('ip', ['link', 'set', 'lo', 'up']);
  const machine = `${cpus()[0]?.model.trim()}, ${cpus().length} cores, Linux ${release()}, Node ${process.version}`;
  say(machine);
  const [load = 0] = loadavg();
  let tables = '';
  for (const size of sizes) tables = await measure(size, rounds, values.check);
  if (values.write) await write(sizes.at(-1) ?? 0, machine, load, tables);
});

/** @param {number} size @param {string} machine @param {number} load before it began @param {string} tables */
async function write(size, machine, load, tables) {
  const [begin, end] = ['<!-- bench -->', '<!-- /bench -->'];
  const text = readFileSync(inRoot('README.md'), 'utf8');
  const [from, to] = [text.indexOf(begin), text.indexOf(end)];
  if (from < 0 || to < from) throw new StepError(`README.md has no ${begin}`, 'put it back');
  const date = new Date().toISOString().slice(0, 10);
  const said = `${size.toLocaleString('en')} TCP sockets over loopback, ${date}: ${machine}; the load of other programs was ${load.toFixed(1)}.`;
  const whole = `${text.slice(0, from + begin.length)}\n\n${said}\n\n${tables}\n${text.slice(to)}`;
  writeFileSync(inRoot('README.md'), whole);
  await run('npx', ['biome', 'format', '--write', inRoot('README.md')]);
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
 * @returns {Promise<string>} the tables
 */
async function measure(size, rounds, check) {
  const tables = [];
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
    console.log(`\n## ${size.toLocaleString('en')} TCP sockets\n`);
    for (const { what, answerers } of questions(Number(port))) {
      const installed = answerers.filter(isThere);
      const results = await takeTurns(installed, rounds);
      const { text, broken } = table(what, installed, results);
      console.log(text);
      tables.push(text);
      if (size < PROMISED) continue;
      if (check && broken.length > 0) process.exitCode = 1;
      for (const ratio of broken) say(`not kept: ${ratio}`);
    }
  } finally {
    load.stdin.end();
    await ended;
  }
  return tables.join('\n');
}

/** @param {Answerer} answerer */
function isThere({ name, command: [helper = '', program = ''] }) {
  if (!helper.endsWith('/program')) return true;
  const { error } = spawnSync(program, ['--version'], { stdio: 'ignore' });
  if (error) say(`'${name}' is left out: ${program} is not installed`);
  return !error;
}

/**
 * Every answerer once a round, and once before that does not count.
 * @param {Answerer[]} answerers @param {number} rounds
 * @returns {Promise<Answers[]>}
 */
async function takeTurns(answerers, rounds) {
  const running = answerers.map(({ command: [file = '', ...values], line = '' }) => {
    const child = spawn(file, values, { stdio: ['pipe', 'pipe', 'ignore'] });
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    const ask = async () => {
      child.stdin.write(`${line}\n`);
      const { value } = await lines.next();
      return value === undefined ? null : value.split(' ').map(Number);
    };
    return {
      child,
      ask,
      answers: /** @type {Answers} */ ({ times: [], count: -1, peak: 0 }),
    };
  });
  for (let round = 0; round <= rounds; round++) {
    for (const [at, { ask, answers }] of running.entries()) {
      const slow = answerers[at]?.slow ?? false;
      if (slow && (round === 0 || round > SLOW_ROUNDS)) continue;
      let took = 0;
      for (let asked = 0; asked === 0 || (took < QUICK && asked < QUICK_ASKS); asked++) {
        const told = await ask();
        if (!told) break;
        const [count = -1, peak = 0] = told.slice(1);
        took = told[0] ?? 0;
        if (round > 0) answers.times.push(took);
        Object.assign(answers, { count, peak });
      }
    }
  }
  for (const { child } of running) child.stdin.end();
  return running.map(({ answers }) => answers);
}
