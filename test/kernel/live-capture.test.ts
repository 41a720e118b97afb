import { existsSync, statSync } from 'node:fs';
import { createServer } from 'node:net';
import { hostname, release } from 'node:os';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import {
  capture,
  checkState,
  type HostState,
  listeners,
  owners,
  parseState,
  sockets,
} from '#earshot/index.js';
import { requires } from '../support/requirements.js';
import { openCrowd } from './support/crowd.js';
import { type Namespace, namespaceFor } from './support/namespace.js';
import { buildRichNetwork } from './support/rich-network.js';
import { RULE_SET } from './support/rule-set.js';

const live = requires('root', 'tool:ip', 'tool:nft', 'tool:tc', 'tool:sysctl', 'tool:python3');

const nobody = (here: Namespace, ...args: string[]): unknown => {
  const script = fileURLToPath(new URL('support/capture-as-nobody.js', import.meta.url));
  return JSON.parse(here.run(process.execPath, script, ...args));
};

const whats = ({ missing }: HostState): string[] =>
  [...new Set(missing.map(({ what }) => what))].sort();

test('a capture of this host is plain JSON data that checks', async (t) => {
  const state = await capture();
  t.deepEqual(JSON.parse(JSON.stringify(state)), state);
  t.deepEqual(parseState(JSON.stringify(state)), state);
  t.like(state.where, {
    hostname: hostname(),
    kernel: release(),
    netns: statSync('/proc/self/ns/net').ino,
  });
  t.true(Math.abs(Date.parse(state.when) - Date.now()) < 60_000);
  t.true(state.interfaces.some(({ name }) => name === 'lo'));
  t.is(typeof state.settings['net.ipv4.ip_forward'], 'number');
  t.is(typeof state.settings['net.ipv4.ip_local_port_range'], 'string');
});

test('the owner of a listener of this process is this process', async (t) => {
  const server = createServer().listen(0, '127.0.0.1');
  t.teardown(() => server.close());
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as { port: number };
  const [record, ...others] = await listeners({ localPort: port, localAddress: '127.0.0.1' });
  t.deepEqual(others, []);
  t.like(record!.owners![0], { pid: process.pid, uid: process.getuid!() });
  t.deepEqual(record!.owners![0]!.command.slice(0, 1), [process.argv0]);
  t.deepEqual(await owners(record!), record!.owners);
  const [unasked] = await sockets({ localPort: port, state: 'listen' });
  t.false('owners' in unasked!);
  const state = await capture();
  t.like(state.sockets.find(({ local }) => local.port === port)?.owners?.[0], { pid: process.pid });
  t.false(
    (await capture({ owners: false })).sockets.some((socket) => 'owners' in socket),
    'unless they were not asked for',
  );
});

test('a socket without an inode has no owners', async (t) => {
  const [socket] = await listeners({}, { owners: false });
  t.deepEqual(await owners({ ...socket!, inode: 0 }), []);
});

live('a capture holds listeners, all UDP and bound sockets, and nothing connected', async (t) => {
  const here = namespaceFor(t);
  const crowd = await openCrowd(here, namespaceFor(t), 100);
  t.teardown(() => crowd.close());
  const state = await capture({ netns: here.path });
  t.deepEqual(
    [...new Set(state.sockets.map(({ protocol, state }) => `${protocol} ${state}`))].sort(),
    ['tcp bound', 'tcp listen', 'udp established', 'udp unconnected'],
  );
  t.true(state.sockets.every((socket) => socket.owners!.length > 0));
  t.true(state.sockets.every(({ mark }) => mark !== null));
  t.is(state.where.netns, statSync(here.path).ino);
  t.deepEqual(whats(state), []);
  t.deepEqual(parseState(JSON.stringify(state)), state);
});

live('a capture of a rich network is whole, and checks', async (t) => {
  const here = namespaceFor(t);
  buildRichNetwork(here, namespaceFor(t));
  here.run('nft', RULE_SET);
  const state = await capture({ netns: here.path });
  t.deepEqual(
    state.missing.filter(({ what }) => what !== 'consistency'),
    [],
  );
  t.notThrows(() => checkState(JSON.parse(JSON.stringify(state))));
  t.true(state.routes.length > 60 && state.rules.length > 45);
  t.is(state.firewall.nftables!.tables.length, 6);
  const input = state.firewall.nftables!.chains.find(
    ({ family, name }) => family === 'inet' && name === 'input',
  );
  t.like(input, {
    base: { hook: 'input', priority: 0, policy: 'drop', type: 'filter', devices: [] },
  });
  t.is(input!.rules.length, 3);
});

live('a namespace by the process id of a process in it is the same namespace', async (t) => {
  const here = namespaceFor(t);
  const crowd = await openCrowd(here, namespaceFor(t), 1);
  t.teardown(() => crowd.close());
  const [listener] = await listeners({ localPort: 3000 }, { netns: here.path });
  const { pid } = listener!.owners![0]!;
  t.deepEqual(await listeners({ localPort: 3000 }, { netns: pid }), [listener]);
});

live('no firewall is told as no table, and reading makes none', async (t) => {
  const { path } = namespaceFor(t);
  for (let read = 0; read < 2; read++) {
    const { firewall, missing } = await capture({ netns: path });
    t.like(firewall, { nftables: { tables: [], chains: [] }, legacy: { ipv4: [], ipv6: [] } });
    t.deepEqual(missing, []);
  }
});

requires('root', 'tool:ip', 'tool:iptables-legacy', 'tool:ip6tables-legacy', {
  name: 'legacy tables',
  missing: () =>
    existsSync('/proc/net/ip_tables_names') ? null : 'needs a kernel with legacy iptables loaded',
})('legacy tables that are loaded are read', async (t) => {
  const here = namespaceFor(t);
  here.run('iptables-legacy', '-t', 'nat', '-A', 'PREROUTING', '-j', 'ACCEPT');
  here.run('iptables-legacy', '-A', 'INPUT', '-j', 'ACCEPT');
  here.run('ip6tables-legacy', '-t', 'mangle', '-A', 'INPUT', '-j', 'ACCEPT');
  const { firewall } = await capture({ netns: here.path });
  const names = (family: 'ipv4' | 'ipv6') => firewall.legacy![family].map(({ name }) => name);
  t.deepEqual([names('ipv4'), names('ipv6')], [['filter', 'nat'], ['mangle']]);
  const [filter] = firewall.legacy!.ipv4;
  t.deepEqual(
    filter!.chains!.map(({ name, base, rules }) => [name, base?.policy, rules.length]),
    [
      ['INPUT', 'accept', 1],
      ['FORWARD', 'accept', 0],
      ['OUTPUT', 'accept', 0],
    ],
  );
});

requires(
  'root',
  'tool:ip',
  'tool:iptables-nft',
)('rules of iptables-nft are in nftables, and no legacy table is', async (t) => {
  const here = namespaceFor(t);
  here.run('iptables-nft', '-A', 'INPUT', '-p', 'tcp', '--dport', '80', '-j', 'DROP');
  const { firewall } = await capture({ netns: here.path });
  t.deepEqual(firewall.legacy, { ipv4: [], ipv6: [] });
  const input = firewall.nftables!.chains.find(({ name }) => name === 'INPUT')!;
  t.like(input, { family: 'ip', table: 'filter', base: { hook: 'input', priority: 0 } });
  t.is(input.rules.length, 1);
});

live(
  'an ordinary user gets a capture that says what it lacks, and why, and what to do',
  async (t) => {
    const here = namespaceFor(t);
    const crowd = await openCrowd(here, namespaceFor(t), 10);
    t.teardown(() => crowd.close());
    const state = parseState(JSON.stringify(nobody(here)));
    const legacy = existsSync('/proc/net/ip_tables_names') ? ['legacy-tables'] : [];
    t.deepEqual(whats(state), [...legacy, 'marks', 'nftables', 'owners']);
    for (const { reason, remedy } of state.missing) {
      t.true(reason.length > 20);
      t.regex(remedy, /run as root, or give node CAP_/);
    }
    t.is(state.firewall.nftables, null);
    t.true(state.sockets.length > 40 && state.sockets.every(({ mark }) => mark === null));
    t.true(state.interfaces.some(({ name }) => name === 'lan0'));
    t.true(state.routes.length > 0 && state.rules.length > 0);
  },
);

live("an ordinary user from whom others' processes are hidden is told so", async (t) => {
  const here = namespaceFor(t);
  const crowd = await openCrowd(here, namespaceFor(t), 10);
  t.teardown(() => crowd.close());
  const script = fileURLToPath(new URL('support/capture-as-nobody.js', import.meta.url));
  const hidden = 'mount -t proc -o hidepid=2 proc /proc && exec "$@"';
  const command = ['--mount', 'sh', '-c', hidden, 'sh', process.execPath, script];
  const state = parseState(here.run('unshare', ...command));
  const untold = state.missing.find(({ what }) => what === 'owners');
  t.regex(untold!.reason, /is not told of others' processes \(\/proc is mounted with hidepid\)/);
});

live('an ordinary user may not enter another namespace, and is told so', (t) => {
  const here = namespaceFor(t);
  const other = namespaceFor(t);
  const { code, message } = nobody(here, other.path) as { code: string; message: string };
  t.is(code, 'ERR_NETNS');
  t.true(message.includes(other.path) && message.includes('CAP_SYS_ADMIN'), message);
});

live('an ordinary user who asks for a mark is told that marks are not told', async (t) => {
  const here = namespaceFor(t);
  const crowd = await openCrowd(here, namespaceFor(t), 1);
  t.teardown(() => crowd.close());
  const { code, message } = nobody(here, '--mark') as { code: string; message: string };
  t.is(code, 'ERR_PERMISSION');
  t.regex(message, /filter\.mark is 0.*CAP_NET_ADMIN/);
});

live('/proc/net, which tells neither mark nor device, refuses a filter by them', async (t) => {
  const here = namespaceFor(t);
  const crowd = await openCrowd(here, namespaceFor(t), 1);
  t.teardown(() => crowd.close());
  for (const filter of [{ mark: 0 }, { interface: 'lan0' }]) {
    await t.throwsAsync(sockets(filter, { netns: here.path, source: 'procfs' }), {
      code: 'ERR_INVALID_ARGUMENT',
      message: /cannot be answered from \/proc\/net/,
    });
  }
});

live('a namespace that does not exist, and what is none, are refused', async (t) => {
  for (const read of [capture, sockets.bind(null, {}), listeners.bind(null, {})]) {
    await t.throwsAsync(read({ netns: '/run/netns/earshot-nothere' }), {
      code: 'ERR_NETNS',
      message: /\/run\/netns\/earshot-nothere does not exist/,
    });
    await t.throwsAsync(read({ netns: '/etc/passwd' }), { code: 'ERR_NETNS' });
  }
});

live('a namespace whose lo is down and where IPv6 is off is captured whole', async (t) => {
  const here = namespaceFor(t);
  here.set('net.ipv6.conf.all.disable_ipv6', 1);
  const state = await capture({ netns: here.path });
  t.deepEqual(state.missing, []);
  t.deepEqual(state.families, { ipv4: true, ipv6: true });
  t.is(state.settings['net.ipv6.conf.all.disable_ipv6'], 1);
  t.deepEqual(state.sockets, []);
  t.false(state.interfaces[0]!.up);
});
