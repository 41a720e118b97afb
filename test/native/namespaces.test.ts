import { mkdtempSync, readdirSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import ava from 'ava';
import { native } from '#earshot/native.js';
import { requires } from '../support/requirements.js';
import { query, shellHost } from './support.js';

const asRoot = requires('root', 'tool:ip').serial;

const own = () => readlinkSync('/proc/self/ns/net');
const threads = () =>
  readdirSync('/proc/self/task').map((task) => readlinkSync(`/proc/self/task/${task}/ns/net`));
const descriptors = () => readdirSync('/proc/self/fd').length;

const spoiled: [string, string, number][] = [
  ['/run/netns/there-is-none', 'does not exist', 2],
  ['/proc/self/ns/mnt', 'is not a network namespace', 22],
  ['/dev/null', 'is not a network namespace', 22],
  ['/', 'is not a network namespace', 22],
];

for (const [netns, reason, errno] of spoiled) {
  asRoot(`${netns} as a namespace: ${reason}`, async (t) => {
    const expected = { code: 'ERR_NETNS', errno, message: new RegExp(`${netns}.*${reason}`) };
    t.like(
      t.throws(() => native.readSocketsSync(query({ netns }))),
      { code: 'ERR_NETNS', errno },
    );
    for (const ask of [
      () => native.readSockets(query({ netns })),
      () => native.netlink({ protocol: 0, requests: [], watchGroups: [], netns }),
      () => native.readFiles({ paths: [], netns }),
    ]) {
      const error = await t.throwsAsync(ask);
      t.like(error, { code: expected.code, errno });
      t.regex(error!.message, expected.message);
    }
  });
}

asRoot('a namespace that is no file of the kernel is refused', (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'earshot-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  const netns = join(directory, 'plain');
  writeFileSync(netns, '');
  t.like(
    t.throws(() => native.readSocketsSync(query({ netns }))),
    { code: 'ERR_NETNS', errno: 22 },
  );
});

asRoot('no thread of this process moves, and no descriptor stays, in 200 calls', async (t) => {
  const other = await shellHost('ip link set lo up');
  t.teardown(() => other.close());
  const { netns } = other;
  t.not(readlinkSync(netns), own());
  const everywhere = [netns, null, '/proc/self/ns/net', ...spoiled.map(([path]) => path)];
  const call = async (round: number): Promise<void> => {
    const where = everywhere[round % everywhere.length]!;
    const calls = [
      () => native.readSockets(query({ netns: where })),
      () => native.readSocketsSync(query({ netns: where, source: 'procfs' })),
      () =>
        native.netlink({
          protocol: 0,
          requests: [{ type: 18, flags: 0x300, payload: new Uint8Array(16) }],
          watchGroups: [1],
          netns: where,
        }),
      () => native.netlinkSync({ protocol: 31, requests: [], watchGroups: [], netns: where }),
      () => native.readFiles({ paths: ['/proc/thread-self/net/dev', '/nowhere'], netns: where }),
    ];
    try {
      await calls[round % calls.length]!();
    } catch (error) {
      t.truthy((error as { code?: string }).code);
    }
  };
  for (let round = 0; round < 40; round++) await call(round); // libuv's threads have started
  const before = { own: own(), threads: threads(), descriptors: descriptors() };
  await Promise.all(Array.from({ length: 200 }, (_, round) => call(round)));
  t.is(own(), before.own);
  t.deepEqual(new Set(threads()), new Set([before.own]));
  t.is(threads().length, before.threads.length);
  t.is(descriptors(), before.descriptors);
});

ava.serial("one's own namespace may be named without entering it", (t) => {
  const named = native.readSocketsSync(query({ netns: '/proc/self/ns/net' }));
  t.deepEqual(named.interfaceNames, native.readSocketsSync(query()).interfaceNames);
});
