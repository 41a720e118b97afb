import { setUp } from './setup.mjs';
import { inRoot } from './support/paths.mjs';
import { filesUnder } from './support/stamp.mjs';
import { main, run, runNode, StepError, say } from './support/step.mjs';
import { provideTools, searchPath } from './system-tools.mjs';

/* `npm run lint` checks form and direction, `npm run format` (--write) puts form right. */

const write = process.argv.includes('--write');

/** @typedef {{ name: string, run: () => Promise<{ status: number, output: string }> }} Check */

/** @type {Check} */
const biome = {
  name: 'biome',
  run: () =>
    runNode(inRoot('node_modules/@biomejs/biome/bin/biome'), [
      ...(write ? ['check', '--write', '.'] : ['ci', '.']),
      process.stderr.isTTY ? '--colors=force' : '--colors=off',
    ]),
};

/** @type {Check} */
const clangFormat = {
  name: 'clang-format',
  run: async () => {
    const sources = ['native', 'test'].flatMap((directory) =>
      filesUnder(directory, (path) => /\.(h|cc)$/.test(path)),
    );
    if (sources.length === 0) return { status: 0, output: '' };
    const { missing } = await provideTools('lint');
    if (missing.length > 0) {
      const output = 'clang-format is not installed (Debian package clang-format)';
      if (process.env.CI === 'true') return { status: 1, output };
      say(`C++ was not checked: ${output}`);
      return { status: 0, output: '' };
    }
    return run('clang-format', [...(write ? ['-i'] : ['--dry-run', '-Werror']), ...sources], {
      env: { ...process.env, PATH: searchPath },
    });
  },
};

/** @type {Check} */
const imports = {
  name: 'import direction',
  run: () => runNode(inRoot('scripts/check-imports.mjs'), []),
};

/** @type {Check} */
const scriptTypes = {
  name: 'types of scripts/',
  run: () => runNode(inRoot('node_modules/typescript/bin/tsc'), ['-p', 'scripts']),
};

await main(async () => {
  await setUp();
  const checks = write ? [biome, clangFormat] : [biome, clangFormat, imports, scriptTypes];
  const results = await Promise.all(
    checks.map(async (check) => ({ name: check.name, ...(await check.run()) })),
  );
  const failed = results.filter(({ status }) => status !== 0);
  if (failed.length === 0) return;
  throw new StepError(
    `failed: ${failed.map(({ name }) => name).join(', ')}`,
    "'npm run format' puts form right; the rest is named above",
    failed.map(({ name, output }) => `── ${name}\n${output.trimEnd()}`).join('\n\n'),
  );
});
