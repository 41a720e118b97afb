import { inRoot } from '../../support/paths.mjs';
import { run, StepError } from '../../support/step.mjs';
import { binaryPath } from '../record.mjs';
import { provideNode } from '../registry.mjs';
import { bunCommand, runHost } from './musl.mjs';
import { provideSysroot } from './sysroot.mjs';

/*
 * Has each binary loaded, and asked, by what it is for: Node for glibc; for musl Bun, since npm carries
 * no Node for it, and a small program. x64 runs here; arm64 under qemu, which passes most system calls
 * on but knows little of netlink.
 */

/** @typedef {import('../targets.mjs').Target} Target */

const probe = inRoot('scripts/prebuild/check/probe.cjs');
const fixtures = inRoot('test/fixtures/sock_diag');

/** What may fail under qemu's user emulation, for it is qemu's answer: netlink it does not translate. */
const beyondQemu = ['reads sockets by netlink', 'reads links', 'reads links on a thread'];

/**
 * @param {Target} target
 * @returns {Promise<string[]>} what it was loaded by, each with what it did; throws where one failed
 */
export async function load(target) {
  const emulated = target.arch !== process.arch;
  const qemu = emulated ? ['qemu-aarch64-static'] : [];
  const under = emulated ? ' under qemu' : '';
  if (target.libc === 'musl') {
    const host = await runHost(target, qemu);
    const bun = await askProbe(target, `Bun${under}`, await bunCommand(target, qemu));
    return [`a musl program${under}: ${host}`, bun];
  }
  const libraries = emulated ? ['-L', await provideSysroot('arm64')] : [];
  const said = [];
  for (const major of [20, 22, 24, 26]) {
    const node = await provideNode(target.arch, major);
    said.push(await askProbe(target, `Node ${major}${under}`, [...qemu, ...libraries, node]));
  }
  return said;
}

/**
 * @param {Target} target
 * @param {string} who
 * @param {string[]} runtime the command that runs JavaScript
 */
async function askProbe(target, who, runtime) {
  const [command = '', ...args] = [...runtime, probe, binaryPath(target), fixtures];
  const { status, output } = await run(command, args);
  const results = parse(output);
  const failed = Object.entries(results ?? {}).filter(([, result]) => result !== 'ok');
  const emulated = target.arch !== process.arch;
  const wrong = failed.filter(([name]) => !(emulated && beyondQemu.includes(name)));
  if (status !== (failed.length > 0 ? 1 : 0) || !results || wrong.length > 0) {
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
