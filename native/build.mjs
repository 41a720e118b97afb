#!/usr/bin/env node
import { spawnSync } from 'node:child_process';
import {
  copyFileSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { layHeaders } from './headers.mjs';

/*
 * Builds the addon on a machine that no shipped binary fits: `node native/build.mjs`, in the package as
 * it is installed. It needs a C++20 compiler, make and Python, and the npm registry for node-gyp and
 * headers; these go to a temporary directory, so that nothing but build/Release/earshot.node is left.
 */

const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** The versions that earshot is developed with. */
const { devDependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const tools = ['node-gyp', 'node-addon-api', 'node-api-headers'];

/** @param {string} what @param {string} remedy */
function fail(what, remedy) {
  process.stderr.write(`\nearshot: ${what}\n  remedy: ${remedy}\n`);
  process.exit(1);
}

/**
 * @param {string} command
 * @param {string[]} args
 * @param {import('node:child_process').SpawnSyncOptions} options
 */
function succeeds(command, args, options) {
  const { status } = spawnSync(command, args, {
    ...options,
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  return status === 0;
}

if (process.platform !== 'linux') {
  fail(`the addon reads the Linux kernel and this is ${process.platform}`, 'build it on Linux');
}

const work = mkdtempSync(join(tmpdir(), 'earshot-build-'));
process.on('exit', () => rmSync(work, { recursive: true, force: true }));
for (const path of ['native', 'binding.gyp']) {
  cpSync(join(root, path), join(work, path), { recursive: true });
}

// A project of its own, or npm would look for one above.
writeFileSync(join(work, 'package.json'), '{}');
const wanted = tools.map((name) => `${name}@${devDependencies[name]}`);
const install = ['install', '--prefix', work, '--no-save', '--ignore-scripts', '--prefer-offline'];
if (
  !succeeds('npm', [...install, '--no-audit', '--no-fund', '--loglevel', 'error', ...wanted], {
    cwd: work,
  })
) {
  fail(
    `npm could not install ${wanted.join(', ')}`,
    'it needs the npm registry (npm config get registry)',
  );
}
const require = createRequire(join(work, 'package.json'));
const headers = join(work, 'headers');
layHeaders(headers, require('node-api-headers').include_dir);
const gyp = join(work, 'node_modules/node-gyp/bin/node-gyp.js');
const flags = ['--nodedir', headers, '--jobs', 'max', '--loglevel', 'error'];
if (!succeeds(process.execPath, [gyp, 'rebuild', ...flags], { cwd: work })) {
  fail(
    'the addon could not be compiled; see above',
    "install a compiler for C++20 (g++ 10 or later), make and python3: on Debian 'apt-get install g++ make python3', " +
      "on Alpine 'apk add g++ make python3'",
  );
}

const built = join(work, 'build/Release/earshot.node');
const { decodeSockets } = require(built);
if (typeof decodeSockets !== 'function') fail('what was built is not the addon', 'report it');
const place = join(root, 'build/Release');
mkdirSync(place, { recursive: true });
// Whoever has an older one loaded keeps it.
copyFileSync(built, join(place, '.earshot.node'));
renameSync(join(place, '.earshot.node'), join(place, 'earshot.node'));
process.stderr.write(`earshot: built ${join(place, 'earshot.node')}\n`);
