import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setUp } from '../setup.mjs';
import { processors, sideBySide } from '../support/side-by-side.mjs';
import { main, run, StepError, say } from '../support/step.mjs';
import { provideTools } from '../system-tools.mjs';
import { buildBinary } from './build.mjs';
import { factsOf, faults } from './check/binary.mjs';
import { load } from './check/runtimes.mjs';
import { binaryPath, hashOf, objection } from './record.mjs';
import { nameOf, targets } from './targets.mjs';

/*
 * `npm run prebuild:check`: each binary in prebuilds/ is of this source, is what it should be, loads and
 * answers where it should, and comes out the same, byte for byte, when built again elsewhere.
 * `--no-rebuild` leaves the last out, `--rebuild=linux-x64-glibc` does it for one.
 */

/** @typedef {import('./targets.mjs').Target} Target */

await main(async () => {
  const args = process.argv.slice(2);
  const unknown = args.find((argument) => !/^--(no-rebuild|rebuild=.*)$/.test(argument));
  if (unknown) throw new StepError(`no such option: ${unknown}`, '--no-rebuild, --rebuild=NAME');
  const only = args.find((argument) => argument.startsWith('--rebuild='))?.split('=')[1];
  const again = args.includes('--no-rebuild')
    ? []
    : targets.filter((target) => only === undefined || nameOf(target) === only);
  await setUp();

  const stale = targets.flatMap((target) => {
    const why = objection(target);
    return why ? [`prebuilds/${target.file} ${why}`] : [];
  });
  if (stale.length > 0) throw new StepError(stale.join('; '), 'npm run prebuild');
  const { missing, packages } = await provideTools('prebuild-check');
  if (missing.length > 0) {
    throw new StepError(
      `missing: ${missing.join(', ')}`,
      `as root: apt-get install ${packages.join(' ')}`,
    );
  }
  for (const target of targets) await inspect(target);
  await sideBySide(targets, processors, async (target) => {
    for (const what of await load(target)) print(target, what);
  });
  await sideBySide(again, processors, rebuild);
});

/** @param {Target} target @param {string} what */
function print(target, what) {
  process.stdout.write(`${nameOf(target).padEnd(18)} ${what}\n`);
}

/** @param {Target} target */
async function inspect(target) {
  const facts = await factsOf(binaryPath(target));
  const wrong = faults(target, facts);
  if (wrong.length > 0) {
    throw new StepError(
      `prebuilds/${target.file} ${wrong.join('; ')}`,
      'binding.gyp and scripts/prebuild/build.mjs decide it',
    );
  }
  const glibc = facts.newestGlibc ? `, glibc ${facts.newestGlibc}` : '';
  print(target, `${Math.ceil(facts.bytes / 1024)} KiB, needs ${facts.needed.join(' ')}${glibc}`);
}

/** @param {Target} target */
async function rebuild(target) {
  const directory = mkdtempSync(join(tmpdir(), 'earshot-again-'));
  try {
    mkdirSync(join(directory, 'out'));
    say(`building ${nameOf(target)} again`);
    // Another directory, another number of compilers at once, and no library that was made before.
    await buildBinary(target, {
      work: join(directory, 'another', 'place'),
      cache: join(directory, 'cache'),
      out: join(directory, 'out'),
      jobs: 3,
    });
    const built = join(directory, 'out', 'prebuilds', target.file);
    if (hashOf(built) !== hashOf(binaryPath(target))) {
      const { output } = await run('cmp', ['--verbose', built, binaryPath(target)]);
      throw new StepError(
        `${nameOf(target)} comes out different when it is built again`,
        'something of the place or the time has got into it',
        output.split('\n').slice(0, 10).join('\n'),
      );
    }
    print(target, 'the same bytes when built again in another directory');
  } finally {
    rmSync(directory, { recursive: true });
  }
}
