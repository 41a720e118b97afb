import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import test, { type ExecutionContext } from 'ava';
import { listeners, listenersSync } from '#earshot/index.js';
import { requires } from '../support/requirements.js';

const live = requires('tool:python3');

/** Holds a listener and does with its descriptor what a line of its standard input says. */
const HOLD = `
import os, socket, sys
one = socket.create_server(("127.0.0.1", 0))
other = socket.create_server(("127.0.0.1", 0))
fd = one.fileno()
def say(*words): print(*words, flush=True)
say(one.getsockname()[1], other.getsockname()[1], fd, os.getpid())
for line in sys.stdin:
    word = line.strip()
    if word == "move":  # its number is another socket's now
        os.dup2(fd, 50); os.dup2(other.fileno(), fd); say("moved")
    if word == "hand on":  # the child is all that has it
        if os.fork(): os.close(50); os.wait(); break
        say(os.getpid())
    if word == "close":
        os.close(50); say("closed")
`;

interface Holder {
  port: number;
  other: number;
  fd: number;
  pid: number;
  say(line: string): Promise<string>;
}

async function holder(t: ExecutionContext): Promise<Holder> {
  const child: ChildProcess = spawn('python3', ['-c', HOLD], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const ended = once(child, 'close');
  t.teardown(async () => {
    child.stdin!.end();
    await ended;
  });
  const lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]();
  const next = async () => String((await lines.next()).value);
  const [port, other, fd, pid] = (await next()).split(' ').map(Number);
  const say = (line: string) => {
    child.stdin!.write(`${line}\n`);
    return next();
  };
  return { port: port!, other: other!, fd: fd!, pid: pid!, say };
}

async function ownerOf(localPort: number): Promise<[pid: number, fd: number][]> {
  const [socket] = await listeners({ protocol: 'tcp', localPort }, { owners: 'one' });
  return socket!.owners!.map(({ pid, fd }) => [pid, fd]);
}

live('one owner is told of a listener, the same when asked again', async (t) => {
  const { port, fd, pid } = await holder(t);
  t.deepEqual(await ownerOf(port), [[pid, fd]]);
  t.deepEqual(await ownerOf(port), [[pid, fd]]);
  const [socket] = listenersSync({ localPort: port }, { owners: 'one' });
  t.is(socket!.owners![0]!.name, 'python3');
  t.is(socket!.owners![0]!.command[1], '-c');
});

live('a descriptor number that is another socket by now fools nobody', async (t) => {
  const { port, other, fd, pid, say } = await holder(t);
  t.deepEqual(await ownerOf(port), [[pid, fd]]);
  t.is(await say('move'), 'moved');
  t.deepEqual(await ownerOf(port), [[pid, 50]]);
  const [[holds] = []] = await ownerOf(other);
  t.is(holds, pid);
});

live('a listener that a child alone has by now is found with the child', async (t) => {
  const { port, pid, say } = await holder(t);
  await say('move');
  t.deepEqual(await ownerOf(port), [[pid, 50]]);
  const child = Number(await say('hand on'));
  // The parent closes its own a moment later.
  for (let tries = 0; tries < 100; tries++) {
    const all = listenersSync({ localPort: port }, { owners: true })[0]!.owners!;
    if (all.every((owner) => owner.pid === child)) break;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  t.deepEqual(await ownerOf(port), [[child, 50]]);
});

live('each of many listeners has one owner, and all owners are told without that', async (t) => {
  const { port, other, say } = await holder(t);
  await say('move');
  const told = await listeners({ localPort: [port, other] }, { owners: 'one' });
  t.deepEqual(
    told.map(({ owners }) => owners!.length),
    [1, 1],
  );
  const all = await listeners({ localPort: other }, { owners: true });
  t.is(all[0]!.owners!.length, 2, 'the descriptor that was moved to, and its own');
});

test("one owner is asked for by the word 'one'", async (t) => {
  await t.throwsAsync(listeners({}, { owners: 'first' as 'one' }), {
    message: "options.owners is 'first', not true, false or 'one'",
  });
});
