import { cpSync, mkdirSync, readFileSync } from 'node:fs';
import { stripVTControlCharacters } from 'node:util';
import { setUp } from '../setup.mjs';
import { inRoot } from '../support/paths.mjs';
import { fingerprint, isStamped, stamp } from '../support/stamp.mjs';
import { main, run, runNode, StepError, say } from '../support/step.mjs';

/*
 * `npm run docs` writes the API reference to build/docs, from the doc comments of what lib/index.ts
 * and lib/reach/index.ts export. Either way, and with --check alone, it fails where a public symbol or
 * a field of one is not documented, where a function does not say what it throws or has no example, where
 * no function with one leads to a type, or a link leads nowhere.
 */

const source = 'scripts/docs/typedoc';
const place = 'build/typedoc';
const model = inRoot('build/typedoc/api.json');

await main(async () => {
  await setUp();
  await install();
  const check = process.argv.includes('--check');
  const { status, output } = await runNode(inRoot(place, 'node_modules/typedoc/bin/typedoc'), [
    ...['--options', inRoot(source, 'typedoc.json'), '--plugin', inRoot(place, 'shown-by.mjs')],
    ...['--json', model],
    ...(check ? [] : ['--out', inRoot('build/docs')]),
  ]);
  const wrong = status === 0 ? [...warnings(output), ...untold()] : [output.trim()];
  if (wrong.length > 0) {
    throw new StepError(
      'the API reference is not whole',
      'add what is named above to the doc comments in lib/',
      wrong.join('\n'),
    );
  }
  say(check ? 'every public symbol is documented' : 'wrote build/docs/index.html');
});

/**
 * What TypeDoc has to say. The fields of a type that is written out inside another are explained
 * where that one is.
 * @param {string} output
 */
function warnings(output) {
  return stripVTControlCharacters(output)
    .split('\n')
    .filter((line) => line.startsWith('[warning]') && !/ Found \d+ errors /.test(line))
    .filter((line) => !/\.__type\.\w+ \(Property\)/.test(line));
}

/** @typedef {{ kind: number, name: string, children?: Reflection[], signatures?: Reflection[], comment?: { blockTags?: { tag: string }[] } }} Reflection */

/** @returns {string[]} what comments of exported functions lack */
function untold() {
  /** TypeDoc's ReflectionKind.Function. */
  const functionKind = 64;
  /** @type {Reflection} */
  const project = JSON.parse(readFileSync(model, 'utf8'));
  return (project.children ?? []).flatMap(({ children = [] }) =>
    children
      .filter(({ kind }) => kind === functionKind)
      .flatMap(({ name, signatures = [] }) => {
        const tags = signatures.flatMap(({ comment }) => comment?.blockTags ?? []);
        return ['@throws', '@example']
          .filter((wanted) => !tags.some(({ tag }) => tag === wanted))
          .map((wanted) => `${name} (function) has no ${wanted}`);
      }),
  );
}

/** TypeDoc needs another TypeScript than the compiler: both are installed apart, at fixed versions. */
async function install() {
  const files = ['package.json', 'package-lock.json', 'shown-by.mjs'];
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
