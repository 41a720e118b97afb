import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import test from 'ava';

const addon = JSON.stringify(new URL('../../../dist/native.js', import.meta.url).href);
const query = `{ tcpStates: 0x3fff, udpStates: 0xffff, families: 3,
  localPorts: new Uint16Array(), remotePorts: new Uint16Array(),
  localAddress: null, localPrefixLength: 0, remoteAddress: null, remotePrefixLength: 0,
  boundInterface: null, uid: null, mark: null, source: 'auto', netns: null }`;
const start = `
  const { native } = await import(${addon});
  const query = ${query};
  const read = () => [
    native.readSockets(query),
    native.owners({ inodes: null, procRoot: '/proc' }),
    native.readFiles({ paths: ['/proc/self/maps', '/nowhere'], netns: null }),
    native.netlink({ protocol: 0, requests: [{ type: 18, flags: 0x300, payload: new Uint8Array(16) }],
      watchGroups: [], netns: null }),
    native.readSockets({ ...query, netns: '/nowhere' }).catch((error) => error),
  ];`;

const worker = (code: string) =>
  new Worker(new URL(`data:text/javascript,${encodeURIComponent(start + code)}`));

test('four worker threads load the addon and read at once', async (t) => {
  const code = `
    const { parentPort } = await import('node:worker_threads');
    for (let round = 0; round < 20; round++) await Promise.all(read());
    parentPort.postMessage(native.readSocketsSync(query).columns.length);`;
  const answers = await Promise.all(
    Array.from({ length: 4 }, async () => {
      const thread = worker(code);
      const [length] = await once(thread, 'message');
      await thread.terminate();
      return length;
    }),
  );
  t.is(answers.filter((length) => typeof length === 'number').length, 4);
});

/** Runs a program to its end: how it ended, and what it complained of. */
async function run(code: string): Promise<{ status: number | string; complaint: string }> {
  const child = spawn(process.execPath, ['--input-type=module', '-e', code], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let complaint = '';
  child.stderr.on('data', (chunk) => {
    complaint += chunk;
  });
  const [status, signal] = await once(child, 'close');
  return { status: signal ?? status, complaint };
}

test('a worker thread that is terminated while it reads takes nothing with it', async (t) => {
  const body = encodeURIComponent(`${start}
    const { parentPort } = await import('node:worker_threads');
    parentPort.postMessage('reading');
    for (;;) await Promise.all([...read(), ...read(), ...read()]);`);
  const result = await run(`
    import { once } from 'node:events';
    import { Worker } from 'node:worker_threads';
    for (let round = 0; round < 8; round++) {
      const threads = [0, 1].map(() => new Worker(new URL("data:text/javascript,${body}")));
      await Promise.all(threads.map((thread) => once(thread, 'message')));
      await new Promise((resolve) => setTimeout(resolve, 2 * round));
      await Promise.all(threads.map((thread) => thread.terminate()));
    }`);
  t.deepEqual(result, { status: 0, complaint: '' });
});

test('a process that exits while it reads exits as it was told', async (t) => {
  const result = await run(`${start}
    for (let round = 0; round < 20; round++) read();
    setImmediate(() => process.exit(3));`);
  t.deepEqual(result, { status: 3, complaint: '' });
});

test('columns outlive the table they came from, and are freed', async (t) => {
  const result = await run(`${start}
    import { setFlagsFromString } from 'node:v8';
    import { runInNewContext } from 'node:vm';
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc');
    const message = new Uint8Array(16 + 72);
    new DataView(message.buffer).setUint32(0, message.length, true);
    message[4] = 20;
    message[16] = 2;
    const many = new Uint8Array(message.length * 50_000);
    for (let at = 0; at < many.length; at += message.length) many.set(message, at);
    let family;
    for (let round = 0; round < 40; round++) {
      family = native.decodeSockets(many, 6).family;
      collect();
      await new Promise(setImmediate);
    }
    if (!family.every((value) => value === 4)) throw new Error('freed too early');
    const { rss } = process.memoryUsage();
    if (rss > 250e6) throw new Error('not freed: ' + rss);`);
  t.deepEqual(result, { status: 0, complaint: '' });
});
