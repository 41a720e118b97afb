import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { availableParallelism } from 'node:os';
import type { ExecutionContext } from 'ava';
import { listeners, listenersSync, sockets, socketsSync, socketTable } from '#earshot/index.js';
import { parseAddress, parsePrefix, prefixHolds } from '#earshot/model/address.js';
import type { Socket, SocketFilter, SocketState } from '#earshot/model/socket.js';
import { requires } from '../support/requirements.js';
import { openCrowd } from './support/crowd.js';
import { difference, SAME } from './support/difference.js';
import { type Namespace, namespaceFor, SYSTEM_ENVIRONMENT } from './support/namespace.js';
import { socketAsWords, socketOfSs } from './support/ss.js';
import { TWINS } from './support/twins.js';

const live = requires('root', 'tool:ip', 'tool:ss', 'tool:nft', 'tool:python3');

const EVERY_STATE: SocketState[] = [
  'established',
  'syn-sent',
  'syn-received',
  'fin-wait-1',
  'fin-wait-2',
  'time-wait',
  'close-wait',
  'last-ack',
  'listen',
  'closing',
  'bound',
  'unconnected',
];

async function crowded(t: ExecutionContext, pairs: number): Promise<Namespace> {
  const here = namespaceFor(t);
  const crowd = await openCrowd(here, namespaceFor(t), pairs);
  t.teardown(() => crowd.close());
  t.log(`seed ${crowd.seed}`);
  return here;
}

live('thousands of sockets in every state are what ss(8) says they are', async (t) => {
  const here = await crowded(t, 1500);
  const records = await sockets({}, { netns: here.path });
  const lines = here.run('ss', '-tuneaOH').trim().split('\n');
  t.true(records.length > 3500, `${records.length} sockets`);
  t.deepEqual(difference(lines.map(socketOfSs), records.map(socketAsWords)), SAME);
  const states = new Set(records.map(({ state }) => state));
  const asked = await sockets({ state: 'bound' }, { netns: here.path });
  t.deepEqual(
    EVERY_STATE.filter((state) => state !== 'bound' && !states.has(state)),
    [],
  );
  t.true(records.every(({ source, cookie }) => source === 'netlink' && cookie !== null));
  t.deepEqual(
    asked.map(({ local, remote }) => [local.port, remote]).sort(),
    Array.from({ length: 20 }, (_, number) => [5000 + number, null]),
  );
});

/** Connections of a process to itself, every fourth over IPv6, until its input ends. */
const connected = (count: number) => `
import resource, socket, sys
most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
servers = [socket.create_server(("127.0.0.1", 3000), backlog=64),
           socket.create_server(("::1", 3000), family=socket.AF_INET6, backlog=64)]
held = []
for at in range(${count}):
    server = servers[at % 4 == 3]
    held.append(socket.create_connection(server.getsockname()[:2]))
    held.append(server.accept()[0])
print("ready", flush=True)
sys.stdin.read()`;

// Serial, for what others read tells the next read how much there is.
live.serial('of many TCP sockets two halves are read at once, and each is told once', async (t) => {
  const here = namespaceFor(t);
  here.ip('link set lo up');
  const count = 8500;
  const child = spawn('ip', ['netns', 'exec', here.name, 'python3', '-c', connected(count)], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: SYSTEM_ENVIRONMENT,
  });
  t.teardown(() => child.stdin.end());
  await once(child.stdout, 'data');
  const read = () => socketTable({ protocol: 'tcp' }, { netns: here.path });
  const half = ({ local, remote }: Socket) =>
    ((local.port >= 32768 ? local.port : (remote?.port ?? 0)) >> 13) & 1;
  const turns = (records: Socket[]) =>
    records.filter((one, at) => at > 0 && half(one) !== half(records[at - 1]!)).length;
  const cookies = (records: Socket[]) => records.map(({ cookie }) => cookie).sort();

  const first = [...(await read())];
  t.is(first.length, 2 * count + 2);
  t.true(turns(first) > 1);
  const halved = [...(await read())];
  t.is(turns(halved) === 1, availableParallelism() > 1, 'one half behind the other');
  const told = cookies(first);
  t.is(new Set(told).size, told.length);
  t.deepEqual(cookies(halved), told);
  const inParts = await sockets({ protocol: 'tcp' }, { netns: here.path });
  t.is(turns(inParts) === 1, availableParallelism() > 2); // a core for each thread
  t.deepEqual(cookies(inParts), told);
  t.deepEqual(await sockets({ protocol: 'tcp', uid: 1 }, { netns: here.path }), []);
  const { length } = await socketTable({ protocol: 'tcp', localPort: 3000 }, { netns: here.path });
  t.is(length, count + 2);
});

live(
  'a connection that is bound to a device is not hidden by one with the same ends',
  async (t) => {
    const here = namespaceFor(t);
    here.ip('link set lo up');
    const child = spawn('ip', ['netns', 'exec', here.name, 'python3', '-c', TWINS], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    const ended = once(child, 'close');
    t.teardown(async () => {
      child.stdin.end();
      await ended;
    });
    await Promise.race([once(child.stdout, 'data'), ended]);
    const twins: SocketFilter = {
      ...{ protocol: 'tcp', localAddress: '127.0.0.1', localPort: 5000 },
      ...{ remoteAddress: '127.0.0.1', remotePort: 4000 },
    };
    const bound = (filter: SocketFilter) =>
      socketsSync(filter, { netns: here.path })
        .map(({ boundInterface }) => boundInterface)
        .sort();
    t.deepEqual(bound(twins), ['lo', null]);
    t.deepEqual(bound({ ...twins, interface: 'lo' }), ['lo']);
    t.deepEqual(bound({ ...twins, interface: null }), [null]);
    t.deepEqual(bound({ protocol: 'tcp', interface: null, localPort: 5000 }), [null]);
    t.deepEqual(bound({ ...twins, remotePort: 4001 }), []);
    t.throws(() => socketsSync({ interface: null }, { netns: here.path, source: 'procfs' }), {
      message: /filter\.interface cannot be answered from \/proc\/net/,
    });
  },
);

live('a connection asked for by both its ends is told as the whole table tells it', async (t) => {
  const here = await crowded(t, 200);
  const netns = here.path;
  const everyone = socketsSync({ protocol: 'tcp' }, { netns });
  const connections = everyone.filter(({ remote }) => remote !== null);
  const states = new Set(connections.map(({ state }) => state));
  t.true(states.size > 8, [...states].join(' '));
  const endsOf = ({ local, remote }: Socket): SocketFilter => ({
    protocol: 'tcp',
    localAddress: local.address,
    localPort: local.port,
    remoteAddress: remote!.address,
    remotePort: remote!.port,
  });
  for (const connection of connections) {
    t.deepEqual(
      socketsSync(endsOf(connection), { netns }).map(({ cookie, state }) => [cookie, state]),
      [[connection.cookie, connection.state]],
      JSON.stringify(connection),
    );
  }
  const one = connections.find(({ state }) => state === 'established')!;
  const ends = endsOf(one);
  t.deepEqual(socketsSync({ ...ends, state: 'time-wait' }, { netns }), []);
  const other = one.family === 'ipv4' ? 'ipv6' : 'ipv4';
  t.deepEqual(socketsSync({ ...ends, family: other }, { netns }), []);
});

live('a listener is not the answer where a connection to it is asked for', async (t) => {
  const here = await crowded(t, 10);
  const ends: SocketFilter = {
    protocol: 'tcp',
    localAddress: '127.0.0.1',
    localPort: 3003,
    remoteAddress: '127.0.0.1',
    remotePort: 1,
  };
  const { remoteAddress: _, remotePort: __, ...local } = ends;
  const netns = here.path;
  t.true(socketsSync({ ...local, state: 'listen' }, { netns }).length > 0);
  t.deepEqual(socketsSync(ends, { netns }), []);
  t.deepEqual(await sockets({ ...ends, state: 'listen' }, { netns }), []);
});

live('/proc/net and netlink agree in every field that both have', async (t) => {
  const here = await crowded(t, 300);
  const shared = (socket: Socket): object => ({
    ...socket,
    cookie: null,
    v6only: null,
    mark: null,
    cgroup: null,
    transparent: null,
    backlog: null,
    boundInterface: null,
    // Without the device in /proc/net the interfaces are those of the address.
    interfaces: socket.boundInterface ? null : socket.interfaces,
    source: null,
  });
  const byNetlink = await sockets({}, { netns: here.path, source: 'netlink' });
  const byProcfs = await sockets({}, { netns: here.path, source: 'procfs' });
  const devices = new Set(
    byNetlink.filter(({ boundInterface }) => boundInterface).map(({ inode }) => inode),
  );
  const comparable = (records: Socket[]): object[] =>
    records.map((socket) => ({
      ...shared(socket),
      ...(devices.has(socket.inode) ? { interfaces: null } : {}),
    }));
  t.deepEqual(difference(comparable(byNetlink), comparable(byProcfs)), SAME);
  t.true(byProcfs.length > 700);
  t.true(
    byProcfs.every(
      ({ source, cookie, backlog }) => source === 'procfs' && cookie === null && backlog === null,
    ),
  );
});

const holds = (prefix: string, address: string): boolean => {
  const wanted = parsePrefix(prefix)!;
  const mapped = wanted.address.family === 'ipv4' ? address.replace(/^::ffff:/, '') : address;
  return prefixHolds(wanted, parseAddress(mapped)!);
};

/** A filter, and what it means in JavaScript. */
const FILTERS: [SocketFilter, (socket: Socket) => boolean][] = [
  [{ protocol: 'tcp' }, ({ protocol }) => protocol === 'tcp'],
  [{ protocol: ['udp'] }, ({ protocol }) => protocol === 'udp'],
  [{ family: 'ipv4' }, ({ family }) => family === 'ipv4'],
  [{ family: ['ipv6'] }, ({ family }) => family === 'ipv6'],
  ...EVERY_STATE.map((state): [SocketFilter, (socket: Socket) => boolean] => [
    { state },
    (socket) => socket.state === state,
  ]),
  [
    { state: ['listen', 'unconnected', 'time-wait'] },
    ({ state }) => ['listen', 'unconnected', 'time-wait'].includes(state),
  ],
  [{ localPort: 3003 }, ({ local }) => local.port === 3003],
  [
    { localPort: [7001, 3000, 7000, 2001] },
    ({ local }) => [7001, 3000, 7000, 2001].includes(local.port),
  ],
  [
    { localPort: { from: 2000, to: 3004 } },
    ({ local }) => local.port >= 2000 && local.port <= 3004,
  ],
  [{ localPort: { from: 0, to: 65535 } }, () => true],
  [{ remotePort: 3003 }, ({ remote }) => remote?.port === 3003],
  [{ remotePort: 0 }, ({ remote }) => (remote?.port ?? 0) === 0],
  [
    { remotePort: { from: 3000, to: 7010 } },
    ({ remote }) => remote !== null && remote.port >= 3000 && remote.port <= 7010,
  ],
  [{ localAddress: '127.0.0.1' }, ({ local }) => holds('127.0.0.1', local.address)],
  [{ localAddress: '127.0.0.0/8' }, ({ local }) => holds('127.0.0.0/8', local.address)],
  [{ localAddress: '::1' }, ({ local }) => holds('::1', local.address)],
  [{ localAddress: '::/1' }, ({ local }) => holds('::/1', local.address)],
  [{ localAddress: '192.0.2.77/24' }, ({ local }) => holds('192.0.2.0/24', local.address)],
  [
    { remoteAddress: '192.0.2.66' },
    ({ remote }) => remote !== null && holds('192.0.2.66', remote.address),
  ],
  [
    { remoteAddress: '127.0.0.0/9' },
    ({ remote }) => remote !== null && holds('127.0.0.0/9', remote.address),
  ],
  [{ interface: 'lan0' }, ({ boundInterface }) => boundInterface === 'lan0'],
  [{ interface: 'nothere0' }, () => false],
  [{ uid: 54321 }, ({ uid }) => uid === 54321],
  [{ uid: 0 }, ({ uid }) => uid === 0],
  [{ mark: 3 }, ({ mark }) => mark === 3],
  [{ mark: 0 }, ({ mark }) => mark === 0],
  [
    { protocol: 'tcp', state: 'established', localPort: 3003, remoteAddress: '127.0.0.1' },
    ({ protocol, state, local, remote }) =>
      protocol === 'tcp' &&
      state === 'established' &&
      local.port === 3003 &&
      remote?.address === '127.0.0.1',
  ],
];

live('every filter lets through what it means, from either source', async (t) => {
  const here = await crowded(t, 300);
  for (const source of ['netlink', 'procfs'] as const) {
    const options = { netns: here.path, source };
    const all = await sockets(
      { state: source === 'netlink' ? [...EVERY_STATE, 'closed'] : EVERY_STATE },
      options,
    );
    for (const [filter, meaning] of FILTERS) {
      // What /proc/net does not tell cannot be matched.
      if (source === 'procfs' && ('mark' in filter || 'interface' in filter)) continue;
      const wanted = all.filter(
        (socket) => meaning(socket) && (filter.state !== undefined || socket.state !== 'bound'),
      );
      const name = `${source} ${JSON.stringify(filter)}`;
      t.deepEqual(difference(wanted, await sockets(filter, options)), SAME, name);
      if (filter.interface !== 'nothere0' && !(source === 'procfs' && filter.state === 'bound')) {
        t.true(wanted.length > 0, `${name} would prove nothing`);
      }
    }
  }
});

live('the blocking forms, the table and listeners() show the same sockets', async (t) => {
  const here = await crowded(t, 50);
  const options = { netns: here.path };
  const all = await sockets({}, options);
  const table = await socketTable({}, options);
  t.deepEqual(difference(all, socketsSync({}, options)), SAME);
  const rows = [...table];
  t.deepEqual(difference(all, rows), SAME);
  t.is(table.length, all.length);
  t.deepEqual(table.at(7), rows[7]);
  t.deepEqual(
    Array.from(table.columns.localPort),
    rows.map(({ local }) => local.port),
  );
  const waiting = all.filter(({ state }) => state === 'listen' || state === 'unconnected');
  t.deepEqual(difference(waiting, await listeners({}, { ...options, owners: false })), SAME);
  t.deepEqual(difference(waiting, listenersSync({}, { ...options, owners: false })), SAME);
  const owned = listenersSync({ state: 'listen' }, options);
  t.deepEqual(difference(owned, await listeners({ protocol: 'tcp' }, options)), SAME);
  t.true(owned.every(({ owners }) => owners!.length >= 1 && owners![0]!.name === 'python3'));
  t.deepEqual(await listeners({ state: 'established' }, options), []);
});
