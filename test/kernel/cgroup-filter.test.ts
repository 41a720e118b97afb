import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, rmdirSync, statSync } from 'node:fs';
import { createInterface } from 'node:readline';
import test, { type ExecutionContext } from 'ava';
import { listeners, sockets, socketsSync, watch } from '#earshot/index.js';
import { checkReadOptions } from '#earshot/kernel/read-options.js';
import { socketQuery } from '#earshot/kernel/socket-filter.js';
import type { SocketFilter } from '#earshot/model/socket.js';
import { checkRecordFilter, matchesFilter } from '#earshot/model/socket-filter.js';
import { native } from '#earshot/native.js';
import { tcp } from '../reach/support/state.js';
import { requires } from '../support/requirements.js';
import { type Namespace, namespaceFor } from './support/namespace.js';

/** Where cgroup v2 is mounted. */
const root = /^\S+ \S+ \S+ \S+ (\S+) .* - cgroup2 /m.exec(
  readFileSync('/proc/self/mountinfo', 'utf8'),
)?.[1];
const live = requires('root', 'tool:ip', 'tool:python3', {
  name: 'cgroup v2',
  missing: () => (root === undefined ? 'needs cgroup v2, which is not mounted' : null),
});

const HOLD = `
import os, socket, sys
kept = []
for place, port in zip(sys.argv[1::2], sys.argv[2::2]):
    open(place + "/cgroup.procs", "w").write(str(os.getpid()))
    for kind in socket.SOCK_STREAM, socket.SOCK_DGRAM:
        one = socket.socket(socket.AF_INET6, kind)
        one.bind(("::", int(port)))
        if kind == socket.SOCK_STREAM: one.listen()
        kept.append(one)
open(sys.argv[1] + "/../cgroup.procs", "w").write(str(os.getpid()))
print("ready", flush=True)
sys.stdin.read()
`;

/** A namespace with a TCP and a UDP socket on port 1000 of a cgroup and on port 2000 of one inside it. */
async function twoCgroups(t: ExecutionContext): Promise<{ here: Namespace; path: string }> {
  const here = namespaceFor(t);
  const path = `/${here.name}`;
  const places = [`${root}${path}`, `${root}${path}/inner`];
  for (const place of places) mkdirSync(place);
  const values = [places[0]!, '1000', places[1]!, '2000'];
  const child = spawn('nsenter', [`--net=${here.path}`, 'python3', '-c', HOLD, ...values], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const ended = once(child, 'close');
  t.teardown(async () => {
    child.stdin.end();
    await ended;
    for (const place of places.reverse()) rmdirSync(place);
  });
  await Promise.race([once(createInterface({ input: child.stdout }), 'line'), ended]);
  return { here, path };
}

live('sockets of a cgroup are those that were made in it, and in none below', async (t) => {
  const { here, path } = await twoCgroups(t);
  const options = { netns: here.path };
  const ports = async (filter: SocketFilter) =>
    (await sockets(filter, options)).map(({ protocol, local }) => `${protocol} ${local.port}`);
  t.deepEqual(await ports({ cgroup: path }), ['tcp 1000', 'udp 1000']);
  t.deepEqual(await ports({ cgroup: `${path}/inner` }), ['tcp 2000', 'udp 2000']);
  t.deepEqual(await ports({ cgroup: `${path}/inner/` }), ['tcp 2000', 'udp 2000']);
  t.deepEqual(await ports({ cgroup: '/' }), []);
  t.deepEqual(await ports({ cgroup: path, localPort: 2000 }), []);
  const id = statSync(`${root}${path}/inner`).ino;
  t.deepEqual(await ports({ cgroup: id, protocol: 'tcp' }), ['tcp 2000']);
  const [listener] = await listeners({ cgroup: id }, { ...options, owners: false });
  t.is(listener!.cgroup, `${path}/inner`);
});

live('the kernel itself lets through the sockets of the cgroup alone', async (t) => {
  const { here, path } = await twoCgroups(t);
  const query = socketQuery({ cgroup: path }, checkReadOptions({ netns: here.path }));
  const told = native.dumpSocketsSync(query).map(({ protocol, bytes }) => {
    return native.decodeSockets(bytes, protocol).localPort;
  });
  t.deepEqual(
    told.flatMap((ports) => [...ports]),
    [1000, 1000],
  );
});

live('a cgroup that is not there is an error, and so is asking /proc/net for one', async (t) => {
  const { here, path } = await twoCgroups(t);
  await t.throwsAsync(sockets({ cgroup: `${path}/outer` }), {
    message: /filter\.cgroup is '.*\/outer', and there is no such cgroup v2/,
  });
  await t.throwsAsync(sockets({ cgroup: `${path}/cgroup.procs` }), { message: /no such cgroup/ });
  t.throws(() => socketsSync({ cgroup: path }, { netns: here.path, source: 'procfs' }), {
    message: /filter\.cgroup cannot be answered from \/proc\/net/,
  });
});

live('a watch of a cgroup tells of its sockets alone', async (t) => {
  const { here, path } = await twoCgroups(t);
  const watcher = watch({
    ...{ netns: here.path, filter: { cgroup: path }, intervalMs: 20 },
    ...{ existing: true, exposure: false },
  });
  const { value } = await watcher.next();
  await watcher.close();
  t.deepEqual(
    value!.map((change) => (change.type === 'opened' ? change.socket.local.port : change.type)),
    [1000, 1000],
  );
});

test('a cgroup is a path from the root of cgroup v2, or an id', (t) => {
  for (const cgroup of ['web', '', '/a/../b', '/a//b', '/.', '/a\0', 0, -1, 1.5, 2 ** 60, null]) {
    t.throws(() => socketsSync({ cgroup } as SocketFilter), {
      code: 'ERR_INVALID_ARGUMENT',
      message: /^filter\.cgroup is .*: give a path below the mount of cgroup v2/,
    });
  }
});

test('a record is held against the path', (t) => {
  const inside = tcp('0.0.0.0:80', { cgroup: '/web' });
  const outside = tcp('0.0.0.0:80', { cgroup: '/web/inner' });
  const untold = tcp('0.0.0.0:80', { cgroup: null });
  const filter = checkRecordFilter({ cgroup: '/web' });
  t.deepEqual(
    [inside, outside, untold].map((socket) => matchesFilter(socket, filter)),
    [true, false, false],
  );
  t.throws(() => checkRecordFilter({ cgroup: 17 }), {
    message: 'filter.cgroup is 17: a record tells the path, so give that',
  });
});

live('a socket outlives its cgroup, and is found by the id of that', async (t) => {
  const here = namespaceFor(t);
  const place = `${root}/${here.name}`;
  mkdirSync(place);
  const id = statSync(place).ino;
  const child = spawn('nsenter', [`--net=${here.path}`, 'python3', '-c', HOLD, place, '1000'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const ended = once(child, 'close');
  await Promise.race([once(createInterface({ input: child.stdout }), 'line'), ended]);
  rmdirSync(place);
  const told = await sockets({ cgroup: id }, { netns: here.path });
  child.stdin.end();
  await ended;
  t.deepEqual(
    told.map(({ protocol }) => protocol),
    ['tcp', 'udp'],
  );
  t.throws(() => execFileSync('stat', [place], { stdio: 'ignore' }));
});
