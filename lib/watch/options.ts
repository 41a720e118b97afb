import { type CheckedOptions, checkReadOptions } from '../kernel/read-options.js';
import { socketQuery } from '../kernel/socket-filter.js';
import { checkKeys, invalid, show } from '../model/arguments.js';
import type { SocketFilter } from '../model/socket.js';
import type { WatchQuery } from '../native.js';
import type { WatchOptions } from './change.js';

const READ_KEYS = ['netns', 'source', 'owners'] as const;
const KEYS: readonly (keyof WatchOptions)[] = [
  ...READ_KEYS,
  'filter',
  'intervalMs',
  'signal',
  'existing',
  'exposure',
];

/** Below this a poll costs more than it tells. */
const LEAST_INTERVAL = 10;
const MOST_INTERVAL = 24 * 60 * 60 * 1000;
const USUAL_INTERVAL = 1000;

/** Watch options that have been checked, with nothing left out. */
export interface CheckedWatch {
  query: WatchQuery;
  read: CheckedOptions;
  filter: SocketFilter;
  signal: AbortSignal | null;
  exposure: boolean;
}

/** Checks watch options; throws `ERR_INVALID_ARGUMENT` that names the key and the value met. */
export function checkWatchOptions(options: WatchOptions = {}): CheckedWatch {
  checkKeys(options, 'options', KEYS);
  const { filter = {}, intervalMs = USUAL_INTERVAL, signal, existing, exposure } = options;
  const read = checkReadOptions(
    Object.fromEntries(READ_KEYS.flatMap((key) => (key in options ? [[key, options[key]]] : []))),
  );
  const sockets = socketQuery(filter, read);
  if (!Number.isInteger(intervalMs) || intervalMs < LEAST_INTERVAL || intervalMs > MOST_INTERVAL) {
    throw invalid(
      `options.intervalMs is ${show(intervalMs)}: give whole milliseconds from ${LEAST_INTERVAL} to ${MOST_INTERVAL}`,
    );
  }
  if (signal !== undefined && !(signal instanceof AbortSignal)) {
    throw invalid(`options.signal is ${show(signal)}: give the signal of an AbortController`);
  }
  // Of a socket that is gone already the kernel tells its ends alone.
  const fleeting =
    filter.state === undefined &&
    filter.uid === undefined &&
    filter.mark === undefined &&
    filter.cgroup === undefined &&
    read.source !== 'procfs';
  return {
    query: { ...sockets, intervalMs, existing: flag(existing, 'existing', false), fleeting },
    read,
    filter,
    signal: signal ?? null,
    exposure: flag(exposure, 'exposure', true),
  };
}

function flag(value: unknown, key: string, usual: boolean): boolean {
  if (value === undefined) return usual;
  if (typeof value === 'boolean') return value;
  throw invalid(`options.${key} is ${show(value)}, not true or false`);
}
