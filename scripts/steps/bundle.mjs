import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import * as esbuild from 'esbuild';
import { minify } from 'terser';
import { inRoot, root } from '../support/paths.mjs';
import { fingerprint } from '../support/stamp.mjs';
import { StepError } from '../support/step.mjs';

/**
 * What users load. The library's two faces, and what the command needs of it, share what they have in
 * common, so that there is one copy of each module, and errors are of one class, whoever imports them;
 * loading a few files takes Node a fraction of the time that sixty do. The command itself is apart, and
 * loads each part when it comes to need it.
 */
const library = {
  entryPoints: {
    'bundle/index': 'dist/index.js',
    'bundle/reach': 'dist/reach/index.js',
    'bundle/library': 'dist/cli/library.js',
    // A thread of its own, beside the module that starts it.
    'bundle/exposure-worker': 'dist/watch/exposure-worker.js',
  },
  chunks: 'bundle/[name]-[hash]',
};
const command = {
  entryPoints: { earshot: 'dist/cli/main.js' },
  chunks: 'bundle/command/[name]-[hash]',
};

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

/**
 * Of prom-client the exporter has use for counters, gauges and histograms, and for their registry. The rest
 * (quantiles, clusters, pushing, facts about Node), with packages of its own, is most of it.
 * @type {esbuild.Plugin}
 */
const metricsAlone = {
  name: 'metrics alone',
  setup(build) {
    const rest = /^\.\/lib\/(summary|pushgateway|defaultMetrics|metricAggregators|cluster)$/;
    build.onResolve({ filter: rest }, ({ path, importer }) =>
      importer === inRoot('node_modules/prom-client/index.js')
        ? { path, namespace: 'left-out' }
        : undefined,
    );
    build.onLoad({ filter: /./, namespace: 'left-out' }, () => ({ contents: '' }));
  },
};

/**
 * What `earshot` gives of `reach` is loaded when it is first called: compiling all that follows packets
 * takes longer than all the rest of the import, and who reads sockets alone has no need of it. Node
 * loads a module on the spot by require() in every version that earshot runs on.
 * @type {esbuild.Plugin}
 */
const reachOnNeed = {
  name: 'reach on need',
  setup(build) {
    const filter = /^\.\/reach\//;
    build.onResolve({ filter }, ({ importer }) =>
      importer === inRoot('dist/index.js')
        ? { path: 'functions', namespace: 'reach-on-need' }
        : undefined,
    );
    build.onLoad({ filter: /./, namespace: 'reach-on-need' }, async () => {
      // What index.js takes that is no function of reach esbuild misses here, and says so.
      const reach = await import(pathToFileURL(inRoot('dist/reach/index.js')).href);
      const names = Object.keys(reach).filter((name) => /^[a-z]/.test(name));
      const functions = names.map(
        (name) => `export function ${name}(...values) { return reach().${name}(...values); }`,
      );
      return {
        contents: `import { createRequire } from 'node:module';
          let loaded;
          const reach = () => (loaded ??= createRequire(import.meta.url)('./reach.js'));
          ${functions.join('\n')}`,
      };
    });
  },
};

/**
 * The command finds in the library's bundle what the library has.
 * @type {esbuild.Plugin}
 */
const commandOverLibrary = {
  name: 'command over library',
  setup(build) {
    const places = new Map(
      Object.entries(library.entryPoints).map(([out, path]) => [
        inRoot(path),
        `#earshot/${out}.js`,
      ]),
    );
    build.onResolve({ filter: /^\.{1,2}\// }, ({ path, resolveDir }) => {
      const place = places.get(join(resolveDir, path));
      return place === undefined ? undefined : { path: place, external: true };
    });
  },
};

/**
 * Names of variables are made short. Those of functions and classes stay, for errors and profiles tell
 * them; lines are short enough to find the place that an error tells. Terser takes seconds for all, so
 * that what it made of a text is kept.
 * @param {string} text
 */
async function withShortNames(text) {
  // esbuild writes a class as the value of a variable, whose name is the class's.
  const reserved = [...text.matchAll(/([\w$]+)=class\b/g)].map(([, name = '']) => name);
  const settings = {
    module: true,
    mangle: { reserved },
    compress: false,
    keep_fnames: true,
    keep_classnames: true,
    format: { ecma: /** @type {const} */ (2020), max_line_len: 120 },
  };
  const hash = fingerprint(['node_modules/terser/package.json'], [JSON.stringify(settings), text]);
  const kept = inRoot('build/short-names', hash);
  if (existsSync(kept)) return readFileSync(kept, 'utf8');
  const { code = '' } = await minify(text, settings);
  mkdirSync(dirname(kept), { recursive: true });
  writeFileSync(kept, code);
  return code;
}

/**
 * @param {{ entryPoints: Record<string, string>, chunks: string }} bundle
 * @param {esbuild.Plugin[]} plugins
 */
const build = ({ entryPoints, chunks }, plugins = []) =>
  esbuild.build({
    entryPoints: Object.entries(entryPoints).map(([out, path]) => ({ in: inRoot(path), out })),
    outdir: inRoot('dist'),
    absWorkingDir: root,
    bundle: true,
    splitting: true,
    chunkNames: chunks,
    minifyWhitespace: true,
    minifySyntax: true,
    format: 'esm',
    platform: 'node',
    target: 'node20.19',
    // It finds the binary from its own place, and is loaded when one is needed.
    external: ['node-gyp-build'],
    plugins,
    legalComments: 'none',
    logLevel: 'silent',
    metafile: true,
    write: false,
  });

/** Makes dist/earshot.js and dist/bundle/ of what the compiler wrote and of the packages that are needed. */
export async function bundle() {
  const built = await Promise.all([
    build(library, [reachOnNeed]),
    build(command, [commandOverLibrary, childProcessOnNeed, metricsAlone]),
  ]).catch((error) => {
    throw new StepError('bundling failed', 'correct what is named above', error.message);
  });
  const twice = Object.keys(built[1].metafile.inputs).filter((path) =>
    /^dist\/(?!cli\/|model\/)/.test(path),
  );
  if (twice.length > 0) {
    throw new StepError(
      `the library and the command would each have ${twice.join(', ')}`,
      'let the command import it by lib/cli/library.ts',
    );
  }
  rmSync(inRoot('dist/bundle'), { recursive: true, force: true });
  mkdirSync(inRoot('dist/bundle/command'), { recursive: true });
  for (const { path, text } of built.flatMap(({ outputFiles }) => outputFiles)) {
    const head = [
      ...(path === inRoot('dist/earshot.js') ? ['#!/usr/bin/env node'] : []),
      ...(/\bvar __require ?= ?/.test(text) ? [requireForModules] : []),
    ];
    writeFileSync(path, [...head, await withShortNames(text)].join('\n'));
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
