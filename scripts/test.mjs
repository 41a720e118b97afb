import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { isAbsolute, relative } from 'node:path';
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
  await build({ tests: true });
  mkdirSync(inRoot('build'), { recursive: true });
  rmSync(skippedFile, { force: true });
  rmSync(resultFile, { force: true });

  const { status, tail } = await ava(process.argv.slice(2).map(compiled));
  tellSkipped();
  const result = count(tail, status);
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
 * Runs ava, its output passed on as it comes.
 * @param {string[]} args
 * @returns {Promise<{ status: number, tail: string }>} the exit status and the end of the output
 */
function ava(args) {
  const colour = process.stdout.isTTY && !process.env.NO_COLOR ? { FORCE_COLOR: '1' } : {};
  const child = spawn(process.execPath, [inRoot('node_modules/ava/entrypoints/cli.mjs'), ...args], {
    cwd: root,
    env: {
      ...process.env,
      ...colour,
      PATH: searchPath,
      EARSHOT_SKIPPED_TESTS: skippedFile,
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let tail = '';
  child.stdout.on('data', (chunk) => {
    process.stdout.write(chunk);
    tail = (tail + chunk).slice(-100_000);
  });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => resolve({ status: code ?? 1, tail }));
  });
}

/**
 * The numbers in ava's closing lines. Whatever else made ava fail (an exception outside a test, a
 * file that could not be loaded, a time-out, no tests at all) counts as a failure too.
 * @param {string} tail
 * @param {number} status
 */
function count(tail, status) {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: colours are control characters.
  const lines = tail.replace(/\x1b\[[0-9;]*m/g, '').split('\n');
  const number = (/** @type {RegExp} */ pattern) =>
    lines.reduce((sum, line) => sum + Number(pattern.exec(line)?.[1] ?? 0), 0);
  const passed = number(/^\s*(\d+) tests? passed$/);
  const failed =
    number(/^\s*(\d+) (?:tests?|hooks?) failed$/) +
    number(/^\s*(\d+) (?:uncaught exceptions?|unhandled rejections?)$/);
  return { passed, failed: status === 0 ? failed : Math.max(failed, 1) };
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
