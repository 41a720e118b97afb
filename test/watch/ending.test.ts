import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import test from 'ava';
import { watch } from '#earshot/index.js';

const module = JSON.stringify(import.meta.resolve('#earshot/index.js'));

/** Threads that watch, and everything that this process has open. */
function held(): { threads: number; descriptors: number } {
  const threads = readdirSync('/proc/self/task').filter((id) => {
    try {
      return readFileSync(`/proc/self/task/${id}/comm`, 'utf8').trim() === 'earshot-watch';
    } catch {
      return false; // ended meanwhile
    }
  });
  return { threads: threads.length, descriptors: readdirSync('/proc/self/fd').length };
}

const later = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

test.serial('closing leaves no thread and no descriptor, however it is done', async (t) => {
  const ways: ((watcher: ReturnType<typeof watch>, controller: AbortController) => unknown)[] = [
    (watcher) => watcher.close(),
    (watcher) => watcher[Symbol.asyncDispose](),
    (watcher) => watcher.return(),
    async (watcher, controller) => {
      controller.abort();
      await watcher.close();
    },
    async (watcher) => {
      const read = watcher.next();
      await later(20);
      await watcher.close();
      t.deepEqual(await read, { done: true, value: undefined });
    },
  ];
  await watch().close();
  await later(50);
  const before = held();
  for (const end of ways) {
    const controller = new AbortController();
    const watcher = watch({ intervalMs: 10, signal: controller.signal });
    t.is(held().threads, 1);
    await end(watcher, controller);
    await watcher.close();
    t.is(held().threads, 0);
    t.deepEqual(await watcher.next(), { done: true, value: undefined });
  }
  await later(50);
  t.deepEqual(held(), before);
});

test.serial('a watcher whose signal has been aborted before is closed', async (t) => {
  const watcher = watch({ signal: AbortSignal.abort() });
  await watcher.ready;
  t.deepEqual(await watcher.next(), { done: true, value: undefined });
  await watcher.close();
});

/** Runs a program to its end: how it ended, and what it said. */
async function run(code: string): Promise<{ status: number | string; said: string }> {
  const child = spawn(process.execPath, ['--input-type=module', '-e', code], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk) => {
      said += chunk;
    });
  }
  const timer = setTimeout(() => child.kill(), 60_000);
  const [status, signal] = await once(child, 'close');
  clearTimeout(timer);
  return { status: signal ?? status, said };
}

test('whoever waits keeps the process running, unless told not to', async (t) => {
  const body = (more: string) => `
    const { watch } = await import(${module});
    const watcher = watch({ intervalMs: 10, filter: { localPort: 1 } })${more};
    watcher.next();
    setTimeout(() => { console.log('still there'); process.exit(); }, 300).unref();`;
  t.deepEqual(await run(body('')), { status: 0, said: 'still there\n' });
  t.deepEqual(await run(body('.unref()')), { status: 0, said: '' });
  t.deepEqual(await run(body('.unref().ref()')), { status: 0, said: 'still there\n' });
});

test('whoever waits for the first look keeps the process running', async (t) => {
  const code = `
    const { watch } = await import(${module});
    await watch().ready;
    console.log('ready');`;
  t.deepEqual(await run(code), { status: 0, said: 'ready\n' });
});

test('a watcher that nobody reads and nobody closed does not keep the process', async (t) => {
  const code = `
    const { watch } = await import(${module});
    watch();`;
  t.deepEqual(await run(code), { status: 0, said: '' });
});

test('a worker thread that watches can be terminated at any time', async (t) => {
  const body = encodeURIComponent(`
    const { parentPort } = await import('node:worker_threads');
    const { watch } = await import(${module});
    const watchers = [0, 1, 2].map(() => watch({ intervalMs: 10, existing: true }));
    watchers[1].close();
    parentPort.postMessage('watching');
    for await (const changes of watchers[0]);`);
  const result = await run(`
    import { once } from 'node:events';
    import { Worker } from 'node:worker_threads';
    for (let round = 0; round < 6; round++) {
      const threads = [0, 1].map(() => new Worker(new URL("data:text/javascript,${body}")));
      await Promise.all(threads.map((thread) => once(thread, 'message')));
      await new Promise((resolve) => setTimeout(resolve, 5 * round));
      await Promise.all(threads.map((thread) => thread.terminate()));
    }`);
  t.deepEqual(result, { status: 0, said: '' });
});

test('a process that exits while it watches exits as it was told', async (t) => {
  const result = await run(`
    const { watch } = await import(${module});
    const watcher = watch({ intervalMs: 10, existing: true });
    watcher.next();
    setImmediate(() => process.exit(3));`);
  t.deepEqual(result, { status: 3, said: '' });
});
