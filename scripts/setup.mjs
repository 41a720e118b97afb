import { createHash } from 'node:crypto';
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { inRoot } from './support/paths.mjs';
import { main, run, runNode, StepError, say } from './support/step.mjs';

const lockFile = inRoot('package-lock.json');
const installed = inRoot('node_modules', '.package-lock.json');
const installedFrom = inRoot('node_modules', '.installed-from');

/** Makes sure that this Node will do and that node_modules is what the lock file says. */
export async function setUp() {
  checkNode();
  const lock = createHash('sha256').update(readFileSync(lockFile)).digest('hex');
  if (isInstalled(lock)) return;
  say('installing the npm packages');
  const { status, output } = await npm(['ci', '--include=dev', '--no-audit', '--no-fund']);
  if (status !== 0) {
    throw new StepError(
      'npm ci failed',
      'see above; it needs the npm registry (npm config get registry) and a node_modules that may be written',
      output,
    );
  }
  writeFileSync(installedFrom, lock);
}

/** @param {string} lock the lock file's hash */
function isInstalled(lock) {
  if (!existsSync(installed)) return false;
  if (existsSync(installedFrom) && readFileSync(installedFrom, 'utf8') === lock) return true;
  // Installed by hand, after the lock file was last written.
  return statSync(installed).mtimeMs >= statSync(lockFile).mtimeMs;
}

/** @param {string[]} args */
function npm(args) {
  const cli = process.env.npm_execpath;
  return cli?.endsWith('.js') ? runNode(cli, args) : run('npm', args);
}

function checkNode() {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const supported = (major === 20 && minor >= 19) || (major === 22 && minor >= 12) || major > 22;
  if (supported) return;
  const { engines } = JSON.parse(readFileSync(inRoot('package.json'), 'utf8'));
  throw new StepError(
    `this is Node ${process.version}`,
    `use a Node that satisfies "${engines.node}"`,
  );
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) await main(setUp);
