import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { createInterface } from 'node:readline';
import test, { type ExecutionContext } from 'ava';
import { native, SocketOption } from '#earshot/native.js';
import { query } from './support.js';

const { known, reuseAddress, v6onlyKnown, v6only } = SocketOption;

/** A server of this process: its descriptor and inode. */
async function listening(t: ExecutionContext, host: string, ipv6Only = false) {
  const server: Server = createServer();
  server.listen({ port: 0, host, ipv6Only });
  await once(server, 'listening');
  t.teardown(() => server.close());
  const { port } = server.address() as AddressInfo;
  const { columns } = native.readSocketsSync(query({ localPorts: Uint16Array.of(port, port) }));
  const { fd } = (server as unknown as { _handle: { fd: number } })._handle;
  return { fd, inode: columns.inode[0]! };
}

const ask = async (pid: number, fd: number, inode: number) => {
  const one = (value: number) => Uint32Array.of(value);
  return (await native.socketOptions({ pid: one(pid), fd: one(fd), inode: one(inode) }))[0];
};

test("the options of this process's own sockets", async (t) => {
  const ipv4 = await listening(t, '127.0.0.1');
  t.is(await ask(process.pid, ipv4.fd, ipv4.inode), known | reuseAddress);
  const ipv6 = await listening(t, '::1');
  t.is(await ask(process.pid, ipv6.fd, ipv6.inode), known | reuseAddress | v6onlyKnown | v6only);
});

test('a descriptor that is another socket by now tells nothing', async (t) => {
  const { fd, inode } = await listening(t, '127.0.0.1');
  t.is(await ask(process.pid, fd, inode + 1), 0);
  t.is(await ask(process.pid, 1_000_000, inode), 0);
  t.is(await ask(4_194_304, fd, inode), 0, 'there is no such process');
});

test('a file is no socket', async (t) => {
  t.is(await ask(process.pid, 0, 0), 0);
});

test('no descriptors, no options', async (t) => {
  const none = new Uint32Array(0);
  t.is((await native.socketOptions({ pid: none, fd: none, inode: none })).length, 0);
  const cut = { pid: none, fd: none, inode: Uint32Array.of(1) };
  t.deepEqual([...(await native.socketOptions(cut))], [0]);
});

test('a socket that a child holds is asked by way of the child, and stays its own', async (t) => {
  const { fd, inode } = await listening(t, '127.0.0.1');
  const child = spawn('cat', ['-'], { stdio: ['pipe', 'pipe', 'ignore', fd] });
  const exited = once(child, 'exit');
  child.stdin!.write('started\n');
  await once(createInterface({ input: child.stdout! }), 'line');
  const told = await ask(child.pid!, 3, inode);
  const owners = native.ownersSync({ inodes: Uint32Array.of(inode), procRoot: '/proc' });
  child.stdin!.end();
  await exited;
  // Yama or a container may forbid it: then nothing is told.
  t.true(told === (known | reuseAddress) || told === 0);
  if (process.getuid?.() === 0) t.is(told, known | reuseAddress);
  t.deepEqual([...owners.pid].sort(), [process.pid, child.pid!].sort(), 'nobody else holds it');
});
