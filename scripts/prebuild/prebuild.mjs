import { rmSync } from 'node:fs';
import { setUp } from '../setup.mjs';
import { inRoot, root } from '../support/paths.mjs';
import { processors, sideBySide } from '../support/side-by-side.mjs';
import { main, StepError, say } from '../support/step.mjs';
import { isAsked } from './asked.mjs';
import { buildBinary } from './build.mjs';
import { binaryPath, objection, record, sourceHash } from './record.mjs';
import { nameOf, targets } from './targets.mjs';

/*
 * `npm run prebuild` makes the binaries that are shipped, in prebuilds/: those that are missing or of
 * another source than this. `npm run prebuild -- linux-x64-musl` makes that one, `--force` makes it anew.
 */

await main(async () => {
  if (!isAsked()) return;
  const args = process.argv.slice(2);
  const force = args.includes('--force');
  const names = args.filter((argument) => argument !== '--force');
  const unknown = names.find((name) => !targets.some((target) => nameOf(target) === name));
  if (unknown !== undefined) {
    throw new StepError(`no such binary: ${unknown}`, `name ${targets.map(nameOf).join(', ')}`);
  }
  await setUp();
  const wanted = targets
    .filter((target) => names.length === 0 || names.includes(nameOf(target)))
    .filter((target) => force || objection(target) !== null);
  const source = sourceHash();
  // Each is two files to compile, and then linked by one thread.
  await sideBySide(wanted, processors, async (target) => {
    const began = performance.now();
    rmSync(binaryPath(target), { force: true });
    await buildBinary(target, {
      work: inRoot('build/prebuild', nameOf(target)),
      out: root,
      jobs: Math.max(1, Math.floor(processors / wanted.length)),
    });
    record(target, source);
    say(`built prebuilds/${target.file} in ${((performance.now() - began) / 1000).toFixed(0)} s`);
  });
});
