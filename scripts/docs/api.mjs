import { cpSync, mkdirSync } from 'node:fs';
import { setUp } from '../setup.mjs';
import { inRoot } from '../support/paths.mjs';
import { fingerprint, isStamped, stamp } from '../support/stamp.mjs';
import { main, run, runNode, StepError, say } from '../support/step.mjs';

/*
 * `npm run docs` writes the API reference to build/docs, from the doc comments of what lib/index.ts
 * and lib/reach/index.ts export. With --check nothing is written. Either fails where a public symbol,
 * or a field of one, is not documented, or a link leads nowhere.
 */

const source = 'scripts/docs/typedoc';
const place = 'build/typedoc';

await main(async () => {
  await setUp();
  await install();
  const check = process.argv.includes('--check');
  const { status, output } = await runNode(inRoot(place, 'node_modules/typedoc/bin/typedoc'), [
    ...['--options', inRoot(source, 'typedoc.json')],
    ...(check ? ['--emit', 'none'] : []),
  ]);
  if (status !== 0) {
    throw new StepError('the API reference is not whole', 'document what is named above', output);
  }
  say(check ? 'every public symbol is documented' : 'wrote build/docs/index.html');
});

/** TypeDoc needs another TypeScript than the compiler: both are installed apart, at fixed versions. */
async function install() {
  const files = ['package.json', 'package-lock.json'];
  const inputs = fingerprint(files.map((file) => `${source}/${file}`));
  if (isStamped('typedoc', inputs)) return;
  say('installing TypeDoc into build/typedoc');
  mkdirSync(inRoot(place), { recursive: true });
  for (const file of files) cpSync(inRoot(source, file), inRoot(place, file));
  const args = ['ci', '--ignore-scripts', '--no-audit', '--no-fund'];
  const { status, output } = await run('npm', args, { cwd: inRoot(place) });
  if (status !== 0) {
    throw new StepError(
      'TypeDoc could not be installed',
      'see above; it needs the registry',
      output,
    );
  }
  stamp('typedoc', inputs);
}
