import { checkKeys, checkOneOf, invalid, show } from '../model/arguments.js';
import type { CaptureOptions, ReadOptions, SocketOptions } from '../model/socket.js';

const KEYS: readonly (keyof ReadOptions)[] = ['netns', 'source', 'owners'];
const SOCKET_KEYS: readonly (keyof SocketOptions)[] = [...KEYS, 'extended'];
const SOURCES = ['auto', 'netlink', 'procfs'] as const;

/** Read options that have been checked, with nothing left out. */
export interface CheckedOptions {
  /** The path of a network namespace, or `null` for this thread's own. */
  netns: string | null;
  source: 'auto' | 'netlink' | 'procfs';
  /** `null` where the caller did not say. */
  owners: boolean | null;
}

/** Checks read options; throws `ERR_INVALID_ARGUMENT` that names the key and the value met. */
export function checkReadOptions(options: ReadOptions = {}): CheckedOptions {
  checkKeys(options, 'options', KEYS);
  const { owners } = options;
  if (owners !== undefined && typeof owners !== 'boolean') {
    throw invalid(`options.owners is ${show(owners)}, not true or false`);
  }
  return { ...placeOf(options), owners: owners ?? null };
}

/** From where it is read. */
function placeOf({
  netns,
  source = 'auto',
}: ReadOptions): Pick<CheckedOptions, 'netns' | 'source'> {
  return { netns: netnsPath(netns), source: checkOneOf(source, 'options.source', SOURCES) };
}

/** Those of a read of sockets, likewise. */
export interface CheckedSockets extends Omit<CheckedOptions, 'owners'> {
  /** `null` where the caller did not say. */
  owners: boolean | 'one' | null;
  extended: boolean;
}

/** The same for a read of sockets. */
export function checkSocketOptions(options: SocketOptions = {}): CheckedSockets {
  checkKeys(options, 'options', SOCKET_KEYS);
  const { netns, source, extended = false, owners } = options;
  if (typeof extended !== 'boolean') {
    throw invalid(`options.extended is ${show(extended)}, not true or false`);
  }
  if (owners !== undefined && owners !== 'one' && typeof owners !== 'boolean') {
    throw invalid(`options.owners is ${show(owners)}, not true, false or 'one'`);
  }
  const place = placeOf({ netns, source } as ReadOptions);
  return { netns: place.netns, source: place.source, owners: owners ?? null, extended };
}

/** Those of a capture, likewise. */
export interface CheckedCapture extends CheckedOptions {
  socketOptions: boolean;
}

/** The same for a capture. */
export function checkCaptureOptions(options: CaptureOptions = {}): CheckedCapture {
  checkKeys(options, 'options', [...KEYS, 'socketOptions']);
  const { socketOptions = false, ...rest } = options;
  if (typeof socketOptions !== 'boolean') {
    throw invalid(`options.socketOptions is ${show(socketOptions)}, not true or false`);
  }
  return { ...checkReadOptions(rest), socketOptions };
}

/** The path that an option `netns` names: a path is used as it is, a process id names that process's. */
function netnsPath(netns: unknown): string | null {
  if (netns === undefined) return null;
  if (typeof netns === 'number') {
    if (Number.isInteger(netns) && netns > 0 && netns <= 0x7fffffff) return `/proc/${netns}/ns/net`;
    throw invalid(`options.netns is ${show(netns)}: a process id is a whole number from 1 on`);
  }
  if (typeof netns !== 'string' || netns === '' || netns.includes('\0')) {
    throw invalid(
      `options.netns is ${show(netns)}: give a path such as '/run/netns/blue', or a process id`,
    );
  }
  return netns;
}
