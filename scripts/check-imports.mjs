import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { pathToFileURL } from 'node:url';
import { inRoot, root } from './support/paths.mjs';
import { filesUnder } from './support/stamp.mjs';
import { main, runNode, StepError } from './support/step.mjs';

/*
 * Imports go one way. TypeScript: the compiler itself tells every import that it resolves (static,
 * `import type`, re-export, dynamic, an import() in a type), so that none hides from a regular
 * expression. C++: the #include lines.
 *
 * `node scripts/check-imports.mjs [DIRECTORY]` checks the tree in DIRECTORY, this one by default.
 */

/**
 * What a part of lib/ may import: parts of lib/, or packages (`node:` stands for all of Node's own).
 * Whatever is not named may be imported by nobody but itself.
 * @type {Record<string, string[]>}
 */
const may = {
  errors: [],
  addon: ['errors', 'node:', 'node-gyp-build'],
  'addon-error': ['errors'],
  native: ['addon', 'addon-error', 'model'],
  model: ['errors', 'ipaddr.js'],
  reach: ['model', 'errors', 'ipaddr.js'],
  kernel: ['model', 'native', 'errors', 'node:', 'ipaddr.js'],
  watch: ['kernel', 'reach', 'model', 'native', 'errors', 'node:', 'ipaddr.js'],
  cli: ['watch', 'kernel', 'reach', 'model', 'errors', 'node:', 'ipaddr.js', ...bundled()],
  index: ['watch', 'kernel', 'reach', 'model', 'errors'],
};

/** Packages that only the command uses are bundled with it, so that they are no dependencies. */
function bundled() {
  const { devDependencies } = JSON.parse(readFileSync(inRoot('package.json'), 'utf8'));
  // The types of a package stand for it where nothing else is taken from it.
  return Object.keys(devDependencies).map((name) => name.replace(/^@types\//, ''));
}

/**
 * @param {string} tree the absolute path of a tree with lib/ and perhaps native/
 * @returns {Promise<string[]>} one line for each import that goes the wrong way
 */
export async function wrongImports(tree) {
  return [...(await wrongInTypeScript(tree)), ...wrongIncludes(tree)];
}

/** @param {string} tree */
async function wrongInTypeScript(tree) {
  const lib = join(tree, 'lib');
  const { output } = await runNode(inRoot('node_modules/typescript/bin/tsc'), [
    ...['-p', lib, '--noEmit', '--noCheck', '--traceResolution', '--pretty', 'false'],
  ]);
  const resolved = [...output.matchAll(/^=+ Resolving module '(.+)' from '(.+)'\. =+$/gm)]
    .map(([, specifier = '', file = '']) => ({ specifier, file }))
    .filter(({ file }) => file.startsWith(lib + sep));
  if (resolved.length === 0) {
    throw new StepError(
      'the import check found no import at all',
      'see what tsc --traceResolution says above',
      output,
    );
  }
  const wrong = resolved.filter(({ specifier, file }) => {
    const from = partOf(relative(lib, file));
    const to = targetOf(specifier, file, lib);
    return to !== from && !may[from]?.includes(to);
  });
  return wrong.map(({ specifier, file }) => {
    const from = partOf(relative(lib, file));
    const allowed = may[from]
      ? `${from} may import ${may[from].join(', ') || 'nothing'}`
      : `${from} is no part that the architecture names`;
    return `${relative(tree, file)} imports ${specifier}: ${allowed}`;
  });
}

/**
 * The part of lib/ that a file belongs to: its first directory, or the name of a file at the top.
 * @param {string} path from lib/
 */
const partOf = (path) => path.split(sep)[0]?.replace(/(\.d)?\.[cm]?[jt]s$/, '') ?? '';

/**
 * @param {string} specifier
 * @param {string} file the importing file
 * @param {string} lib
 */
function targetOf(specifier, file, lib) {
  if (specifier.startsWith('node:')) return 'node:';
  if (!/^[./]/.test(specifier)) return specifier.split('/', specifier[0] === '@' ? 2 : 1).join('/');
  const path = relative(lib, resolve(dirname(file), specifier));
  return path.startsWith('..') ? specifier : partOf(path);
}

/** Which directories of native/ may include a header of another, beside their own and netlink's. */
const readers = ['sockets', 'processes', 'namespaces', 'xtables'];

/** @param {string} tree */
function wrongIncludes(tree) {
  const native = relative(root, join(tree, 'native'));
  const files = filesUnder(native, (path) => /\.(h|hpp|cc|cpp)$/.test(path));
  return files.flatMap((path) => {
    const file = inRoot(path);
    const from = relative(join(tree, 'native'), file).split(sep)[0] ?? '';
    const text = readFileSync(file, 'utf8');
    return [...text.matchAll(/^[ \t]*#[ \t]*include[ \t]*[<"]([^>"]+)[>"]/gm)].flatMap(
      ([, included = '']) => {
        const why = wrongInclude(from, included, file, tree);
        return why ? [`${relative(tree, file)} includes ${included}: ${why}`] : [];
      },
    );
  });
}

/**
 * @param {string} from the directory of native/, or the name of a file at the top
 * @param {string} included
 * @param {string} file
 * @param {string} tree
 */
function wrongInclude(from, included, file, tree) {
  const speaksNodeApi = from === 'binding' || from === 'addon.cc';
  if (/^(napi(-inl)?|(js_native|node)_api)(_types)?\.h$|^(node|v8|uv)\.h$/.test(included)) {
    return speaksNodeApi ? null : 'only native/binding and native/addon.cc speak to JavaScript';
  }
  const bases = [dirname(file), join(tree, 'native'), tree];
  const found = bases.map((base) => resolve(base, included)).find((path) => existsSync(path));
  if (!found) return null;
  const to = relative(join(tree, 'native'), found).split(sep)[0] ?? '';
  if (to === 'binding' && !speaksNodeApi) return 'only native/addon.cc builds on native/binding';
  if (from === 'netlink' && readers.includes(to)) return 'netlink is below what reads with it';
  return null;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  await main(async () => {
    const wrong = await wrongImports(resolve(process.argv[2] ?? root));
    if (wrong.length === 0) return;
    throw new StepError(
      `${wrong.length} imports go the wrong way`,
      'move what is needed to the part that both may import (CONTRIBUTING.md, "Layout")',
      wrong.join('\n'),
    );
  });
}
