import { existsSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { addon, type ProgramResult } from './addon.js';

/*
 * A namespace of the lab has no name in /run/netns. A descriptor of this process holds it, and the
 * kernel takes it away, with its interfaces, routes and rules, when nothing holds it any more. So
 * there is nothing to clean up after an exception, a signal or a crash.
 */

/** Settings by sysctl name, as `net.ipv4.ip_forward`. */
export type Sysctls = Record<string, string | number>;

/**
 * What keeps a lab quick and repeatable: no waiting for duplicate address detection, ICMP errors
 * always sent, no router advertisements, and a connecting socket that repeats itself once.
 */
const quick: Sysctls = {
  'net.ipv6.conf.all.accept_dad': 0,
  'net.ipv6.conf.default.accept_dad': 0,
  'net.ipv6.conf.default.dad_transmits': 0,
  'net.ipv6.conf.default.accept_ra': 0,
  'net.ipv6.conf.default.router_solicitations': 0,
  'net.ipv4.icmp_ratelimit': 0,
  'net.ipv4.icmp_ratemask': 0,
  'net.ipv6.icmp.ratelimit': 0,
  'net.ipv4.tcp_syn_retries': 1,
};

/** Only newer kernels have these for each namespace; the others work without. */
const quickWherePossible: Sysctls = {
  'net.ipv4.icmp_msgs_per_sec': 1_000_000,
  'net.ipv4.icmp_msgs_burst': 1_000_000,
};

/** One network namespace. */
export class Namespace {
  /** What the lab calls it, for messages. */
  readonly name: string;
  /** The descriptor that holds it. */
  readonly fd: number;
  /** A path by which any process of this user can enter it. */
  readonly path: string;
  #open = true;

  constructor(name: string, fd: number) {
    this.name = name;
    this.fd = fd;
    this.path = `/proc/${process.pid}/fd/${fd}`;
  }

  /** The inode that names it in nsfs, as `lsns` and captures show it. */
  get inode(): number {
    return Number(/\d+/.exec(readlinkSync(this.path))![0]);
  }

  /** Lets go of it. Sockets made inside keep it until they are closed. */
  close(): void {
    if (this.#open) addon.closeDescriptors([this.fd]);
    this.#open = false;
  }

  /** Writes settings; one that the kernel refuses is an error, unless `optional`. */
  sysctl(settings: Sysctls, optional = false): void {
    const entries = Object.entries(settings);
    const errors = addon.writeFiles(
      this.fd,
      entries.map(([name, value]) => [sysctlPath(name), String(value)]),
    );
    for (const [index, [name, value]] of entries.entries()) {
      if (errors[index] && !optional)
        throw new Error(`${this.name}: sysctl ${name}=${value}: ${errors[index]}`);
    }
  }

  /** The text of a file as seen inside: /proc/sys/net/… and /proc/thread-self/net/… are its own. */
  read(path: string): string {
    return addon.readFile(this.fd, path);
  }

  /** Runs a program inside; one that fails is an error that shows what it said and was given. */
  async run(command: string[], input = ''): Promise<string> {
    const result: ProgramResult = await addon.run(
      this.fd,
      [program(command[0]!), ...command.slice(1)],
      input,
    );
    if (result.status !== 0) {
      const given = input === '' ? '' : `\ninput:\n${numbered(input)}`;
      throw new Error(
        `${this.name}: '${command.join(' ')}' ended with ${result.status}: ` +
          `${result.stderr}${result.stdout}${given}`,
      );
    }
    return result.stdout;
  }

  /**
   * Runs lines of ip(8) in one process. A line that has to say its family, as policy rules do,
   * starts with `-6 `: ip takes that for a whole batch only, so each run of such lines is a process.
   */
  async ip(lines: string[]): Promise<string> {
    let output = '';
    for (const { command, batch } of batches(lines)) {
      output += await this.run(command, batch.map((line) => `${line}\n`).join(''));
    }
    return output;
  }

  /** The same for lines that the kernel, or ip, may refuse; gives those. */
  async tryIp(lines: string[]): Promise<string[]> {
    const refused: string[] = [];
    for (const { command, batch } of batches(lines, ['-force'])) {
      const [name, ...args] = command;
      const input = batch.map((line) => `${line}\n`).join('');
      const { stderr } = await addon.run(this.fd, [program(name!), ...args], input);
      for (const [, line] of stderr.matchAll(/^Command failed -:(\d+)$/gm))
        refused.push(batch[Number(line) - 1]!);
    }
    return refused;
  }

  /** Waits until every IPv6 address on a working interface is really there. */
  async settle(): Promise<void> {
    const late = await addon.awaitAddresses(this.fd, 5000);
    if (late.length > 0) throw new Error(`${this.name}: no local route for ${late.join(', ')}`);
  }

  /** Loads rules of nft(8). */
  async nft(rules: string): Promise<string> {
    return this.run(['nft', '-f', '-'], rules);
  }
}

/** Makes network namespaces that are quick to work with, `lo` still down. */
export function makeNamespaces(names: string[]): Namespace[] {
  const namespaces = addon
    .createNamespaces(names.length)
    .map((fd, index) => new Namespace(names[index]!, fd));
  for (const namespace of namespaces) {
    namespace.sysctl(quick);
    namespace.sysctl(quickWherePossible, true);
  }
  return namespaces;
}

/**
 * Where the system keeps a program. Not by PATH alone: npm puts node_modules/.bin first there, and
 * packages bring programs named as the system's are (`nft` is also a tracer of imports).
 */
function program(name: string): string {
  const found = ['/usr/sbin', '/usr/bin', '/sbin', '/bin']
    .map((directory) => join(directory, name))
    .find((path) => existsSync(path));
  return found ?? name;
}

/** Runs of lines of one family, each with the ip(8) that takes them. */
function batches(
  lines: string[],
  options: string[] = [],
): { command: string[]; batch: string[] }[] {
  const all: { command: string[]; batch: string[] }[] = [];
  for (let from = 0, to = 0; from < lines.length; from = to) {
    const ipv6 = lines[from]!.startsWith('-6 ');
    while (to < lines.length && lines[to]!.startsWith('-6 ') === ipv6) to++;
    all.push({
      command: ['ip', ...(ipv6 ? ['-6'] : []), ...options, '-batch', '-'],
      batch: lines.slice(from, to).map((line) => (ipv6 ? line.slice(3) : line)),
    });
  }
  return all;
}

/** In a sysctl name a dot that belongs to an interface's name is written as a slash (sysctl(8)). */
function sysctlPath(name: string): string {
  const swapped = name.replaceAll(/[./]/g, (letter) => (letter === '.' ? '/' : '.'));
  return `/proc/sys/${swapped}`;
}

function numbered(text: string): string {
  return text
    .split('\n')
    .map((line, index) => `${String(index + 1).padStart(4)}  ${line}`)
    .join('\n');
}
