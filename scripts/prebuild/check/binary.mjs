import { statSync } from 'node:fs';
import { run, StepError } from '../../support/step.mjs';
import { glibcBaseline } from '../targets.mjs';

/* What a binary says of itself, by readelf, which reads every architecture. */

/** @typedef {import('../targets.mjs').Target} Target */

/**
 * @typedef {object} Facts
 * @property {string} machine
 * @property {string[]} needed the libraries it asks the loader for
 * @property {string} newestGlibc the highest version of a glibc symbol that it needs, '' for none
 * @property {string[]} exported
 * @property {string[]} imported
 * @property {string[]} sections
 * @property {string[]} flags DT_FLAGS
 * @property {number} bytes
 */

/** Four of them, and all else in the package, are to be less than 3 MB. */
const largest = 512 * 1024;

const machines = { x64: 'Advanced Micro Devices X86-64', arm64: 'AArch64' };

/**
 * Of glibc, threads and dladdr() (the C++ runtime's unwinder names functions by it) were libraries of
 * their own until 2.34; the files are still there. musl has always been one library and its own loader.
 */
const allowed = {
  glibc: /^(libc\.so\.6|libpthread\.so\.0|libdl\.so\.2|ld-linux-(x86-64\.so\.2|aarch64\.so\.1))$/,
  musl: /^libc\.so$/,
};

const libcs = { glibc: 'libc.so.6', musl: 'libc.so' };

const entryPoints = ['napi_register_module_v1', 'node_api_module_get_api_version_v1'];

/** @param {string} path @returns {Promise<Facts>} */
export async function factsOf(path) {
  const text = await readelf('--file-header', '--dynamic', '--version-info', '--sections', path);
  const symbols = await readelf('--dyn-syms', path);
  const all = (/** @type {RegExp} */ pattern, from = text) =>
    [...from.matchAll(pattern)].map(([, found = '']) => found);
  return {
    machine: all(/^\s*Machine:\s+(.*)$/gm)[0] ?? '',
    needed: all(/\(NEEDED\).*\[(.*)\]/g),
    newestGlibc:
      all(/Name: GLIBC_([\d.]+)/g)
        .sort(byVersion)
        .at(-1) ?? '',
    // Number, value, size, type, binding, visibility, section, name.
    exported: all(/^\s*\d+: \S+\s+\S+ \S+\s+(?:GLOBAL|WEAK)\s+\S+\s+\d+ (\S+)$/gm, symbols),
    imported: all(/^\s*\d+: 0+\s+\S+ \S+\s+(?:GLOBAL|WEAK)\s+\S+\s+UND (\S+?)(?:@.*)?$/gm, symbols),
    sections: all(/^\s*\[ *\d+\] (\.\S+)/gm),
    flags: all(/\(FLAGS\)\s+(.*)$/gm).flatMap((flags) => flags.trim().split(' ')),
    bytes: statSync(path).size,
  };
}

/**
 * @param {Target} target
 * @param {Facts} facts
 * @returns {string[]} what is not as it must be
 */
export function faults({ arch, libc }, facts) {
  const surplus = facts.needed.filter((library) => !allowed[libc].test(library));
  const demands = [
    [facts.machine === machines[arch], `is for ${facts.machine}`],
    [surplus.length === 0, `needs ${surplus.join(', ')} beside ${libc}`],
    [facts.needed.includes(libcs[libc]), `is not for ${libc}: it needs ${facts.needed}`],
    [
      libc === 'musl' ? facts.newestGlibc === '' : byVersion(facts.newestGlibc, glibcBaseline) <= 0,
      `needs glibc ${facts.newestGlibc}, later than ${libc === 'musl' ? 'none' : glibcBaseline}`,
    ],
    [
      facts.exported.sort().join() === entryPoints.join(),
      `exports ${facts.exported.join(', ') || 'nothing'}, not ${entryPoints.join(', ')}`,
    ],
    // Room for thread-local variables of what is loaded later is scarce in glibc and absent in musl.
    [
      !facts.sections.some((name) => /^\.t(bss|data)/.test(name)),
      "has thread-local variables (an errno of Zig's own? see scripts/prebuild/glibc.c)",
    ],
    [facts.flags.includes('BIND_NOW'), 'leaves symbols to be bound when they are called'],
    [!facts.sections.some((name) => /^\.(symtab|debug)/.test(name)), 'is not stripped'],
    [facts.bytes <= largest, `has ${facts.bytes} bytes, more than ${largest}`],
  ];
  return demands.flatMap(([holds, fault]) => (holds ? [] : [String(fault)]));
}

/** @param {string} one @param {string} other */
const byVersion = (one, other) => one.localeCompare(other, 'en', { numeric: true });

/** @param {string[]} args */
async function readelf(...args) {
  const env = { ...process.env, LC_ALL: 'C' };
  const { status, output } = await run('readelf', ['--wide', ...args], { env });
  if (status === 0) return output;
  throw new StepError(`readelf cannot read ${args.at(-1)}`, 'see above', output);
}
