import { existsSync, readFileSync, realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { inRoot } from '../support/paths.mjs';
import { filesUnder, fingerprint, isStamped, stamp } from '../support/stamp.mjs';
import { runNode, StepError, say } from '../support/step.mjs';
import { provideTools } from '../system-tools.mjs';

/**
 * @typedef {object} Target
 * @property {string} name what it is called in messages and stamps
 * @property {string} directory where binding.gyp is, from the root; '' for the root itself
 * @property {string[]} sources
 */

/** @type {Target} */
const addon = {
  name: 'addon',
  directory: '',
  sources: ['binding.gyp', ...filesUnder('native')],
};

/** The lab's own addon: system calls that only tests make. @type {Target} */
const labAddon = {
  name: 'lab-addon',
  directory: 'test/lab/native',
  sources: filesUnder('test/lab/native', (path) => !path.startsWith('test/lab/native/build/')),
};

/**
 * @param {{ tests: boolean }} options
 * @returns {Promise<string[]>} the names of what had to be built
 */
export async function buildAddons({ tests }) {
  const targets = (tests ? [addon, labAddon] : [addon]).filter((target) => !isCurrent(target));
  if (targets.length > 0) await requireCompiler();
  // One after the other: each keeps all processors busy.
  for (const target of targets) await buildAddon(target);
  return targets.map((target) => target.name);
}

/** @param {Target} target */
const inputsOf = (target) =>
  fingerprint(
    [...target.sources, 'node_modules/node-addon-api/package.json'],
    // Node-API is stable: a binary outlives the Node version, not the processor or the compiler.
    [process.arch, process.env.CXX ?? '', process.env.CXXFLAGS ?? ''],
  );

/** @param {Target} target */
const isCurrent = (target) => hasBinary(target) && isStamped(target.name, inputsOf(target));

/** @param {Target} target */
function hasBinary(target) {
  return filesUnder(join(target.directory, 'build/Release')).some((path) => path.endsWith('.node'));
}

async function requireCompiler() {
  const { missing, packages } = await provideTools('build');
  if (missing.length === 0) return;
  throw new StepError(
    `the addon cannot be compiled: ${missing.join(', ')} not found`,
    `install the Debian packages g++ make python3 (as root: apt-get install ${packages.join(' ')})`,
  );
}

/** @param {Target} target */
async function buildAddon(target) {
  say(`compiling the ${target.name}`);
  const args = ['configure', 'build', '--jobs', 'max', '--loglevel', 'error', ...headers()];
  const { status, output } = await runNode(inRoot('node_modules/node-gyp/bin/node-gyp.js'), args, {
    cwd: inRoot(target.directory),
    env: {
      ...process.env,
      GYP_DEFINES: `${process.env.GYP_DEFINES ?? ''} strict=true units=together`,
    },
  });
  if (status !== 0)
    throw new StepError(`compiling the ${target.name} failed`, remedy(output), output);
  stamp(target.name, inputsOf(target));
}

/**
 * Node's own headers where they came with it, so that nothing is downloaded.
 * @returns {string[]}
 */
function headers() {
  if (process.env.npm_config_nodedir) return [];
  const prefix = dirname(dirname(realpathSync(process.execPath)));
  const version = join(prefix, 'include/node/node_version.h');
  if (!existsSync(version)) return [];
  const major = /#define NODE_MAJOR_VERSION (\d+)/.exec(readFileSync(version, 'utf8'))?.[1];
  return major === process.versions.node.split('.')[0] ? ['--nodedir', prefix] : [];
}

/** @param {string} output */
function remedy(output) {
  if (
    /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ETIMEDOUT|ENETUNREACH|FetchError|fetch failed/.test(output)
  ) {
    return (
      "Node's headers could not be downloaded from nodejs.org: set npm_config_nodedir to the " +
      'directory that holds include/node/node_api.h'
    );
  }
  return "see the compiler's words above; C++20 needs g++ 10 or later";
}
