import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { isAbsolute, relative } from 'node:path';
import { createInterface } from 'node:readline';
import { build } from './build.mjs';
import { setUp } from './setup.mjs';
import { inRoot, root } from './support/paths.mjs';
import { main, say } from './support/step.mjs';
import { provideTools, searchPath } from './system-tools.mjs';

/*
 * `npm test` runs everything, `npm test -- test/kernel/routes.test.ts` one file, a directory or
 * whatever else ava takes. Says at the end what was skipped and why, then `N passed, N failed`.
 */

const skippedFile = inRoot('build', 'skipped-tests.jsonl');
const resultFile = inRoot('build', 'test-result.json');

await main(async () => {
  await setUp();
  await provideTools('test');
  if (process.env.CI === 'true') await provideTools('services');
  await build({ tests: true });
  mkdirSync(inRoot('build'), { recursive: true });
  rmSync(skippedFile, { force: true });
  rmSync(resultFile, { force: true });

  const result = await ava(process.argv.slice(2).map(compiled));
  tellSkipped();
  writeFileSync(resultFile, `${JSON.stringify(result)}\n`);
  process.stdout.write(`\n${result.passed} passed, ${result.failed} failed\n`);
  if (result.failed > 0) process.exitCode = 1;
});

/**
 * A test's source path as the path of what was compiled from it; any other argument as it is.
 * @param {string} argument
 */
function compiled(argument) {
  const path = isAbsolute(argument) ? relative(root, argument) : argument.replace(/^\.\//, '');
  if (!/^test(\/|$)/.test(path)) return argument;
  return `build/${path.replace(/\/$/, '').replace(/\.([cm]?)ts$/, '.$1js')}`;
}

/**
 * What makes an ordinary user root of a user namespace, so that the lab can make network namespaces;
 * nothing for root, or where user namespaces are not to be had.
 * @returns {string[]}
 */
function privilege() {
  if (process.getuid?.() === 0) return [];
  const command = ['unshare', '--user', '--map-root-user', '--'];
  const { status } = spawnSync('unshare', [...command.slice(1), 'true'], { stdio: 'ignore' });
  return status === 0 ? command : [];
}

/**
 * Runs ava, its output passed on as it comes.
 * @param {string[]} args
 * @returns {Promise<{ passed: number, failed: number }>}
 */
async function ava(args) {
  const colour = process.stdout.isTTY && !process.env.NO_COLOR ? { FORCE_COLOR: '1' } : {};
  const [program, ...before] = [...privilege(), process.execPath];
  const script = inRoot('node_modules/ava/entrypoints/cli.mjs');
  const child = spawn(program ?? process.execPath, [...before, script, ...args], {
    cwd: root,
    env: {
      ...process.env,
      ...colour,
      PATH: searchPath,
      EARSHOT_SKIPPED_TESTS: skippedFile,
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  child.stdout.pipe(process.stdout, { end: false });
  const ended = once(child, 'close');
  const result = { passed: 0, failed: 0 };
  for await (const line of createInterface({ input: child.stdout })) count(line, result);
  const [status] = await ended;
  // Whatever else made ava fail (a file that could not be loaded, a time-out, no tests at all) counts.
  if (status !== 0 && result.failed === 0) result.failed = 1;
  return result;
}

/**
 * Counts by ava's lines: a tick for each test that passed (the closing lines leave their number out
 * when another failed), and the closing lines for what did not.
 * @param {string} line
 * @param {{ passed: number, failed: number }} result
 */
function count(line, result) {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: colours are control characters.
  const text = line.replace(/\x1b\[[0-9;]*m/g, '');
  if (/^\s*[✔√] /.test(text)) result.passed += 1;
  const failures =
    /^\s*(\d+) (?:(?:tests?|hooks?) failed|uncaught exceptions?|unhandled rejections?)$/.exec(text);
  if (failures) result.failed += Number(failures[1]);
}

function tellSkipped() {
  if (!existsSync(skippedFile)) return;
  /** @type {Map<string, string[]>} */
  const byReason = new Map();
  for (const line of readFileSync(skippedFile, 'utf8').trim().split('\n')) {
    const { reason, title } = JSON.parse(line);
    byReason.set(reason, [...(byReason.get(reason) ?? []), title]);
  }
  for (const [reason, titles] of byReason) {
    say(`skipped ${titles.length} tests: ${reason}`);
    for (const title of titles) process.stderr.write(`  - ${title}\n`);
  }
}
