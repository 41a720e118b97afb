import type { Change, Watcher } from '#earshot/index.js';

/** The changes that come until one satisfies, that one included; an error after a minute: a busy machine is slow. */
export async function changesUntil(
  watcher: Watcher,
  satisfies: (change: Change) => boolean,
): Promise<Change[]> {
  const seen: Change[] = [];
  const { promise: late, stop } = timeLimit(() => `after ${JSON.stringify(seen.slice(0, 5))}`);
  try {
    for (;;) {
      const { done, value } = await Promise.race([watcher.next(), late]);
      if (done) throw new Error('the watcher is closed');
      seen.push(...value);
      if (value.some(satisfies)) return seen;
    }
  } finally {
    stop();
  }
}

function timeLimit(what: () => string): { promise: Promise<never>; stop: () => void } {
  let timer: NodeJS.Timeout | undefined;
  const promise = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`nothing came in time, ${what()}`)), 60_000);
  });
  promise.catch(() => {});
  return { promise, stop: () => clearTimeout(timer) };
}

/** Whether a change is of a kind, and of a socket with a local port. */
export const of =
  (type: 'opened' | 'closed' | 'changed', port: number) =>
  (change: Change): boolean =>
    change.type === type && change.socket.local.port === port;
