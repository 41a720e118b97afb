import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { repositoryRoot } from '../support/repository.js';

/*
 * The only file that names what the test addon exports. It trusts its arguments: every key of
 * every object must be there.
 */

export interface RawListener {
  /** 6 TCP, 17 UDP. */
  protocol: number;
  address: string;
  port: number;
  scope: string;
  reuseAddress: boolean;
  reusePort: boolean;
  v6only: boolean | null;
  device: string;
  freebind: boolean;
  transparent: boolean;
  mark: number;
  backlog: number;
  listen: boolean;
  remoteAddress: string;
  remotePort: number;
  uid: number | null;
  /** '' for none. */
  keyedAddress: string;
  keyedLength: number;
  /** Tried once, and closed again at once: `fd` is -1. */
  trial: boolean;
  /** Without CAP_NET_BIND_SERVICE. */
  unprivileged: boolean;
}

export interface RawOpened {
  fd: number;
  port: number;
  inode: number;
  /** The name of the errno, `null` for opened. */
  error: string | null;
  /** The call that failed. */
  failedAt: string;
}

export interface RawServer {
  fd: number;
  protocol: number;
  serves: boolean;
  answersFromAsked: boolean;
}

export interface RawFlow {
  netns: number;
  protocol: number;
  source: string;
  sourcePort: number;
  device: string;
  destination: string;
  port: number;
  scope: string;
  mark: number;
  transparent: boolean;
  timeoutMs: number;
}

export interface RawResult {
  error: string | null;
  failedAt: string;
  source: string;
  sourcePort: number;
  connected: boolean;
  takers: number[];
  seenSource: string;
  seenPort: number;
  answerError: string | null;
  answeredFrom: string;
  answeredPort: number;
  elapsedMs: number;
}

export interface ProgramResult {
  /** 128 and more: ended by a signal. */
  status: number;
  stdout: string;
  stderr: string;
}

interface LabAddon {
  /** Descriptors of new, empty network namespaces: each lives as long as something holds it. */
  createNamespaces(count: number): number[];
  /** Pairs of path and text, written as seen inside the namespace; an errno's name for each that failed. */
  writeFiles(netns: number, files: [string, string][]): (string | null)[];
  /** /proc/thread-self/net and /proc/sys/net are those of the namespace. */
  readFile(netns: number, path: string): string;
  /** The interfaces that were not operational in time. */
  awaitRunning(netns: number, interfaces: string[], timeoutMs: number): Promise<string[]>;
  /** The IPv6 addresses that had not got their local route in time. */
  awaitAddresses(netns: number, timeoutMs: number): Promise<string[]>;
  run(netns: number, command: string[], input: string): Promise<ProgramResult>;
  /** Two tun devices, each in its namespace, joined until the function it gives is called. */
  openTunnel(netnsA: number, nameA: string, netnsB: number, nameB: string): () => void;
  openListeners(netns: number, listeners: RawListener[]): RawOpened[];
  /** Takes a connection that waits; `error` is EAGAIN where none does. */
  acceptOne(listener: number): RawOpened;
  closeDescriptors(fds: number[]): void;
  runFlows(servers: RawServer[], flows: RawFlow[], window: number): Promise<RawResult[]>;
}

function load(): LabAddon {
  const file = join(repositoryRoot, 'test/lab/native/build/Release/lab.node');
  if (!existsSync(file)) {
    throw new Error(
      `the lab's addon is not built: run 'npx node-gyp -C test/lab/native rebuild' (looked for ${file})`,
    );
  }
  return createRequire(import.meta.url)(file) as LabAddon;
}

export const addon: LabAddon = load();
