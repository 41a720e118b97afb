import { spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import ava, { type ExecutionContext } from 'ava';
import { native, type OwnerTable } from '#earshot/native.js';
import { query } from './support.js';

const rows = ({ inode, pid, fd }: OwnerTable) =>
  Array.from(inode, (value, row) => ({ inode: value, pid: pid[row]!, fd: fd[row]! }));

async function listening(t: ExecutionContext): Promise<{ inode: number; fd: number }> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  const { port } = server.address() as { port: number };
  const localPorts = Uint16Array.of(port, port);
  const { columns } = native.readSocketsSync(query({ localPorts }));
  const { fd } = (server as unknown as { _handle: { fd: number } })._handle;
  return { inode: columns.inode[0]!, fd };
}

ava('a socket of this process is owned by it, under its descriptor', async (t) => {
  const { inode, fd } = await listening(t);
  const owners = await native.owners({ inodes: Uint32Array.of(inode), procRoot: '/proc' });
  t.deepEqual(rows(owners), [{ inode, pid: process.pid, fd }]);
  t.is(owners.processes.length, 1);
  const { name, command, uid, pid } = owners.processes[0]!;
  t.is(pid, process.pid);
  t.is(uid, process.getuid!());
  t.is(command[0], process.argv0);
  t.true(name.length > 0 && name.length <= 15 && !name.includes('\n'));
});

ava('a socket that a child holds too, under two descriptors, has all its owners', async (t) => {
  const { inode, fd } = await listening(t);
  const child = spawn('cat', ['--', '-'], { stdio: ['pipe', 'pipe', 'ignore', fd, fd] });
  const exited = once(child, 'exit');
  child.stdin!.write('started\n');
  await once(createInterface({ input: child.stdout! }), 'line');
  const owners = native.ownersSync({ inodes: Uint32Array.of(inode), procRoot: '/proc' });
  child.stdin!.end();
  await exited;
  t.deepEqual(
    rows(owners).sort((a, b) => a.pid - b.pid || a.fd - b.fd),
    [
      { inode, pid: process.pid, fd },
      { inode, pid: child.pid!, fd: 3 },
      { inode, pid: child.pid!, fd: 4 },
    ].sort((a, b) => a.pid - b.pid || a.fd - b.fd),
  );
  t.deepEqual(
    owners.processes.find(({ pid }) => pid === child.pid),
    { pid: child.pid!, name: 'cat', command: ['cat', '--', '-'], uid: process.getuid!() },
  );
  t.is(owners.processes.length, 2);
});

ava('asked for all inodes, every socket of this process is among them', async (t) => {
  const socket = createSocket('udp4');
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
  t.teardown(() => socket.close());
  const owners = native.ownersSync({ inodes: null, procRoot: '/proc' });
  t.true(owners.processes.some(({ pid }) => pid === process.pid));
  t.is(new Set(owners.processes.map(({ pid }) => pid)).size, owners.processes.length);
});

/** A recorded /proc: processes with their links, one that vanished midway, and what is no process. */
function recorded(t: ExecutionContext): string {
  const root = mkdtempSync(join(tmpdir(), 'earshot-proc-'));
  t.teardown(() => rmSync(root, { recursive: true }));
  const process = (pid: string, links: string[], files: Record<string, string>) => {
    mkdirSync(join(root, pid, 'fd'), { recursive: true });
    for (const [fd, link] of links.entries()) symlinkSync(link, join(root, pid, 'fd', String(fd)));
    for (const [name, text] of Object.entries(files)) writeFileSync(join(root, pid, name), text);
  };
  const status = (uid: number) =>
    `Name:\tx\nUmask:\t0022\nUid:\t${uid}\t0\t0\t0\nGid:\t7\t7\t7\t7\n`;
  process('10', ['/dev/null', 'socket:[100]', 'socket:[200]', 'pipe:[100]'], {
    comm: 'odd) name\n',
    cmdline: 'a\0\0b c\0',
    status: status(1000),
  });
  process('20', ['socket:[200]', 'socket:[4294967295]', 'socket:[99999999999]', 'socket:[]'], {
    comm: 'unended\n',
    cmdline: 'no final nul',
    status: status(0),
  });
  process('30', ['socket:[200]'], { comm: 'gone\n' });
  process('40', ['socket:[300]'], { comm: 'zombie\n', cmdline: '', status: status(1) });
  process('self', ['socket:[200]'], { comm: 'self\n', cmdline: '', status: status(1) });
  mkdirSync(join(root, '50')); // its fd directory went first
  writeFileSync(join(root, 'uptime'), '');
  return root;
}

ava('a recorded /proc', (t) => {
  const owners = native.ownersSync({ inodes: null, procRoot: recorded(t) });
  t.deepEqual(
    rows(owners).sort((a, b) => a.pid - b.pid || a.fd - b.fd),
    [
      { inode: 100, pid: 10, fd: 1 },
      { inode: 200, pid: 10, fd: 2 },
      { inode: 200, pid: 20, fd: 0 },
      { inode: 4294967295, pid: 20, fd: 1 },
      { inode: 300, pid: 40, fd: 0 },
    ],
  );
  t.deepEqual(
    owners.processes.sort((a, b) => a.pid - b.pid),
    [
      { pid: 10, name: 'odd) name', command: ['a', '', 'b c'], uid: 1000 },
      { pid: 20, name: 'unended', command: ['no final nul'], uid: 0 },
      { pid: 40, name: 'zombie', command: [], uid: 1 },
    ],
  );
  t.is(owners.denied, 0);
});

ava('only the inodes asked for are told', (t) => {
  const procRoot = recorded(t);
  const owners = native.ownersSync({ inodes: Uint32Array.of(99, 100, 300), procRoot });
  t.deepEqual(
    rows(owners)
      .map(({ inode }) => inode)
      .sort(),
    [100, 300],
  );
  t.is(native.ownersSync({ inodes: new Uint32Array(), procRoot }).inode.length, 0);
});

/** A recorded /proc of processes with many descriptors, given as inode by descriptor. */
function crowdedProc(t: ExecutionContext, held: Record<string, Record<number, number>>): string {
  const root = mkdtempSync(join(tmpdir(), 'earshot-proc-'));
  t.teardown(() => rmSync(root, { recursive: true }));
  for (const [pid, sockets] of Object.entries(held)) {
    mkdirSync(join(root, pid, 'fd'), { recursive: true });
    for (let fd = 0; fd < 500; fd++) {
      const link = fd in sockets ? `socket:[${sockets[fd]}]` : '/dev/null';
      symlinkSync(link, join(root, pid, 'fd', String(fd)));
    }
    const files = { comm: 'x\n', cmdline: 'x\0', status: 'Name:\tx\nUid:\t0\t0\t0\t0\n' };
    for (const [name, text] of Object.entries(files)) writeFileSync(join(root, pid, name), text);
  }
  return root;
}

ava('a socket is found wherever it is among many descriptors', (t) => {
  for (const fd of [0, 63, 64, 65, 499]) {
    const procRoot = crowdedProc(t, { 10: {}, 20: { [fd]: 700 }, 30: { 5: 701 } });
    const owners = native.ownersSync({ inodes: Uint32Array.of(701, 0, 700, 701), procRoot });
    t.deepEqual(rows(owners), [
      { inode: 700, pid: 20, fd },
      { inode: 701, pid: 30, fd: 5 },
    ]);
  }
});

ava('each owner of a socket is found, whatever number it has it at among many', (t) => {
  const procRoot = crowdedProc(t, { 10: { 400: 700 }, 20: { 3: 700 }, 30: { 499: 700, 70: 700 } });
  const owners = native.ownersSync({ inodes: Uint32Array.of(700), procRoot });
  t.deepEqual(
    rows(owners).map(({ pid, fd }) => [pid, fd]),
    [
      [10, 400],
      [20, 3],
      [30, 70],
      [30, 499],
    ],
  );
});

ava('rows are in ascending order of inode, process and descriptor', (t) => {
  const held = { 30: { 1: 9, 2: 8 }, 4: { 499: 8, 450: 8 }, 20: { 7: 9 } };
  const owners = native.ownersSync({ inodes: null, procRoot: crowdedProc(t, held) });
  t.deepEqual(
    rows(owners).map(({ inode, pid, fd }) => [inode, pid, fd]),
    [
      [8, 4, 450],
      [8, 4, 499],
      [8, 30, 2],
      [9, 20, 7],
      [9, 30, 1],
    ],
  );
});

ava('without /proc it is an error, not an empty answer', async (t) => {
  const procRoot = '/proc/there-is-none';
  t.throws(() => native.ownersSync({ inodes: null, procRoot }), {
    code: 'ERR_KERNEL',
    message: /there-is-none/,
  });
  await t.throwsAsync(native.owners({ inodes: null, procRoot }), { code: 'ERR_KERNEL' });
});

ava('processes come and go while they are looked at', async (t) => {
  const { inode } = await listening(t);
  const storm = spawn('sh', ['-c', 'while :; do sleep 0.001 & sleep 0.001; done'], {
    stdio: 'ignore',
    detached: true,
  });
  t.teardown(() => process.kill(-storm.pid!, 'SIGKILL'));
  for (let round = 0; round < 50; round++) {
    const owners = await native.owners({ inodes: null, procRoot: '/proc' });
    t.true(owners.inode.includes(inode));
    const named = new Set(owners.processes.map(({ pid }) => pid));
    t.true(owners.pid.every((pid) => named.has(pid)));
  }
});
