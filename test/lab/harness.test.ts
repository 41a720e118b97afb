import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, constants, readdirSync, readlinkSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { repositoryRoot } from '../support/repository.js';
import { type LabFlow, withLab } from './harness.js';
import { labTest } from './lab-test.js';
import { makeNamespaces } from './namespaces.js';
import { both, everyFlow, LAN4, LAN6, lan, routed } from './networks.js';
import { labCommand } from './privilege.js';
import { ListenError } from './sockets.js';
import type { HostDescription } from './topology.js';

const test = labTest();

const tunDevice = {
  name: 'tun',
  missing: () => {
    try {
      accessSync('/dev/net/tun', constants.R_OK | constants.W_OK);
      return null;
    } catch (error) {
      return `needs /dev/net/tun, and may not open it (${(error as NodeJS.ErrnoException).code})`;
    }
  },
};

test('a flow to a listener reaches it, to a closed port is refused, to nobody is silence', async (t) => {
  await withLab(lan, async (lab) => {
    const open = lab.listen([
      ...both({ address: LAN4, port: 80 }),
      ...both({ address: LAN6, port: 80 }),
    ]);
    const reached = await lab.run(everyFlow(['neighbour', 'host'], [LAN4, LAN6], 80));
    for (const { outcome, symptom, acceptedBy, seenAs, askedFrom, answeredFrom } of reached) {
      t.is(outcome, 'reachable');
      t.is(symptom, null);
      t.true(open.includes(acceptedBy!));
      t.deepEqual(seenAs, askedFrom);
      t.is(answeredFrom!.port, 80);
    }
    for (const { outcome, symptom } of await lab.run(
      everyFlow(['neighbour', 'host'], [LAN4, LAN6], 81),
    )) {
      t.is(outcome, 'unreachable');
      t.is(symptom, 'ECONNREFUSED');
    }
    for (const { symptom, elapsedMs } of await lab.run(
      everyFlow(['neighbour'], ['10.1.2.3'], 80),
    )) {
      t.is(symptom, 'ETIMEDOUT');
      t.true(elapsedMs >= 250);
    }
  });
});

test('500 flows in flight each find their own listener', async (t) => {
  await withLab(lan, async (lab) => {
    const ports = Array.from({ length: 25 }, (_, index) => 1000 + index);
    const listeners = lab.listen(
      ports.flatMap((port) => both({ address: '::', port, v6only: false })),
    );
    const flows = ports.flatMap((port) => {
      const few = everyFlow(['host', 'neighbour'], [LAN4, LAN6], port);
      return [...few, ...few, ...few];
    });
    t.true(flows.length >= 500);
    const results = await lab.run(flows);
    for (const [index, { protocol, destination }] of flows.entries()) {
      const { spec } = listeners.find((one) => one === results[index]!.acceptedBy)!;
      t.like(spec, { protocol, port: destination.port });
    }
  });
});

test('flows that want the same source port take turns', async (t) => {
  await withLab(lan, async (lab) => {
    lab.listen(both({ address: LAN4, port: 80 }));
    const flows: LabFlow[] = everyFlow(['neighbour'], [LAN4], 80).map((flow) => ({
      ...flow,
      source: { port: 5555 },
    }));
    for (const result of await lab.run(Array.from({ length: 20 }, () => flows).flat())) {
      t.is(result.symptom, null, JSON.stringify({ ...result, takers: [], acceptedBy: null }));
      t.is(result.seenAs!.port, 5555);
    }
  });
});

test('a UDP answer from another address than the one asked is told apart, and prevented by a careful server', async (t) => {
  const description: HostDescription = { ...lan, ip: ['address add 203.0.113.1/32 dev lo'] };
  await withLab(description, async (lab) => {
    lab.listen([
      { protocol: 'udp', address: '0.0.0.0', port: 1 },
      { protocol: 'udp', address: '0.0.0.0', port: 2, answerFrom: 'asked' },
    ]);
    const ask = async (port: number) => {
      const destination = { address: '203.0.113.1', port };
      return (await lab.run([{ from: 'neighbour', protocol: 'udp', destination }]))[0]!;
    };
    t.like(await ask(1), { outcome: 'reachable', answeredFrom: { address: LAN4, port: 1 } });
    t.like(await ask(2), {
      outcome: 'reachable',
      answeredFrom: { address: '203.0.113.1', port: 2 },
    });
  });
});

test('a full accept queue is silence, and the handshakes before it complete', async (t) => {
  await withLab(lan, async (lab) => {
    lab.listen([{ protocol: 'tcp', address: LAN4, port: 80, backlog: 1, serves: false }]);
    const flow: LabFlow = {
      from: 'neighbour',
      protocol: 'tcp',
      destination: { address: LAN4, port: 80 },
    };
    const connected = [];
    for (let attempt = 0; attempt < 4; attempt++)
      connected.push((await lab.run([flow]))[0]!.connected);
    t.deepEqual(
      connected,
      [true, true, false, false],
      'a backlog of 1 holds 2 (sk_acceptq_is_full)',
    );
  });
});

test('what the kernel refuses to bind says the call and the errno', async (t) => {
  await withLab(lan, async (lab) => {
    lab.listen([{ protocol: 'tcp', address: LAN4, port: 80 }]);
    const refused = lab.tryListen([
      { protocol: 'tcp', address: '0.0.0.0', port: 80 },
      { protocol: 'tcp', address: '10.9.9.9', port: 80 },
      { protocol: 'tcp', address: LAN4, port: 81, device: 'nowhere0' },
      { protocol: 'tcp', address: 'fe80::1', port: 80 },
      { protocol: 'tcp', address: '10.9.9.9', port: 80, freebind: true },
    ]);
    t.deepEqual(
      refused.map((one) => (one instanceof ListenError ? `${one.failedAt} ${one.code}` : 'open')),
      ['bind EADDRINUSE', 'bind EADDRNOTAVAIL', 'SO_BINDTODEVICE ENODEV', 'bind EINVAL', 'open'],
    );
  });
});

for (const kind of ['veth', 'bridge', 'macvlan', 'tun'] as const) {
  const kindTest = kind === 'tun' ? labTest([], [tunDevice]) : test;
  kindTest(`a network of kind ${kind} carries flows`, async (t) => {
    const peers = { neighbour: { addresses: ['192.0.2.10/24', '2001:db8::10/64'] } };
    const addresses = [`${LAN4}/24`, `${LAN6}/64`];
    await withLab({ interfaces: { net0: { kind, addresses, peers } } }, async (lab) => {
      lab.listen(both({ address: '::', port: 80, v6only: false, device: 'net0' }));
      for (const { outcome } of await lab.run(everyFlow(['neighbour'], [LAN4, LAN6], 80))) {
        t.is(outcome, 'reachable');
      }
    });
  });
}

test('a router carries flows of the network behind it, from its own addresses', async (t) => {
  await withLab(routed, async (lab) => {
    lab.listen(both({ address: '::', port: 80, v6only: false }));
    const results = await lab.run(everyFlow(['remote'], [LAN4, LAN6], 80));
    t.deepEqual([...new Set(results.map(({ seenAs }) => seenAs!.address))].sort(), [
      '198.51.100.10',
      '2001:db8:1::10',
    ]);
    t.is(lab.machine('remote').ingress, 'eth0');
  });
});

test('an error of ip names the machine and shows the line', async (t) => {
  const error = await t.throwsAsync(
    withLab({ ...lan, ip: ['route add nonsense'] }, async () => {}),
  );
  t.regex(error!.message, /^host: 'ip -batch -' ended with 1:.*nonsense/s);
});

test('a setting the kernel does not know is an error that names it', async (t) => {
  const error = await t.throwsAsync(
    withLab({ ...lan, sysctls: { 'net.ipv4.nonsense': 1 } }, async () => {}),
  );
  t.is(error!.message, 'host: sysctl net.ipv4.nonsense=1: ENOENT');
});

test.serial('a lab leaves no descriptor behind, whether it was used well or threw', async (t) => {
  const run = async () => {
    await withLab(routed, async (lab) => {
      lab.listen(both({ address: '::', port: 80 }));
      await lab.run(everyFlow(['remote', 'host'], [LAN6, LAN4], 80));
    });
    await t.throwsAsync(withLab({ ...lan, ip: ['nonsense'] }, async () => {}));
    await t.throwsAsync(
      withLab(lan, async (lab) => {
        lab.listen(both({ address: '::', port: 80 }));
        throw new Error('a test that fails');
      }),
    );
  };
  const count = () =>
    readdirSync('/proc/self/fd').filter((fd) => {
      try {
        return /^(net|socket|\/memfd)/.test(readlinkSync(`/proc/self/fd/${fd}`));
      } catch {
        return false;
      }
    }).length;
  await run();
  const before = count();
  await run();
  t.is(count(), before);
});

test('when the process that holds a lab is killed, the kernel takes its namespaces away', async (t) => {
  const [outside] = makeNamespaces(['outside']);
  try {
    const child = runModule(`
      import { makeNamespaces } from './build/test/lab/namespaces.js';
      const [inside] = makeNamespaces(['inside']);
      await inside.ip(['link add name tell type veth peer name told netns ${outside!.path}']);
      console.log('built');
      setInterval(() => {}, 1000);
    `);
    await once(child.stdout, 'data');
    t.regex(await outside!.run(['ip', '-brief', 'link']), /told/);
    child.kill('SIGKILL');
    await once(child, 'close');
    for (let waited = 0; waited < 100; waited++) {
      if (!/told/.test(await outside!.run(['ip', '-brief', 'link']))) return t.pass();
      await sleep(50);
    }
    return t.fail('the other end of its cable is still there after 5 s');
  } finally {
    outside!.close();
  }
});

test('a lab is built and used in a user namespace, as an ordinary user has it', async (t) => {
  const script = `
    import { withLab } from './build/test/lab/harness.js';
    const peers = { neighbour: { addresses: ['192.0.2.10/24'] } };
    await withLab({ interfaces: { eth0: { addresses: ['192.0.2.1/24'], peers } } }, async (lab) => {
      lab.listen([{ protocol: 'tcp', address: '0.0.0.0', port: 80 }]);
      const destination = { address: '192.0.2.1', port: 80 };
      const [result] = await lab.run([{ from: 'neighbour', protocol: 'tcp', destination }]);
      console.log(result.outcome);
    });`;
  const [program, ...args] = labCommand([process.execPath, '--input-type=module', '-e', script], 1);
  const { stdout, stderr } = spawnSync(program!, args, { cwd: repositoryRoot, encoding: 'utf8' });
  t.is(stdout, 'reachable\n', stderr);
});

function runModule(source: string) {
  return spawn(process.execPath, ['--input-type=module', '-e', source], {
    cwd: repositoryRoot,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
}
