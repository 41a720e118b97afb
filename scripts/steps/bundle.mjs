import { chmodSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import * as esbuild from 'esbuild';
import { inRoot, root } from '../support/paths.mjs';
import { StepError } from '../support/step.mjs';

/**
 * What users load. The library's two faces share what they have in common, so that there is one copy of
 * each module, and errors are of one class, whoever imports them; loading two or three files takes Node a
 * fraction of the time that sixty do. The command is apart: it loads each part when it comes to need it,
 * and nobody reads its code.
 * @type {{ entryPoints: Record<string, string>, chunks: string, minify: boolean }[]}
 */
const bundles = [
  {
    entryPoints: {
      'bundle/index': 'dist/index.js',
      'bundle/reach': 'dist/reach/index.js',
      // A thread of its own, beside the module that starts it.
      'bundle/exposure-worker': 'dist/watch/exposure-worker.js',
    },
    chunks: 'bundle/[name]-[hash]',
    minify: false,
  },
  {
    entryPoints: {
      earshot: 'dist/cli/main.js',
      'bundle/command/exposure-worker': 'dist/watch/exposure-worker.js',
    },
    chunks: 'bundle/command/[name]-[hash]',
    minify: true,
  },
];

/**
 * Bundled CommonJS packages require() the modules of Node, through one function that esbuild keeps with
 * its others. This gives them, and needs no import, which earshot/reach is not to have outside of Node.
 */
const requireForModules = 'const require = globalThis.process?.getBuiltinModule;';

/**
 * commander starts programs for commands that are programs of their own, which earshot has none of. What
 * Node loads for that takes as long as all the rest of the command, and waits until it is wanted.
 * @type {esbuild.Plugin}
 */
const childProcessOnNeed = {
  name: 'child_process on need',
  setup(build) {
    build.onResolve({ filter: /^node:child_process$/ }, ({ importer }) =>
      /node_modules\/commander\//.test(importer)
        ? { path: 'child_process', namespace: 'on-need' }
        : { path: 'node:child_process', external: true },
    );
    build.onLoad({ filter: /./, namespace: 'on-need' }, () => ({
      contents: `exports.spawn = (...args) =>
        globalThis.process.getBuiltinModule('node:child_process').spawn(...args);`,
    }));
  },
};

/** @param {typeof bundles[number]} bundle */
const build = ({ entryPoints, chunks, minify }) =>
  esbuild.build({
    entryPoints: Object.entries(entryPoints).map(([out, path]) => ({ in: inRoot(path), out })),
    outdir: inRoot('dist'),
    absWorkingDir: root,
    bundle: true,
    splitting: true,
    chunkNames: chunks,
    minifyWhitespace: minify,
    minifySyntax: minify,
    format: 'esm',
    platform: 'node',
    target: 'node20.19',
    // It finds the binary from its own place, and is loaded when one is needed.
    external: ['node-gyp-build'],
    plugins: [childProcessOnNeed],
    legalComments: 'none',
    logLevel: 'silent',
    metafile: true,
    write: false,
  });

/** Makes dist/earshot.js and dist/bundle/ of what the compiler wrote and of the packages that are needed. */
export async function bundle() {
  const built = await Promise.all(bundles.map(build)).catch((error) => {
    throw new StepError('bundling failed', 'correct what is named above', error.message);
  });
  rmSync(inRoot('dist/bundle'), { recursive: true, force: true });
  mkdirSync(inRoot('dist/bundle/command'), { recursive: true });
  for (const { path, text } of built.flatMap(({ outputFiles }) => outputFiles)) {
    const head = [
      ...(path === inRoot('dist/earshot.js') ? ['#!/usr/bin/env node'] : []),
      ...(/\bvar __require ?= ?/.test(text) ? [requireForModules] : []),
    ];
    writeFileSync(path, [...head, text].join('\n'));
  }
  chmodSync(inRoot('dist/earshot.js'), 0o755);
  writeFileSync(
    inRoot('dist/earshot.licenses.txt'),
    licenses(built.flatMap(({ metafile }) => Object.keys(metafile.inputs))),
  );
}

/**
 * The licences of what is bundled ask to be passed on with it.
 * @param {string[]} inputs paths from the root
 */
function licenses(inputs) {
  const packages = new Set(
    inputs.flatMap((path) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path)?.[0] ?? []),
  );
  const texts = [...packages].sort().map((directory) => {
    const { name, version, license } = JSON.parse(
      readFileSync(inRoot(directory, 'package.json'), 'utf8'),
    );
    const file = readdirSync(inRoot(directory)).find((entry) => /^licen[cs]e/i.test(entry));
    const text = file ? readFileSync(inRoot(directory, file), 'utf8').trim() : license;
    return `${name} ${version} (${license})\n\n${text}\n`;
  });
  return ['dist/earshot.js and dist/bundle/ contain these packages.\n', ...texts].join(
    `\n${'-'.repeat(80)}\n\n`,
  );
}
