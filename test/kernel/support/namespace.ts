import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import type { ExecutionContext } from 'ava';

/**
 * The environment of the programs that tests run. npm puts node_modules/.bin first in PATH, and a
 * package there brings a program `nft` that is not nft(8).
 */
export const SYSTEM_ENVIRONMENT = {
  ...process.env,
  PATH: `/usr/sbin:/sbin:${process.env.PATH}`,
};

/** A network namespace of a test's own, by name, with `lo` as the kernel makes it: down. */
export class Namespace {
  readonly name = `earshot-${process.pid}-${randomBytes(3).toString('hex')}`;
  readonly path = `/run/netns/${this.name}`;

  constructor() {
    this.add();
  }

  /** Makes it, and after `remove()` another of its name. */
  add(): void {
    execFileSync('ip', ['netns', 'add', this.name], { env: SYSTEM_ENVIRONMENT });
  }

  /** Runs lines of ip(8), one command each; `$1` and so on stand for the names of other namespaces. */
  ip(lines: string, ...others: Namespace[]): void {
    this.#batch([], lines, others);
  }

  /** As `ip`, each command for IPv6. */
  ip6(lines: string): void {
    this.#batch(['-6'], lines, []);
  }

  #batch(options: string[], lines: string, others: Namespace[]): void {
    const input = lines
      .split('\n')
      .map((line) => line.trim())
      .filter((line) => line !== '')
      .join('\n')
      .replace(/\$(\d)/g, (_, number) => others[Number(number) - 1]!.name);
    execFileSync('ip', [...options, '-n', this.name, '-batch', '-'], {
      input,
      env: SYSTEM_ENVIRONMENT,
      stdio: ['pipe', 'pipe', 'pipe'],
    });
  }

  /** What a program inside the namespace writes to its standard output. */
  run(program: string, ...args: string[]): string {
    return execFileSync('ip', ['netns', 'exec', this.name, program, ...args], {
      encoding: 'utf8',
      env: SYSTEM_ENVIRONMENT,
      stdio: ['ignore', 'pipe', 'pipe'],
      maxBuffer: 1 << 28,
    });
  }

  /** What ip(8) or ss(8) says as JSON. */
  json(program: string, ...args: string[]): Record<string, unknown>[] {
    return JSON.parse(this.run(program, ...args));
  }

  set(sysctl: string, value: string | number): void {
    this.run('sysctl', '-q', '-w', `${sysctl}=${value}`);
  }

  remove(): void {
    execFileSync('ip', ['netns', 'del', this.name], { env: SYSTEM_ENVIRONMENT });
  }
}

/** A namespace that goes when the test ends. */
export function namespaceFor(t: ExecutionContext): Namespace {
  const namespace = new Namespace();
  t.teardown(() => namespace.remove());
  return namespace;
}
