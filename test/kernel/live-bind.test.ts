import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket as Stream } from 'node:net';
import test, { type ExecutionContext } from 'ava';
import { EarshotError } from '#earshot/errors.js';
import { capture } from '#earshot/kernel/capture.js';
import { checkBind } from '#earshot/reach/bind.js';

/* What captures hold for checkBind, read from this machine. */

async function listening(t: ExecutionContext, reusePort = false): Promise<number> {
  const server = createServer((stream) => stream.on('error', () => {}));
  server.listen({ port: 0, host: '127.0.0.1', reusePort } as object);
  await once(server, 'listening');
  t.teardown(() => server.close());
  return (server.address() as AddressInfo).port;
}

async function connected(t: ExecutionContext, port: number): Promise<Stream> {
  const stream = connect(port, '127.0.0.1');
  await once(stream, 'connect');
  t.teardown(() => stream.destroy());
  return stream;
}

test('a listener of this process tells SO_REUSEADDR, which Node sets on every server', async (t) => {
  const port = await listening(t);
  const { sockets, where } = await capture();
  const socket = sockets.find(({ local, state }) => local.port === port && state === 'listen');
  t.true(socket?.reuseAddress);
  t.is(socket?.reusePort, false);
  t.is(where.uid, process.geteuid!());
});

test('without owners nobody is asked', async (t) => {
  const port = await listening(t);
  const { sockets } = await capture({ owners: false });
  t.false('reuseAddress' in sockets.find(({ local }) => local.port === port)!);
});

test('both ends of a connection hold their ports', async (t) => {
  const port = await listening(t);
  const stream = await connected(t, port);
  const { held = [] } = await capture();
  const holding = (one: number) =>
    held.filter(({ ports, address }) => address === '127.0.0.1' && ports.includes(one));
  t.is(holding(port).length, 1);
  const [client] = holding(stream.localPort!);
  t.is(client?.uid, process.geteuid!());
  t.false(client?.timeWait);
  t.false('reuseAddress' in client!, 'connections are asked on demand alone');
});

test('connections tell their options where that is asked for', async (t) => {
  const port = await listening(t);
  const stream = await connected(t, port);
  const state = await capture({ socketOptions: true });
  const client = state.held?.find(
    ({ ports, reuseAddress }) => ports.includes(stream.localPort!) && reuseAddress !== undefined,
  );
  t.is(client?.reuseAddress, false);
  const bind = { protocol: 'tcp', address: '127.0.0.1', port: stream.localPort! } as const;
  const check = checkBind(state, { ...bind, reuseAddress: true });
  t.is(check.error, 'EADDRINUSE');
  t.is(check.connections.length, 1);
});

test('a port that a server of this process has is taken, and free once it is closed', async (t) => {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const bind = { protocol: 'tcp', address: '0.0.0.0', port, reuseAddress: true } as const;
  const taken = checkBind(await capture(), bind);
  t.is(taken.error, 'EADDRINUSE');
  t.is(taken.conflicts[0]?.owners?.[0]?.pid, process.pid);
  server.close();
  await once(server, 'close');
  t.true(checkBind(await capture(), bind).ok);
});

test('socketOptions that is not true or false is refused', async (t) => {
  const error = await t.throwsAsync(() => capture({ socketOptions: 1 as unknown as boolean }), {
    instanceOf: EarshotError,
  });
  t.is(error?.message, 'options.socketOptions is 1, not true or false');
});
