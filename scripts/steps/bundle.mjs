import { chmodSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, sep } from 'node:path';
import * as esbuild from 'esbuild';
import { inRoot, root } from '../support/paths.mjs';
import { StepError } from '../support/step.mjs';

const outfile = inRoot('dist/earshot.js');
const commandDirectory = inRoot('dist/cli') + sep;

/** A user of the library has these installed, so that the command shares them. */
const dependencies = ['ipaddr.js', 'node-gyp-build'];

/**
 * The library stays in its own files beside the command: one copy of each module, and errors of one
 * class, whoever imports them.
 * @type {esbuild.Plugin}
 */
const libraryIsExternal = {
  name: 'library-is-external',
  setup(build) {
    build.onResolve({ filter: /^\.{1,2}\// }, ({ path, resolveDir }) => {
      const file = join(resolveDir, path);
      if (!file.startsWith(inRoot('dist') + sep) || file.startsWith(commandDirectory)) return null;
      return { path: `./${relative(dirname(outfile), file)}`, external: true };
    });
  },
};

/** Makes of dist/cli and the packages that only the command needs one file, dist/earshot.js. */
export async function bundleCommand() {
  const { metafile } = await esbuild
    .build({
      entryPoints: [inRoot('dist/cli/main.js')],
      outfile,
      absWorkingDir: root,
      bundle: true,
      format: 'esm',
      platform: 'node',
      target: 'node20.19',
      external: dependencies,
      plugins: [libraryIsExternal],
      // Bundled CommonJS packages require() the modules of Node.
      banner: {
        js: [
          '#!/usr/bin/env node',
          "import { createRequire as __createRequire } from 'node:module';",
          'const require = __createRequire(import.meta.url);',
        ].join('\n'),
      },
      legalComments: 'none',
      logLevel: 'silent',
      metafile: true,
    })
    .catch((error) => {
      throw new StepError(
        'bundling the command failed',
        'correct what is named above',
        error.message,
      );
    });
  chmodSync(outfile, 0o755);
  writeFileSync(inRoot('dist/earshot.licenses.txt'), licenses(Object.keys(metafile.inputs)));
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
  return ['dist/earshot.js contains these packages.\n', ...texts].join(`\n${'-'.repeat(80)}\n\n`);
}
