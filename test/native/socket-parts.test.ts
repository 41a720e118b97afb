import { spawn } from 'node:child_process';
import { once } from 'node:events';
import ava from 'ava';
import { sockets, socketTable } from '#earshot/index.js';
import { native } from '#earshot/native.js';
import { compiled } from '../support/preload.js';
import { missing, requires } from '../support/requirements.js';
import { type Host, host, query } from './support.js';

const asRoot = requires('root', 'tool:python3');
const withCompiler = requires('root', 'tool:python3', 'tool:cc');
const built = (name: string) => JSON.stringify(new URL(`../../../dist/${name}`, import.meta.url));

/** So many are told in more parts than one. */
const MANY = 9000;
const HOST = `
import socket, sys
kept = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(${MANY})]
for number, one in enumerate(kept): one.bind(("0.0.0.0", 10000 + number))
print("ready", flush=True)
sys.stdin.read()
`;
let crowd: Host | undefined;
ava.before(async () => {
  if (missing('root') === null && missing('tool:python3') === null)
    crowd = await host('python3', '-c', HOST);
});
ava.after.always(() => crowd?.close());

for (const source of ['netlink', 'procfs'] as const) {
  asRoot(`records that come in parts are those of the whole table, by ${source}`, async (t) => {
    const options = { netns: crowd!.netns, source };
    const records = await sockets({ protocol: 'udp' }, options);
    t.is(records.length, MANY);
    t.deepEqual(records, (await socketTable({ protocol: 'udp' }, options)).toArray());
  });
}

asRoot('a part begins where the one before it ends', async (t) => {
  const parts: [number, number][] = [];
  const udp = query({ tcpStates: 0, netns: crowd!.netns });
  await native.readSocketsInParts(udp, (first, { columns }) => parts.push([first, columns.length]));
  t.true(parts.length > 2, JSON.stringify(parts));
  let next = 0;
  for (const [first, length] of parts) {
    t.is(first, next);
    next += length;
  }
  t.is(next, MANY);
});

asRoot('what is thrown where a part is taken refuses the read', async (t) => {
  const udp = query({ tcpStates: 0, netns: crowd!.netns });
  let calls = 0;
  const read = native.readSocketsInParts(udp, () => {
    calls++;
    throw new RangeError('no room');
  });
  await t.throwsAsync(read, { instanceOf: RangeError, message: 'no room' });
  t.is(calls, 1);
});

asRoot('a namespace that is not there refuses the read, and no part comes', async (t) => {
  const read = sockets({ protocol: 'udp' }, { netns: '/nowhere' });
  await t.throwsAsync(read, { code: 'ERR_NETNS' });
});

/** The Nth answers of the kernel are lost, as where it had no memory for them. */
const LOSES = `
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
ssize_t recvmsg(int fd, struct msghdr *message, int flags) {
  static int calls;
  ssize_t (*real)(int, struct msghdr *, int) = dlsym(RTLD_NEXT, "recvmsg");
  if (__sync_add_and_fetch(&calls, 1) != atoi(getenv("LOSES"))) return real(fd, message, flags);
  errno = ENOBUFS;
  return -1;
}
`;

/** Runs a module to its end: how it ended, what it said, and what it complained of. */
async function run(code: string, environment: NodeJS.ProcessEnv = {}): Promise<string[]> {
  const child = spawn(process.execPath, ['--input-type=module', '-e', code], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...environment },
  });
  const said = ['', ''];
  child.stdout.on('data', (chunk) => {
    said[0] += chunk;
  });
  child.stderr.on('data', (chunk) => {
    said[1] += chunk;
  });
  const [status, signal] = await once(child, 'close');
  return [String(signal ?? status), ...said.map((text) => text.trim())];
}

withCompiler('a read that is lost half way starts again, and tells each socket once', async (t) => {
  const library = await compiled(t, LOSES);
  const code = `
    import { sockets } from ${built('index.js')};
    const options = { netns: ${JSON.stringify(crowd!.netns)} };
    const records = await sockets({ protocol: 'udp', family: 'ipv4' }, options);
    const ports = new Set(records.map(({ local }) => local.port));
    console.log(records.length, ports.size);`;
  for (const lost of ['2', '12', '24'])
    t.deepEqual(
      await run(code, { LD_PRELOAD: library, LOSES: lost }),
      ['0', `${MANY} ${MANY}`, ''],
      `the ${lost}th answer`,
    );
});

asRoot('a worker thread that is terminated between two parts takes nothing with it', async (t) => {
  t.timeout(120_000, 'many workers');
  const body = encodeURIComponent(`
    const { parentPort } = await import('node:worker_threads');
    const { sockets } = await import(${built('index.js')});
    const options = { netns: ${JSON.stringify(crowd!.netns)} };
    parentPort.postMessage('reading');
    for (;;) await Promise.all([sockets({}, options), sockets({}, options)]);`);
  const result = await run(`
    import { once } from 'node:events';
    import { Worker } from 'node:worker_threads';
    for (let round = 0; round < 12; round++) {
      const thread = new Worker(new URL("data:text/javascript,${body}"));
      await once(thread, 'message');
      await new Promise((resolve) => setTimeout(resolve, 3 * round));
      await thread.terminate();
    }`);
  t.deepEqual(result, ['0', '', '']);
});

asRoot('a process that exits between two parts exits as it was told', async (t) => {
  for (const wait of [0, 2, 5, 10]) {
    const result = await run(`
      import { sockets } from ${built('index.js')};
      const options = { netns: ${JSON.stringify(crowd!.netns)} };
      for (let read = 0; read < 3; read++) void sockets({}, options);
      setTimeout(() => process.exit(3), ${wait});`);
    t.deepEqual(result, ['3', '', ''], `after ${wait} ms`);
  }
});
