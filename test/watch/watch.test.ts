import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { ExecutionContext } from 'ava';
import { type Change, EarshotError, sockets, watch } from '#earshot/index.js';
import { type Namespace, namespaceFor, SYSTEM_ENVIRONMENT } from '../kernel/support/namespace.js';
import { requires } from '../support/requirements.js';
import { changesUntil, of } from './support/reading.js';

const live = requires('root', 'tool:ip', 'tool:nft', 'tool:python3');

const churnScript = fileURLToPath(new URL('../../../test/watch/support/churn.py', import.meta.url));

/** A program of Python in a namespace: it waits for lines, and tells some. */
async function python(t: ExecutionContext, here: Namespace, ...values: string[]) {
  const child = spawn('ip', ['netns', 'exec', here.name, 'python3', ...values], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: SYSTEM_ENVIRONMENT,
  });
  t.teardown(() => child.stdin.end());
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const told = async () => String((await lines.next()).value);
  const say = (line: string) => child.stdin.write(`${line}\n`);
  await told();
  return { told, say, end: () => child.stdin.end() };
}

/** Runs what it is told, line by line. */
const obedient = `
import socket, sys
print("ready", flush=True)
for line in sys.stdin:
    exec(line)
    print("done", flush=True)`;

/** For that: a client of 9000 that always comes from 9001, and leaves by a reset. */
const connecting = `
import socket
def connect():
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, bytes([1, 0, 0, 0, 0, 0, 0, 0]))
    client.bind(("127.0.0.1", 9001))
    client.connect(("127.0.0.1", 9000))
    return client`;

function madeOf(t: ExecutionContext): Namespace {
  const here = namespaceFor(t);
  here.ip('link set lo up');
  return here;
}

const listening = (port: number) =>
  `server = socket.create_server(("127.0.0.1", ${port}), backlog=8)`;

for (const intervalMs of [10, 70]) {
  live(
    `each socket of a crowd that comes and goes is told once, every ${intervalMs} ms`,
    async (t) => {
      const here = madeOf(t);
      here.run('sysctl', '-qw', 'net.ipv4.tcp_max_tw_buckets=50');
      const seed = String(Date.now() % 2 ** 31);
      t.log(`seed ${seed}`);
      const churn = await python(t, here, churnScript, seed, '1500', '500', '0.2');
      const watcher = watch({ netns: here.path, intervalMs, exposure: false });
      t.teardown(() => watcher.close());
      await watcher.ready;
      churn.say('go');
      const made = churn.told();
      const counts = new Map<string, number>();
      let last = Date.now();
      const reading = (async () => {
        for await (const changes of watcher) {
          last = Date.now();
          for (const change of changes) {
            t.not(change.type, 'missed');
            if (change.type !== 'opened' && change.type !== 'closed') continue;
            const { local, remote } = change.socket;
            const key = `${change.type} ${local.port === 20000 ? `to ${remote?.port}` : local.port}`;
            counts.set(key, (counts.get(key) ?? 0) + 1);
          }
        }
      })();
      const byPort = JSON.parse(await made) as Record<string, number>;
      while (Date.now() < last + 2000) await new Promise((resolve) => setTimeout(resolve, 100));
      await watcher.close();
      await reading;
      const truth = new Map<string, number>();
      const add = (key: string, count: number) => truth.set(key, (truth.get(key) ?? 0) + count);
      for (const [port, count] of Object.entries(byPort)) {
        for (const type of ['opened', 'closed']) {
          add(`${type} ${port}`, count);
          add(`${type} to ${port}`, count);
        }
      }
      const there = await sockets({ protocol: 'tcp', state: 'time-wait' }, { netns: here.path });
      t.true(there.length > 0, 'the last are in TIME-WAIT still');
      for (const { local, remote } of there) {
        add(`closed ${local.port === 20000 ? `to ${remote?.port}` : local.port}`, -1);
      }
      const wrong = [...new Set([...truth.keys(), ...counts.keys()])].flatMap((key) => {
        const [is, told] = [truth.get(key) ?? 0, counts.get(key) ?? 0];
        return is === told ? [] : [`${key}: ${is}, told ${told}`];
      });
      t.deepEqual(wrong, []);
      t.is(
        [...counts.values()].reduce((one, other) => one + other),
        6000 - there.length,
      );
    },
  );
}

live('a listener, its connections and their states are told as they come and go', async (t) => {
  const here = madeOf(t);
  const host = await python(t, here, '-c', obedient);
  const run = async (line: string) => {
    host.say(line);
    await host.told();
  };
  const watcher = watch({ netns: here.path, intervalMs: 20, owners: true, exposure: false });
  t.teardown(() => watcher.close());
  await watcher.ready;
  await run(listening(3000));
  const opened = await changesUntil(watcher, of('opened', 3000));
  t.is(opened.length, 1);
  const [listener] = opened;
  t.true(listener?.type === 'opened' && listener.socket.state === 'listen');
  t.deepEqual(listener?.type === 'opened' && listener.socket.owners?.map(({ name }) => name), [
    'python3',
  ]);
  await run('client = socket.create_connection(("127.0.0.1", 3000)); peer, _ = server.accept()');
  const connected = await changesUntil(watcher, of('opened', 3000));
  t.is(connected.filter(({ type }) => type === 'opened').length, 2);
  await run('client.shutdown(socket.SHUT_WR)');
  // Between two polls the one end may be told in a state that it passes through.
  const reached = new Map<string, string>();
  const states = await changesUntil(watcher, (change) => {
    if (change.type !== 'changed') return false;
    reached.set(change.socket.local.port === 3000 ? 'server' : 'client', change.socket.state);
    return reached.get('server') === 'close-wait' && reached.get('client') === 'fin-wait-2';
  });
  for (const port of new Set(states.map((one) => 'socket' in one && one.socket.local.port))) {
    const [first] = states.filter((one) => 'socket' in one && one.socket.local.port === port);
    t.deepEqual(first?.type === 'changed' && first.was, { state: 'established' });
  }
  await run('server.close()');
  const closed = await changesUntil(watcher, of('closed', 3000));
  const [gone] = closed;
  t.true(gone?.type === 'closed' && gone.socket.state === 'listen');
  t.deepEqual(gone?.type === 'closed' && gone.socket.owners?.map(({ name }) => name), ['python3']);
});

live(
  'whoever has the ends of one that came as a request, and ended late, is told as well',
  async (t) => {
    const here = madeOf(t);
    const { say, told } = await python(t, here, '-c', `${connecting}\n${obedient}`);
    const run = async (...lines: string[]) => {
      for (const line of lines) {
        say(line);
        await told();
      }
    };
    // Until data comes the kernel holds no more than the request (TCP_DEFER_ACCEPT).
    await run(
      listening(9000),
      'server.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, 30)',
    );
    const watcher = watch({ netns: here.path, intervalMs: 300, exposure: false });
    t.teardown(() => watcher.close());
    await watcher.ready;
    const isServer = (type: 'opened' | 'closed') => (change: Change) =>
      of(type, 9000)(change) && 'socket' in change && change.socket.state !== 'listen';

    await run('client = connect()');
    const [first] = (await changesUntil(watcher, isServer('opened'))).filter(isServer('opened'));
    t.like(first, { socket: { state: 'syn-received', inode: 0 } });
    await run('client.send(b"x"); peer = server.accept()[0]; client.close()');
    await changesUntil(watcher, isServer('closed'));
    await run(
      'peer.close()',
      'client = connect(); client.send(b"x"); peer = server.accept()[0]; client.close(); peer.close()',
    );
    const again = await changesUntil(watcher, isServer('closed'));
    t.is(again.filter(isServer('opened')).length, 1);
  },
);

live('with a state in the filter, sockets open and close by entering and leaving it', async (t) => {
  const here = madeOf(t);
  const host = await python(t, here, '-c', obedient);
  const run = async (line: string) => {
    host.say(line);
    await host.told();
  };
  await run(listening(3000));
  const filter = { state: 'established', localPort: 3000 } as const;
  const watcher = watch({ netns: here.path, intervalMs: 20, filter, exposure: false });
  t.teardown(() => watcher.close());
  await watcher.ready;
  await run('client = socket.create_connection(("127.0.0.1", 3000)); peer, _ = server.accept()');
  t.is((await changesUntil(watcher, of('opened', 3000))).length, 1);
  await run('peer.shutdown(socket.SHUT_WR)');
  t.is((await changesUntil(watcher, of('closed', 3000))).length, 1);
});

live('what is there already is told first where that is asked for', async (t) => {
  const here = madeOf(t);
  const host = await python(t, here, '-c', obedient);
  host.say(listening(3000));
  await host.told();
  const watcher = watch({ netns: here.path, existing: true });
  t.teardown(() => watcher.close());
  t.is((await changesUntil(watcher, of('opened', 3000))).length, 1);
  const exposures = await changesUntil(watcher, ({ type }) => type === 'exposure-changed');
  t.deepEqual(
    exposures.map((one) => one.type === 'exposure-changed' && [one.was, one.exposure.scope]),
    [[null, 'host']],
  );
});

live('who reads late is told what is different by then, and no more', async (t) => {
  const here = madeOf(t);
  const host = await python(t, here, '-c', obedient);
  const run = async (line: string) => {
    host.say(line);
    await host.told();
  };
  const watcher = watch({ netns: here.path, intervalMs: 10, exposure: false });
  t.teardown(() => watcher.close());
  for (let round = 0; round < 20; round++) {
    await run(listening(3000 + round));
    if (round < 19) await run('server.close()');
  }
  const told = await changesUntil(watcher, of('opened', 3019));
  t.deepEqual(
    told.map((one) => one.type === 'opened' && one.socket.local.port),
    [3019],
  );
});

live(
  'more short connections than are kept for a reader who does not read are told as missed',
  async (t) => {
    const here = madeOf(t);
    here.run('sysctl', '-qw', 'net.ipv4.tcp_max_tw_buckets=0');
    const churn = await python(t, here, churnScript, '1', '9000', '1e9', '0');
    const watcher = watch({ netns: here.path, intervalMs: 10, exposure: false });
    t.teardown(() => watcher.close());
    await watcher.ready;
    churn.say('go');
    await churn.told();
    await new Promise((resolve) => setTimeout(resolve, 3000)); // the kernel tells of ends later
    const told = await changesUntil(watcher, ({ type }) => type === 'missed');
    t.deepEqual(
      told.filter(({ type }) => type === 'missed'),
      [{ type: 'missed', what: 'sockets' }],
    );
  },
);

live('the kernel tells of changes of the network', async (t) => {
  const here = madeOf(t);
  const watcher = watch({ netns: here.path, intervalMs: 20, exposure: false });
  t.teardown(() => watcher.close());
  const steps: [what: string, run: () => void][] = [
    ['interfaces', () => here.ip('link add one type veth peer name two')],
    ['addresses', () => here.ip('address add 192.0.2.1/24 dev one')],
    ['routes', () => here.ip('route add blackhole 198.51.100.0/24')],
    ['rules', () => here.ip('rule add priority 100 lookup 100')],
    ['firewall', () => here.run('nft', 'add', 'table', 'inet', 'mine')],
  ];
  for (const [what, run] of steps) {
    run();
    const told = await changesUntil(
      watcher,
      (one) => one.type === 'network-changed' && one.what === what,
    );
    t.true(told.length > 0, what);
  }
});

live('who can reach a listener is told when that changes, and only then', async (t) => {
  const here = madeOf(t);
  const host = await python(t, here, '-c', obedient);
  const run = async (line: string) => {
    host.say(line);
    await host.told();
  };
  const watcher = watch({ netns: here.path, intervalMs: 20 });
  t.teardown(() => watcher.close());
  const next = async () =>
    (await changesUntil(watcher, ({ type }) => type === 'exposure-changed')).flatMap((one) =>
      one.type === 'exposure-changed' ? [[one.was?.scope ?? null, one.exposure.scope]] : [],
    );
  await run(listening(3000));
  t.deepEqual(await next(), [[null, 'host']]);
  here.run(
    'nft',
    'add table inet mine; add chain inet mine in { type filter hook input priority 0; }',
  );
  here.run('nft', 'add rule inet mine in tcp dport 3000 drop');
  t.deepEqual(await next(), [['host', 'nobody']]);
  here.run('nft', 'delete table inet mine');
  t.deepEqual(await next(), [['nobody', 'host']]);
  await run('server.close()');
  t.deepEqual(await next(), [['host', 'nobody']]);
});

live(
  'what was so at the first look is told as existing, and what changes later is not',
  async (t) => {
    const here = madeOf(t);
    const host = await python(t, here, '-c', obedient);
    const run = async (line: string) => {
      host.say(line);
      await host.told();
    };
    await run(listening(3000));
    const watcher = watch({ netns: here.path, intervalMs: 20, existing: true });
    t.teardown(() => watcher.close());
    const next = async () =>
      (await changesUntil(watcher, ({ type }) => type === 'exposure-changed')).flatMap((one) =>
        one.type === 'exposure-changed' ? [[one.exposure.scope, one.existing ?? false]] : [],
      );
    t.deepEqual(await next(), [['host', true]]);
    await run('server.close()');
    t.deepEqual(await next(), [['nobody', false]]);
    await run(listening(3000));
    t.deepEqual(await next(), [['host', false]]);
  },
);

live('where there is much to tell, others have their turn between two batches', async (t) => {
  const here = madeOf(t);
  const { say, told } = await python(t, here, '-c', obedient);
  const run = async (line: string) => {
    say(line);
    await told();
  };
  await run('many = [socket.create_server(("127.0.0.1", 3000 + at)) for at in range(300)]');
  const watcher = watch({ netns: here.path, intervalMs: 10, existing: true });
  t.teardown(() => watcher.close());
  let turns = 0;
  let ended = false;
  const turn = () => {
    turns++;
    if (!ended) setImmediate(turn);
  };
  turn();
  t.teardown(() => {
    ended = true;
  });
  const counts = { opened: 0, 'exposure-changed': 0 };
  for (let last = -1; counts['exposure-changed'] < 300; last = turns) {
    const { value = [] } = await watcher.next();
    t.true(turns > last);
    t.true(value.length <= 64, `${value.length} at once`);
    for (const { type } of value)
      if (type === 'opened' || type === 'exposure-changed') counts[type]++;
  }
  t.deepEqual(counts, { opened: 300, 'exposure-changed': 300 });
});

live('a namespace that is not there is an error of the first read', async (t) => {
  const watcher = watch({ netns: '/run/netns/nowhere' });
  await watcher.ready;
  const error = await t.throwsAsync(watcher.next(), { instanceOf: EarshotError });
  t.is((error as EarshotError).code, 'ERR_NETNS');
  t.deepEqual(await watcher.next(), { done: true, value: undefined });
});

live('listening to the kernel needs no privileges but for the firewall', async (t) => {
  const here = madeOf(t);
  const script = `
    process.setgroups([]); process.setgid(65534); process.setuid(65534);
    const { watch } = await import(${JSON.stringify(import.meta.resolve('#earshot/index.js'))});
    const { createServer } = await import('node:net');
    const watcher = watch({ intervalMs: 20, exposure: false });
    createServer().listen(3000).unref();
    const { value } = await watcher.next();
    console.log(value.length, value[0].type, value[0].socket.local.port);
    await watcher.close();`;
  t.is(here.run(process.execPath, '--input-type=module', '-e', script).trim(), '1 opened 3000');
});
