import { spawnSync } from 'node:child_process';
import { accessSync, appendFileSync, constants, readFileSync } from 'node:fs';
import { delimiter, resolve } from 'node:path';
import test, { type Implementation, type TestFn } from 'ava';

/**
 * What a test may need of the machine:
 *
 * - `root` the superuser, in the first user namespace;
 * - `namespaces` network namespaces can be made: as root, or in a user namespace;
 * - `tool:nft` a program, by name;
 * - or something of its own: a name, and why it is missing here (null when it is there).
 */
export type Requirement =
  | 'root'
  | 'namespaces'
  | `tool:${string}`
  | { readonly name: string; readonly missing: () => string | null };

/**
 * An ava test function for tests that need something of the machine. Where it is missing, tests made
 * with it are skipped, the reason in their title and in the list that ends `npm test`; with CI=true
 * they fail.
 *
 * ```ts
 * const lab = requires('namespaces', 'tool:nft');
 * lab('a packet for 127.0.0.1 from outside is a martian', async (t) => { … });
 * ```
 */
export function requires<Context = unknown>(...requirements: Requirement[]): TestFn<Context> {
  const reasons = requirements.flatMap((requirement) => missing(requirement) ?? []);
  if (reasons.length === 0) return test as TestFn<Context>;
  return standIn(reasons.join('; '), process.env.CI === 'true') as TestFn<Context>;
}

/** Why the requirement is not met here, or null when it is. */
export function missing(requirement: Requirement): string | null {
  if (typeof requirement === 'object') return requirement.missing();
  if (requirement === 'root') {
    return isFirstRoot() ? null : 'needs root: run npm test as root';
  }
  if (requirement === 'namespaces') return missingNamespaces();
  const program = requirement.slice('tool:'.length);
  return isInstalled(program) ? null : `needs the program ${program}, which is not installed`;
}

/** Root of a user namespace, as npm test makes of an ordinary user, may not do all that root may. */
function isFirstRoot(): boolean {
  const everyone = /^\s*0\s+0\s+4294967295\s*$/;
  return process.getuid?.() === 0 && everyone.test(readFileSync('/proc/self/uid_map', 'utf8'));
}

/** npm puts the programs of packages first in PATH, of which one is named nft and is not nft(8). */
function isInstalled(program: string): boolean {
  return `${process.env.PATH}:/usr/sbin:/sbin`.split(delimiter).some((directory) => {
    if (/\/node_modules\/\.bin\/?$/.test(directory)) return false;
    try {
      accessSync(resolve(directory, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

function missingNamespaces(): string | null {
  const args =
    process.getuid?.() === 0 ? ['--net', 'true'] : ['--user', '--map-root-user', '--net', 'true'];
  const { status, error, stderr } = spawnSync('unshare', args, { encoding: 'utf8' });
  if (status === 0) return null;
  const why = error ? error.message : stderr.trim();
  return `needs network namespaces, as root or through user namespaces (${why})`;
}

/** The shape of ava's test function; what is registered with it fails or is skipped. */
function standIn(reason: string, fails: boolean): unknown {
  const register = (title: string, _implementation?: Implementation<unknown[]>) => {
    if (fails) test(title, (t) => t.fail(`CI=true, and this test ${reason}`));
    else skip(title, reason);
  };
  const nothing = Object.assign(() => {}, { always: () => {}, skip: () => {} });
  return Object.assign(register, {
    serial: Object.assign((title: string) => register(title), { skip: register }),
    failing: register,
    skip: register,
    only: register,
    todo: test.todo,
    before: nothing,
    beforeEach: nothing,
    after: nothing,
    afterEach: nothing,
    macro: test.macro,
    meta: test.meta,
  });
}

function skip(title: string, reason: string): void {
  test.skip(`${title} (${reason})`, (t) => t.pass());
  const list = process.env.EARSHOT_SKIPPED_TESTS;
  if (list) appendFileSync(list, `${JSON.stringify({ title, reason })}\n`);
}
