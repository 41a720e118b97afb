import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { build } from '../build.mjs';
import { binaryPath } from '../prebuild/record.mjs';
import { provide, releaseKeys, runtimeVersions } from '../prebuild/registry.mjs';
import { targets } from '../prebuild/targets.mjs';
import { setUp } from '../setup.mjs';
import { inRoot, root } from '../support/paths.mjs';
import { main, StepError, say } from '../support/step.mjs';
import { checkTypes, pack } from './tarball.mjs';
import { checkWorkflows } from './workflows.mjs';

/*
 * `npm run release:check`: may this be published? In a fresh clone, where there are no binaries, it
 * makes them; those that are there are judged as they are, and one that is missing, or of another
 * source than this, is refused. Options are prebuild:check's: --no-rebuild, --rebuild=NAME.
 */

/**
 * Runs one of the scripts, its output passed on.
 * @param {string[]} args
 * @param {NodeJS.ProcessEnv} [more]
 */
async function script(args, more = {}) {
  const env = { ...process.env, ...more };
  const child = spawn(process.execPath, args, { cwd: root, env, stdio: 'inherit' });
  const [status] = await once(child, 'close');
  if (status !== 0) throw new StepError(`${args.join(' ')} failed`, 'see above');
}

/** @param {number} began */
const seconds = (began) => `${((performance.now() - began) / 1000).toFixed(0)} s`;

/** Does it, and says how long that took. @param {string} what @param {() => Promise<void>} work */
async function timed(what, work) {
  const began = performance.now();
  try {
    await work();
  } finally {
    say(`${what}: ${seconds(began)}`);
  }
}

/** What is in the version that would be published, and what it was tested on, is told. */
async function checkTexts() {
  const { version } = JSON.parse(readFileSync(inRoot('package.json'), 'utf8'));
  if (!readFileSync(inRoot('CHANGELOG.md'), 'utf8').includes(`\n## [${version}]`)) {
    throw new StepError(
      `CHANGELOG.md does not tell of ${version}`,
      `head a section '## [${version}]'`,
    );
  }
  const readme = readFileSync(inRoot('README.md'), 'utf8');
  const untold = runtimeVersions.filter((release) => !readme.includes(release));
  if (untold.length === 0) return;
  throw new StepError(
    `README.md does not say that the package was tested on ${untold.join(', ')}`,
    "put right its section 'What it was tested on'",
  );
}

await main(async () => {
  const options = process.argv.slice(2);
  const began = performance.now();
  await setUp();
  await build({ tests: true });
  // While processors compile, the network brings what the binaries are loaded with later. Whoever needs
  // what did not come will say so.
  const fetching = Promise.allSettled(releaseKeys.map(provide));
  if (!targets.some((target) => existsSync(binaryPath(target)))) {
    say('no binaries are there: making them');
    await timed('the binaries', () => script(['scripts/prebuild/prebuild.mjs']));
  }
  await fetching;
  // Nothing else is worth knowing of a package whose binaries are not right.
  await timed('prebuild:check', () => script(['scripts/prebuild/check.mjs', ...options]));

  let tarball = '';
  /** @type {[string, () => Promise<void>][]} */
  const checks = [
    ['texts', checkTexts],
    ['workflows', checkWorkflows],
    [
      'the package, used from its tarball',
      () => script(['scripts/test.mjs', 'test/package'], { EARSHOT_RELEASE: 'true', CI: 'true' }),
    ],
    [
      'types of the tarball',
      async () => {
        tarball = await pack();
        await checkTypes(tarball);
      },
    ],
    ['the tarball, tried', () => script(['scripts/release/try.mjs', tarball])],
    ['start-up', () => script(['scripts/bench/startup.mjs', '--check'])],
  ];
  /** @type {StepError[]} */
  const failed = [];
  for (const [name, check] of checks) {
    say(`checking ${name}`);
    await timed(name, check).catch((error) => {
      if (!(error instanceof StepError)) throw error;
      failed.push(error);
      process.stderr.write(`${error.output.trimEnd()}\nearshot: ${error.message}\n`);
    });
  }
  if (failed.length > 0) {
    throw new StepError(
      `not to be released: ${failed.map(({ message }) => message).join('; ')}`,
      failed.map(({ remedy }) => remedy).join('; '),
    );
  }
  say(`${tarball.slice(root.length + 1)} may be published (${seconds(began)})`);
});
