import test from 'ava';
import { follow } from '#earshot/cli/exporter/follow.js';
import { Memory } from '#earshot/cli/exporter/memory.js';
import type { Change, Watcher } from '#earshot/watch/change.js';
import { exposed, gone, listener } from './support.js';

/** Tells these changes, and then fails, or is quiet until it is closed. */
function watcher(changes: Change[], failure: Error | null, signal: AbortSignal): Watcher {
  const told = (async function* () {
    if (changes.length > 0) yield changes;
    if (failure) throw failure;
    await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
  })();
  return Object.assign(told, { close: async () => {} }) as unknown as Watcher;
}

const socket = listener(3000);
const there = {
  type: 'exposure-changed',
  exposure: exposed(socket, 'host', []),
  was: null,
} as const;

test('a watcher that fails is told once, what it told is forgotten, and another takes over', async (t) => {
  const memory = new Memory();
  const notes: string[] = [];
  const end = new AbortController();
  let begun = 0;
  const seen: unknown[] = [];
  await follow(
    async (signal) => {
      seen.push([memory.watchUp, memory.scopes.of(socket), memory.watchFailures]);
      begun += 1;
      if (begun === 1) {
        return watcher([{ ...there, existing: true }], new Error('the namespace has gone'), signal);
      }
      if (begun === 2) throw new Error('the namespace has gone');
      setTimeout(() => end.abort(), 200);
      return watcher([{ ...there, existing: true }], null, signal);
    },
    memory,
    (text) => notes.push(text),
    end.signal,
  );
  t.deepEqual(seen, [
    [false, 'unknown', 0],
    [false, 'unknown', 1],
    [false, 'unknown', 2],
  ]);
  t.true(memory.watchUp);
  t.is(memory.scopes.of(socket), 'host');
  t.deepEqual(notes, [
    'who reaches the listeners cannot be watched: the namespace has gone',
    'it is watched again who reaches the listeners',
  ]);
  // What was there already is no change.
  t.true([...memory.changes.changes.values()].every(({ count }) => count === 0));
});

test('what comes after the start is counted, and what goes is forgotten', async (t) => {
  const memory = new Memory();
  const end = new AbortController();
  setTimeout(() => end.abort(), 100);
  const wide = exposed(socket, 'routed', ['0.0.0.0/0']);
  const changes: Change[] = [
    there,
    { type: 'exposure-changed', exposure: wide, was: there.exposure },
    { type: 'exposure-changed', exposure: gone(wide), was: wide },
  ];
  await follow(async (signal) => watcher(changes, null, signal), memory, t.log, end.signal);
  const count = (key: string) => memory.changes.changes.get(key)!.count;
  t.deepEqual([count('none host'), count('host routed'), count('routed nobody')], [1, 1, 1]);
  t.is(memory.scopes.of(socket), 'unknown');
});

test('a watcher that has nothing to tell is up all the same', async (t) => {
  const memory = new Memory();
  const end = new AbortController();
  setTimeout(() => end.abort(), 200);
  await follow(async (signal) => watcher([], null, signal), memory, t.log, end.signal, 50);
  t.true(memory.watchUp);
});
