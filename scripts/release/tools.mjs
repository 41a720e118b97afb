import { cpSync, mkdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { inRoot } from '../support/paths.mjs';
import { fingerprint, isStamped, stamp } from '../support/stamp.mjs';
import { run, StepError, say } from '../support/step.mjs';

/* Judges of a release that need packages of their own are installed apart, at fixed versions, on need. */

const source = 'scripts/release/tools';
const place = inRoot('build/release-tools');

/**
 * @param {string} name a package that scripts/release/tools/package.json names
 * @returns {Promise<any>} what it exports
 */
export async function tool(name) {
  await install();
  return import(pathToFileURL(createRequire(join(place, 'package.json')).resolve(name)).href);
}

async function install() {
  const files = ['package.json', 'package-lock.json'];
  const inputs = fingerprint(files.map((file) => `${source}/${file}`));
  if (isStamped('release-tools', inputs)) return;
  say('installing what judges a release into build/release-tools');
  mkdirSync(place, { recursive: true });
  for (const file of files) cpSync(inRoot(source, file), join(place, file));
  const args = ['ci', '--ignore-scripts', '--no-audit', '--no-fund'];
  const { status, output } = await run('npm', args, { cwd: place });
  if (status !== 0) {
    throw new StepError(
      'what judges a release could not be installed',
      'see above; it needs the npm registry (npm config get registry)',
      output,
    );
  }
  stamp('release-tools', inputs);
}
