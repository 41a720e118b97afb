import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { inRoot } from '../support/paths.mjs';
import { run, StepError } from '../support/step.mjs';
import { tool } from './tools.mjs';

/** Packs what would be published. @returns {Promise<string>} the tarball's path, in build/release */
export async function pack() {
  const directory = inRoot('build/release');
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory, { recursive: true });
  const { name, version } = JSON.parse(readFileSync(inRoot('package.json'), 'utf8'));
  const { status, output } = await run('npm', ['pack', '--pack-destination', directory]);
  if (status !== 0) throw new StepError('npm pack failed', 'see above', output);
  return join(directory, `${name}-${version}.tgz`);
}

/**
 * What is known and meant: the package is ESM alone, which every Node it is for can require(), and
 * entry points are in `exports`, which TypeScript's resolution from the time of Node 10 does not read.
 */
const meant = new Set(['NoResolution node10', 'CJSResolvesToESM node16-cjs']);

/** Are the types wrong? As every kind of module resolution sees them. @param {string} tarball */
export async function checkTypes(tarball) {
  const { checkPackage, createPackageFromTarballData } = await tool('@arethetypeswrong/core');
  const bytes = new Uint8Array(readFileSync(tarball));
  const result = await checkPackage(createPackageFromTarballData(bytes));
  if (!result.types) throw new StepError('the package has no types', 'see "exports"');
  const problems = result.problems
    .map(
      (/** @type {Record<string, unknown>} */ { kind, resolutionKind, entrypoint, ...rest }) => ({
        what: `${kind} ${resolutionKind ?? ''}`.trim(),
        where: entrypoint ?? JSON.stringify(rest),
      }),
    )
    .filter((/** @type {{ what: string }} */ { what }) => !meant.has(what));
  if (problems.length === 0) return;
  throw new StepError(
    'the types are wrong for some who import the package',
    'https://arethetypeswrong.github.io explains each',
    problems
      .map((/** @type {{ what: string, where: string }} */ { what, where }) => `${what}: ${where}`)
      .join('\n'),
  );
}
