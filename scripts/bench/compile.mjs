import { mkdirSync } from 'node:fs';
import { inRoot } from '../support/paths.mjs';
import { fingerprint, isStamped, stamp } from '../support/stamp.mjs';
import { run, StepError } from '../support/step.mjs';

/** What Node loads into itself; the others are programs. */
const addons = new Set(['thread-clock']);
const addonOptions = ['-shared', '-fPIC', '-I', inRoot('node_modules/node-api-headers/include')];

/**
 * Compiles programs of scripts/bench/native to build/bench, where their source has changed.
 * @param {string[]} names
 */
export async function compile(names) {
  mkdirSync(inRoot('build/bench'), { recursive: true });
  for (const name of names) {
    const file = `scripts/bench/native/${name}.c`;
    const inputs = fingerprint([file]);
    if (isStamped(`bench-${name}`, inputs)) continue;
    const isAddon = addons.has(name);
    const output = inRoot('build/bench', isAddon ? `${name}.node` : name);
    const options = ['-O2', '-Wall', '-Wextra', ...(isAddon ? addonOptions : [])];
    const compiled = await run('cc', [...options, '-o', output, inRoot(file)]);
    if (compiled.status !== 0) {
      throw new StepError(`${file} does not compile`, 'see above', compiled.output);
    }
    stamp(`bench-${name}`, inputs);
  }
}
