import { spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket as NodeSocket } from 'node:net';
import { createInterface } from 'node:readline';
import type { ExecutionContext } from 'ava';
import ava from 'ava';
import { closeSocket, type Socket, type SocketFilter, sockets } from '#earshot/index.js';
import { requires } from '../support/requirements.js';
import { openCrowd } from './support/crowd.js';
import { namespaceFor, SYSTEM_ENVIRONMENT } from './support/namespace.js';

const live = requires('root', 'tool:ip', 'tool:nft', 'tool:python3');

/** A connection of this process to itself: both ends, and what the kernel says of them. */
async function connection(t: ExecutionContext) {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  const { port } = server.address() as AddressInfo;
  const client = connect(port, '127.0.0.1');
  const [accepted] = (await once(server, 'connection')) as [NodeSocket];
  t.teardown(() => {
    client.destroy();
    accepted.destroy();
  });
  const [record] = await sockets({ protocol: 'tcp', remotePort: port, state: 'established' });
  return { client, accepted, record: record!, port };
}

live(
  'a closed connection is ECONNABORTED where it was closed and ECONNRESET for the peer',
  async (t) => {
    const { client, accepted, record } = await connection(t);
    const errors = Promise.all([once(client, 'error'), once(accepted, 'error')]);
    t.true(await closeSocket(record));
    const codes = (await errors).map(([error]) => (error as NodeJS.ErrnoException).code);
    t.deepEqual(codes, ['ECONNABORTED', 'ECONNRESET']);
    t.false(await closeSocket(record), 'it has gone');
  },
);

live(
  'a UDP socket gets the error, and keeps its port only if it was bound to that very one',
  async (t) => {
    /** The port of a socket that was bound to `wanted` (0: any), and what of it is left when closed. */
    const closed = async (wanted: number): Promise<[number, number]> => {
      const socket = createSocket('udp4');
      t.teardown(() => socket.close());
      socket.bind(wanted, '127.0.0.1');
      await once(socket, 'listening');
      const { port } = socket.address();
      const [record] = await sockets({ protocol: 'udp', localPort: port });
      const error = once(socket, 'error');
      t.true(await closeSocket(record!));
      t.like((await error)[0], { code: 'ECONNABORTED' });
      const left = await sockets({ protocol: 'udp', localPort: port });
      return [port, left.filter(({ cookie }) => cookie === record!.cookie).length];
    };
    const [port, left] = await closed(0);
    t.is(left, 0);
    t.deepEqual(await closed(port), [port, 1]);
  },
);

live('a socket of another cookie is left alone, whatever its addresses and ports', async (t) => {
  const { record, client, port } = await connection(t);
  t.false(await closeSocket({ ...record, cookie: 'fedcba9876543210' }));
  const [still] = await sockets({ protocol: 'tcp', remotePort: port, state: 'established' });
  t.is(still!.cookie, record.cookie);
  t.false(client.destroyed);
});

live('TCP sockets of every state and family, bound to a device or not, close alone', async (t) => {
  const here = namespaceFor(t);
  const crowd = await openCrowd(here, namespaceFor(t), 100);
  t.teardown(() => crowd.close());
  t.log(`seed ${crowd.seed}`);
  const netns = here.path;
  const everyone = await sockets({ protocol: 'tcp' }, { netns });
  const kindOf = ({ state, family, boundInterface }: Socket) => [state, family, boundInterface];
  const kinds = new Map(everyone.map((socket) => [kindOf(socket).join(' '), socket]));
  t.true(kinds.size > 12, [...kinds.keys()].join(', '));
  for (const [kind, socket] of kinds) {
    const before = await sockets({ protocol: 'tcp', state: 'listen' }, { netns });
    const isThere = (one: Socket) => one.cookie === socket.cookie;
    if (!(await sockets({ protocol: 'tcp' }, { netns })).some(isThere)) continue; // its peer ended it
    t.true(await closeSocket(socket, { netns }), kind);
    t.false((await sockets({ protocol: 'tcp' }, { netns })).some(isThere), kind);
    const after = await sockets({ protocol: 'tcp', state: 'listen' }, { netns });
    const cookies = new Set(after.map(({ cookie }) => cookie));
    const gone = before.filter(({ cookie }) => !cookies.has(cookie));
    t.deepEqual(
      gone.map(({ cookie }) => cookie),
      socket.state === 'listen' ? [socket.cookie] : [],
      kind,
    );
  }
});

live(
  'of listeners that share a port the one meant is closed, or none and it is said',
  async (t) => {
    const here = namespaceFor(t);
    here.ip('link set lo up');
    const script = `
import socket, sys
kept = []
for _ in range(4):
    one = socket.socket()
    one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    one.bind(("127.0.0.1", 80))
    one.listen()
    kept.append(one)
print("ready", flush=True)
sys.stdin.read()`;
    const child = spawn('ip', ['netns', 'exec', here.name, 'python3', '-c', script], {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: SYSTEM_ENVIRONMENT,
    });
    t.teardown(() => child.stdin.end());
    await once(createInterface({ input: child.stdout }), 'line');
    const filter: SocketFilter = { protocol: 'tcp', localPort: 80 };
    const cookies = async () =>
      (await sockets(filter, { netns: here.path })).map(({ cookie }) => cookie).sort();
    let refused = 0;
    for (const socket of await sockets(filter, { netns: here.path })) {
      const before = await cookies();
      try {
        t.true(await closeSocket(socket, { netns: here.path }));
        t.deepEqual(
          await cookies(),
          before.filter((cookie) => cookie !== socket.cookie),
        );
      } catch (error) {
        refused++;
        t.like(error, { code: 'ERR_KERNEL', errno: 2 });
        t.regex((error as Error).message, /SO_REUSEPORT/);
        t.deepEqual(await cookies(), before);
      }
    }
    t.is((await cookies()).length, refused);
  },
);

live.serial('without CAP_NET_ADMIN it is refused, and nothing is closed', async (t) => {
  const { record, client } = await connection(t);
  process.seteuid!(65534);
  try {
    await t.throwsAsync(closeSocket(record), {
      code: 'ERR_PERMISSION',
      message: /127\.0\.0\.1 port \d+ may not be closed: EPERM.*CAP_NET_ADMIN/,
    });
  } finally {
    process.seteuid!(0);
  }
  t.false(client.destroyed);
});

ava('only a record with a cookie is closed', async (t) => {
  const record = { protocol: 'tcp', family: 'ipv4', local: { address: '127.0.0.1', port: 1 } };
  for (const cookie of [null, undefined, '', '5', 'x'.repeat(16), 5]) {
    await t.throwsAsync(closeSocket({ ...record, cookie } as Socket), {
      code: 'ERR_INVALID_ARGUMENT',
      message: /socket\.cookie is/,
    });
  }
  await t.throwsAsync(closeSocket(null as unknown as Socket), {
    code: 'ERR_INVALID_ARGUMENT',
    message: /socket is null: give a record/,
  });
});
