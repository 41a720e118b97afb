import { setTimeout as wait } from 'node:timers/promises';
import type { Change, Watcher } from '../../watch/change.js';
import type { Memory } from './memory.js';

type ExposureChanged = Extract<Change, { type: 'exposure-changed' }>;

/** After a failure it is tried again so soon, and later each time, up to so late. Milliseconds. */
const SOONEST = 1000;
const LATEST = 60_000;
/** A watcher that has told nothing for so long, and not failed, has nothing to tell. Milliseconds. */
const QUIET = 10_000;

/**
 * Keeps what the watcher tells of who reaches what. Where watching fails it says so once, forgets what may
 * be true no more, and begins again. Settles when the signal is aborted.
 */
export async function follow(
  watch: (signal: AbortSignal) => Promise<Watcher>,
  memory: Memory,
  note: (text: string) => void,
  signal: AbortSignal,
  quietFor = QUIET,
): Promise<void> {
  let pause = SOONEST;
  let failing = false;
  const up = (): void => {
    if (failing) note('it is watched again who reaches the listeners');
    failing = false;
    memory.watchUp = true;
    pause = SOONEST;
  };
  while (!signal.aborted) {
    try {
      await followOne(await watch(signal), memory, up, quietFor);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      if (!failing) note(`who reaches the listeners cannot be watched: ${reason}`);
      failing = true;
      memory.watchUp = false;
      memory.watchFailures += 1;
      memory.scopes.forget();
      await wait(pause, undefined, { signal }).catch(() => {}); // the end
      pause = Math.min(2 * pause, LATEST);
    }
  }
}

async function followOne(
  watcher: Watcher,
  memory: Memory,
  up: () => void,
  quietFor: number,
): Promise<void> {
  const quiet = setTimeout(up, quietFor);
  try {
    for await (const changes of watcher) {
      for (const change of changes) {
        if (change.type !== 'exposure-changed') continue;
        up();
        take(change, memory);
      }
    }
  } finally {
    clearTimeout(quiet);
    await watcher.close();
  }
}

/** What was there when the watcher began is no change. */
function take(change: ExposureChanged, { scopes, changes }: Memory): void {
  scopes.take(change.exposure);
  if (!change.existing) changes.count(change);
}
