import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { SocketColumns, SocketQuery } from '#earshot/native.js';

/** Every socket of every state, with the given conditions. */
export function query(conditions: Partial<SocketQuery> = {}): SocketQuery {
  return {
    tcpStates: 0x3fff,
    udpStates: 0xffff,
    families: 3,
    localPorts: new Uint16Array(),
    remotePorts: new Uint16Array(),
    localAddress: null,
    localPrefixLength: 0,
    remoteAddress: null,
    remotePrefixLength: 0,
    boundInterface: null,
    uid: null,
    mark: null,
    source: 'auto',
    netns: null,
    ...conditions,
  };
}

export type ColumnName = Exclude<keyof SocketColumns, 'length'>;

/** The columns that /proc/net has too. */
export const commonColumns = [
  'protocol',
  'family',
  'state',
  'localPort',
  'remotePort',
  'localAddress',
  'remoteAddress',
  'inode',
  'uid',
  'receiveQueue',
] as const satisfies ColumnName[];

export const allColumns = [
  ...commonColumns,
  'flags',
  'boundInterface',
  'cookie',
  'sendQueue',
  'mark',
  'cgroup',
  'interfaceSet',
] as const satisfies ColumnName[];

/** One row as text, so that rows can be compared and sorted. */
export function rowText(columns: SocketColumns, row: number, names: readonly ColumnName[]): string {
  const values = names.map((name) => {
    const width = name === 'localAddress' || name === 'remoteAddress' ? 16 : 1;
    return `${name}=${[...columns[name].slice(row * width, (row + 1) * width)].join('.')}`;
  });
  return values.join(' ');
}

export function rowTexts(columns: SocketColumns, names: readonly ColumnName[]): string[] {
  return Array.from({ length: columns.length }, (_, row) => rowText(columns, row, names));
}

/** The bytes of an address as the kernel orders them, from its dotted or RFC 5952 form. */
export { addressToBytes, parseAddress } from '#earshot/model/address.js';

export interface Host {
  process: ChildProcess;
  /** The path of its network namespace. */
  netns: string;
  /** What it said when it was ready. */
  said: string;
  close(): Promise<void>;
}

/** Runs a program in a network namespace of its own until closed; it must say one line when ready. */
export async function host(command: string, ...values: string[]): Promise<Host> {
  const child = spawn('unshare', ['--net', command, ...values], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const exited = once(child, 'close');
  const lines = createInterface({ input: child.stdout });
  const first = await Promise.race([once(lines, 'line'), exited]);
  if (typeof first[0] !== 'string') throw new Error(`${command} ended with ${first}`);
  return {
    process: child,
    netns: `/proc/${child.pid}/ns/net`,
    said: first[0],
    async close() {
      child.stdin.end();
      await exited;
    },
  };
}

/** A host that runs shell commands and then waits. */
export function shellHost(commands: string): Promise<Host> {
  return host('sh', '-ec', `${commands}\necho ready\ncat >/dev/null`);
}

/** A pseudo-random generator (mulberry32): the same numbers for the same seed. */
export function randomFrom(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below);
  };
}
