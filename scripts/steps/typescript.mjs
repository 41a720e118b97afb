import { existsSync, rmSync } from 'node:fs';
import { inRoot } from '../support/paths.mjs';
import { filesUnder, fingerprint, isStamped, stamp } from '../support/stamp.mjs';
import { runNode, StepError } from '../support/step.mjs';
import { gatherTypes } from './types.mjs';

const common = [
  'package-lock.json',
  'tsconfig.base.json',
  'scripts/docs/man-page.mjs',
  ...filesUnder('scripts/steps'),
];

/**
 * @typedef {object} Project
 * @property {string} name
 * @property {string} source
 * @property {string} output
 * @property {string[]} more what is in the output directory and was not compiled from the source
 */

/** @type {Project} */
const lib = {
  name: 'lib',
  source: 'lib',
  output: 'dist',
  more: [
    'dist/earshot.js',
    'dist/earshot.licenses.txt',
    'dist/earshot.1',
    'dist/types/index.d.ts',
    ...['index', 'reach', 'library'].map((name) => `dist/bundle/${name}.js`),
  ],
};
/** @type {Project} */
const test = { name: 'test', source: 'test', output: 'build/test', more: [] };

/**
 * lib/ to dist/ and test/ to build/test/, and what users load bundled.
 * @param {{ tests: boolean }} options
 * @returns {Promise<string[]>} the names of what had to be built
 */
export async function compile({ tests }) {
  const libInputs = fingerprint([...common, ...sources(lib), 'lib/tsconfig.json', 'package.json']);
  const testInputs = fingerprint([...sources(test), 'test/tsconfig.json'], [libInputs]);
  const libDone = isStamped(lib.name, libInputs) && isWhole(lib);
  const testDone = !tests || (isStamped(test.name, testInputs) && isWhole(test));
  if (libDone && testDone) return [];

  prepare(lib);
  if (!testDone) prepare(test);
  await tsc(testDone ? lib : test);
  if (!libDone) {
    // Loaded on need: esbuild is not there before the packages are, and takes time to load.
    const { bundle } = await import('./bundle.mjs');
    await bundle();
    gatherTypes();
    const { writeManPage } = await import('../docs/man-page.mjs');
    await writeManPage();
    stamp(lib.name, libInputs);
  }
  if (!testDone) stamp(test.name, testInputs);
  return [...(libDone ? [] : ['dist']), ...(testDone ? [] : ['tests'])];
}

/** @param {Project} project */
const sources = (project) => filesUnder(project.source, (path) => /\.[cm]?ts$/.test(path));

/** @param {Project} project @returns {Set<string>} every file that the compiler writes */
function outputs(project) {
  const modules = sources(project)
    .filter((path) => !/\.d\.[cm]?ts$/.test(path))
    .map((path) => project.output + path.slice(project.source.length).replace(/ts$/, ''));
  return new Set(modules.flatMap((path) => [`${path}js`, `${path.replace(/([cm]?)$/, 'd.$1')}ts`]));
}

/** @param {Project} project */
const isWhole = (project) =>
  [...outputs(project), ...project.more].every((path) => existsSync(inRoot(path)));

/**
 * Takes away what a source file that is gone has left (a removed test must not go on running), and
 * the compiler's memory where an output is missing, for it would not look.
 * @param {Project} project
 */
function prepare(project) {
  const wanted = new Set([...outputs(project), ...project.more]);
  const present = filesUnder(project.output);
  for (const path of present) {
    // Steps clear their own directories, in which names follow from contents.
    if (!wanted.has(path) && !/^dist\/(bundle|types)\//.test(path)) rmSync(inRoot(path));
  }
  const compiled = new Set(present);
  if ([...outputs(project)].some((path) => !compiled.has(path))) {
    rmSync(inRoot('build', `${project.name}.tsbuildinfo`), { force: true });
  }
}

/** @param {Project} project */
async function tsc(project) {
  const { status, output } = await runNode(inRoot('node_modules/typescript/bin/tsc'), [
    '-b',
    project.source,
    ...(process.stderr.isTTY ? ['--pretty'] : []),
  ]);
  if (status !== 0) {
    throw new StepError(
      `compiling ${project.source}/ failed`,
      'correct what is named above',
      output,
    );
  }
}
