import { readFileSync } from 'node:fs';
import test from 'ava';
import type { NftChain } from '#earshot/model/firewall.js';
import type { HostState } from '#earshot/model/host-state.js';
import type { NftExpression, NftRule } from '#earshot/model/ruleset.js';
import { exposure } from '#earshot/reach/exposure.js';
import type { Flow } from '#earshot/reach/flow.js';
import { remedies } from '#earshot/reach/remedies/remedies.js';
import {
  asks,
  chain,
  host,
  LAN,
  lan4,
  lan6,
  lanLink,
  legacyTables,
  link,
  neighbour4,
  neighbour6,
  nftables,
  onLan,
  route,
  rule,
  tcp,
} from '../support/state.js';

/* What is proposed for flows that fail, on hosts written by hand; all states are frozen. */

const server = '192.168.1.10:3000';
const peer = asks(neighbour4, LAN, server);

/** What is said, and the line to type. */
const told = (state: HostState, flow: Flow = peer) =>
  remedies(state, flow).map(({ summary, command }) => [summary, command]);

const says = (code: 'accept' | 'drop'): NftExpression => ({
  kind: 'immediate',
  destination: 'verdict',
  data: { verdict: { code } },
});

const drops = (handle: number): NftRule => ({
  handle,
  expressions: [says('drop')],
  comment: null,
});

/** A chain with these rules; `null` for one that others jump to. */
function filled(where: string, rules: NftRule[], policy: 'accept' | 'drop' = 'accept'): NftChain {
  return { ...chain(where, 'input', { policy }), rules };
}

const jumps = (handle: number, to: string): NftRule => ({
  handle,
  expressions: [
    { kind: 'immediate', destination: 'verdict', data: { verdict: { code: 'jump', chain: to } } },
  ],
  comment: null,
});

const everywhere = tcp('0.0.0.0:3000');

test('a flow that gets through needs none', (t) => {
  t.deepEqual(remedies(onLan([everywhere]), peer), []);
});

test('a server on loopback listens on the address that was asked for, or on every one', (t) => {
  t.deepEqual(told(onLan([tcp('127.0.0.1:3000')])), [
    ['Let the server listen on 192.168.1.10 instead of 127.0.0.1', null],
    ['Let the server listen on 0.0.0.0 (every address) instead of 127.0.0.1', null],
  ]);
});

test('a server that is known is told by its own option', (t) => {
  const command = ['node', '/app/node_modules/.bin/vite', '--port', '3000'];
  const owners = [{ pid: 42, fd: 20, name: 'node', uid: 1000, command }];
  t.deepEqual(told(onLan([tcp('127.0.0.1:3000', { owners })])), [
    [
      'Let node (pid 42) listen on 192.168.1.10 instead of 127.0.0.1',
      'node /app/node_modules/.bin/vite --host 192.168.1.10 --port 3000',
    ],
    [
      'Let node (pid 42) listen on 0.0.0.0 (every address) instead of 127.0.0.1',
      'node /app/node_modules/.bin/vite --host 0.0.0.0 --port 3000',
    ],
  ]);
});

test('where another program has an address, it is not proposed', (t) => {
  const other = tcp('192.168.1.10:3001', { uid: 7 });
  const state = onLan([tcp('127.0.0.1:3001'), other]);
  const found = remedies(state, asks(neighbour6, LAN, `[${lan6}]:3001`));
  t.false(found.some(({ summary }) => summary.includes('0.0.0.0') || /\b:: /.test(summary)));
  t.true(found.length > 0);
});

test('a proof is the verdict on the changed state, and the state is left as it was', (t) => {
  const state = onLan([tcp('127.0.0.1:3000')]);
  const before = JSON.stringify(state);
  for (const { proof } of remedies(state, peer)) {
    t.is(proof.outcome, 'reachable');
    t.not(proof.socket, state.sockets[0]);
  }
  t.is(JSON.stringify(state), before);
});

test('nft(8) puts a rule before the one that decides, by its handle', (t) => {
  const firewall = nftables([filled('inet filter input', [drops(7)])]);
  t.deepEqual(told(onLan([everywhere], { firewall })), [
    [
      'Accept what comes from 192.168.1.20 for TCP port 3000 before rule 7 of chain input (table inet filter)',
      'nft insert rule inet filter input handle 7 ip saddr 192.168.1.20 tcp dport 3000 accept',
    ],
  ]);
});

test('behind a policy it puts one at the end', (t) => {
  const firewall = nftables([filled('inet filter input', [], 'drop')]);
  t.deepEqual(
    told(onLan([tcp('[::]:3000')], { firewall }), asks(neighbour6, LAN, `[${lan6}]:3000`)).map(
      ([, command]) => command,
    ),
    ['nft add rule inet filter input ip6 saddr 2001:db8:1::20 tcp dport 3000 accept'],
  );
});

test('a table of iptables-nft is changed by its program, by the line', (t) => {
  const firewall = nftables([filled('ip filter INPUT', [drops(7)])]);
  t.deepEqual(
    told(onLan([everywhere], { firewall })).map(([, command]) => command),
    [
      'iptables-nft -I INPUT 1 -s 192.168.1.20 -p tcp --dport 3000 -j accept'.replace(
        'accept',
        'ACCEPT',
      ),
    ],
  );
});

test('and so is a legacy table', (t) => {
  const dropAll = {
    source: null,
    destination: null,
    input: null,
    output: null,
    protocol: null,
    fragment: null,
    matches: [],
    target: { verdict: { code: 'drop' as const } },
  };
  const base = { hook: 'input' as const, policy: 'accept' as const };
  const table = { name: 'filter', chains: [{ name: 'INPUT', base, rules: [dropAll] }] };
  const firewall = { ...legacyTables(), legacy: { ipv4: [table], ipv6: [] } };
  t.deepEqual(
    told(onLan([everywhere], { firewall })).map(([, command]) => command),
    ['iptables-legacy -I INPUT 1 -s 192.168.1.20 -p tcp --dport 3000 -j ACCEPT'],
  );
});

test("ufw's chains are changed by ufw, and by nothing else where that helps", (t) => {
  const own = (name: string, rules: NftRule[] = []) => ({
    ...filled(`ip filter ${name}`, rules),
    base: null,
  });
  const input = filled('ip filter INPUT', [jumps(2, 'ufw-user-input')], 'drop');
  const byPolicy = nftables([input, own('ufw-user-input')]);
  const byRule = nftables([input, own('ufw-user-input', [drops(9)])]);
  const command = ' allow proto tcp from 192.168.1.20 to any port 3000';
  t.deepEqual(
    told(onLan([everywhere], { firewall: byPolicy })).map(([, line]) => line),
    [`ufw${command}`],
  );
  t.deepEqual(
    told(onLan([everywhere], { firewall: byRule })).map(([, line]) => line),
    [`ufw prepend${command}`],
  );
});

test("firewalld's table is changed by firewall-cmd, in the zone that the packet goes through", (t) => {
  const own = (name: string, rules: NftRule[] = []) => ({
    ...filled(`inet firewalld ${name}`, rules),
    base: null,
  });
  const firewall = nftables([
    filled('inet firewalld filter_INPUT', [jumps(2, 'filter_IN_public'), drops(3)]),
    own('filter_IN_public', [jumps(4, 'filter_IN_public_allow')]),
    own('filter_IN_public_allow'),
    own('filter_IN_home_allow'),
  ]);
  t.deepEqual(told(onLan([everywhere], { firewall })), [
    [
      'Accept what comes from 192.168.1.20 for TCP port 3000 in the zone public of firewalld',
      `firewall-cmd --zone=public --add-rich-rule='rule family="ipv4" source address="192.168.1.20" port port="3000" protocol="tcp" accept'`,
    ],
  ]);
});

test('a ban of fail2ban is lifted by its client', (t) => {
  const firewall = nftables([
    filled('ip filter INPUT', [jumps(2, 'f2b-sshd')]),
    { ...filled('ip filter f2b-sshd', [drops(5)]), base: null },
  ]);
  t.deepEqual(
    told(onLan([everywhere], { firewall })).map(([, command]) => command),
    ['fail2ban-client set sshd unbanip 192.168.1.20'],
  );
});

test('a table that belongs to a process is left to it', (t) => {
  const firewall = nftables([filled('inet app input', [drops(7)])], ['owner']);
  t.deepEqual(remedies(onLan([everywhere], { firewall }), peer), []);
});

test('what needs two changes has both, those of a shell before the server', (t) => {
  const command = ['vite'];
  const owners = [{ pid: 42, fd: 20, name: 'vite', uid: 1000, command }];
  const firewall = nftables([filled('inet filter input', [drops(7)])]);
  const [first] = remedies(onLan([tcp('127.0.0.1:3000', { owners })], { firewall }), peer);
  t.is(
    first?.command,
    'nft insert rule inet filter input handle 7 ip saddr 192.168.1.20 tcp dport 3000 accept && vite --host 192.168.1.10',
  );
  t.regex(first?.summary ?? '', /^Accept .*; and let vite \(pid 42\) listen on 192\.168\.1\.10/);
});

test('a strict filter is made loose, or the route back leads by where they come in', (t) => {
  const state = host({
    links: [lanLink({ ipv4: { rp_filter: 1 } }), link('eth1', ['10.0.0.1/24'])],
    routes: [
      route('10.9.0.0/16', { via: '10.0.0.2', dev: 'eth1' }),
      route('0.0.0.0/0', { via: '192.168.1.1', dev: LAN }),
    ],
    sockets: [everywhere],
  });
  t.deepEqual(
    told(state, asks('10.9.0.7', LAN, server)).map(([, command]) => command),
    [
      'sysctl -w net.ipv4.conf.eth0.rp_filter=2',
      'ip route add 10.9.0.7 via 192.168.1.1 dev eth0',
      'sysctl -w net.ipv4.conf.eth0.rp_filter=0',
    ],
  );
});

test('the filter of all interfaces is named where it counts too', (t) => {
  const name = 'vlan.5';
  const state = host({
    links: [link(name, ['192.168.1.10/24'], { ipv4: { rp_filter: 2 } })],
    settings: { 'net.ipv4.conf.all.rp_filter': 1 },
    routes: [route('10.9.0.0/16', { type: 'prohibit' })],
    rules: [rule(100, { from: '192.168.1.10/32', to: '10.9.0.7/32', table: 7 })],
    sockets: [everywhere],
  });
  for (const { command } of remedies(state, asks('10.9.0.7', name, server)))
    t.false(command?.includes('conf.vlan.5') ?? false, 'a dot of a name is a slash for sysctl(8)');
  t.pass();
});

test('ARP is answered again by the setting that is in the way', (t) => {
  const state = onLan([everywhere], {
    links: [lanLink({ ipv4: { arp_ignore: 1 } }), link('dummy0', ['192.168.1.99/32'])],
  });
  t.deepEqual(
    told(state, asks(neighbour4, LAN, '192.168.1.99:3000')).map(([, command]) => command),
    ['sysctl -w net.ipv4.conf.eth0.arp_ignore=0'],
  );
});

test('a route that refuses the answer is stepped round before it is taken away', (t) => {
  const state = onLan([everywhere], {
    routes: [
      route('10.9.0.0/16', { type: 'blackhole' }),
      route('0.0.0.0/0', { via: '192.168.1.1', dev: LAN }),
    ],
  });
  t.deepEqual(
    told(state, asks('10.9.0.7', LAN, server)).map(([, command]) => command),
    [
      'ip route add 10.9.0.7 via 192.168.1.1 dev eth0',
      'ip route del blackhole 10.9.0.0/16 table main',
    ],
  );
});

test('an interface that is down is switched on, and its networks are there again', (t) => {
  const state = host({
    links: [lanLink({ up: false, running: false, lowerUp: false })],
    // The routes that say which addresses are local outlast it.
    routes: [route(`${lan4}/32`, { type: 'local', table: 255, dev: LAN, scope: 254 })],
    sockets: [everywhere],
  });
  t.deepEqual(told(state), [['Switch the interface eth0 on', 'ip link set eth0 up']]);
});

test('an address that nobody has is given to the interface', (t) => {
  t.deepEqual(
    told(onLan([everywhere]), asks(neighbour4, LAN, '192.168.1.77:3000')).map(([, line]) => line),
    ['ip address add 192.168.1.77/32 dev eth0'],
  );
});

test('nothing is proposed for what is not in the power of this host', (t) => {
  t.deepEqual(remedies(onLan([]), peer), [], 'no server');
  const dark = onLan([everywhere], { links: [lanLink({ running: false, lowerUp: false })] });
  t.deepEqual(remedies(dark, peer), [], 'no carrier');
  const full = tcp('0.0.0.0:3000', { backlog: { length: 6, limit: 5 } });
  t.deepEqual(remedies(onLan([full]), peer), [], 'a full queue');
  t.deepEqual(remedies(onLan([everywhere]), asks(neighbour4, 'eth7', server)), [], 'no interface');
});

test('the remedies of a row of exposure let in all of its peers', (t) => {
  const firewall = nftables([filled('inet filter input', [drops(7)])]);
  const [one] = exposure(onLan([everywhere], { firewall }));
  const row = one?.blocked.find(({ interface: name, address }) => name === LAN && address === lan4);
  t.deepEqual(row?.peers, ['0.0.0.0/0']);
  t.deepEqual(
    row?.remedies.map(({ command }) => command),
    ['nft insert rule inet filter input handle 7 tcp dport 3000 accept'],
  );
});

test('one that is shadowed gets its peers when the other program ends', (t) => {
  const other = tcp('192.168.1.10:3000', { uid: 7 });
  const rows = exposure(onLan([everywhere, other])).find(({ socket }) => socket === everywhere);
  const row = rows?.blocked.find(({ cause }) => cause.code === 'shadowed');
  t.deepEqual(
    row?.remedies.map(({ summary }) => summary),
    ['Stop the server, which listens on 192.168.1.10:3000'],
  );
  t.is(row?.remedies[0]?.proof.socket, everywhere);
});

const closes = (state: HostState, flow: Flow = peer) =>
  remedies(state, flow, { goal: 'close' }).map(({ summary, command }) => [summary, command]);

test('what is open is closed by a rule in the chain that is there, or by loopback', (t) => {
  const firewall = nftables([filled('inet filter input', [])]);
  t.deepEqual(closes(onLan([everywhere], { firewall })), [
    [
      'Drop what comes from 192.168.1.20 for TCP port 3000 at the beginning of chain input (table inet filter)',
      'nft insert rule inet filter input ip saddr 192.168.1.20 tcp dport 3000 drop',
    ],
    ['Let the server listen on 127.0.0.1 instead of 0.0.0.0', null],
  ]);
});

test('a host without a firewall gets a table for it', (t) => {
  const [[, command] = []] = closes(onLan([everywhere]));
  t.is(
    command,
    "nft add table inet earshot && nft add chain inet earshot input '{ type filter hook input priority filter; }' && " +
      'nft add rule inet earshot input ip saddr 192.168.1.20 tcp dport 3000 drop',
  );
});

test('a closing has its proof, and nothing closes what is closed', (t) => {
  for (const { proof } of remedies(onLan([everywhere]), peer, { goal: 'close' }))
    t.is(proof.outcome, 'unreachable');
  t.deepEqual(closes(onLan([tcp('127.0.0.1:3000')])), []);
});

test('rules name the peers that are given, or nobody where these are everybody', (t) => {
  const firewall = nftables([filled('inet filter input', [drops(7)])]);
  const state = onLan([everywhere], { firewall });
  const lines = (peers: string[]) =>
    remedies(state, peer, { peers }).map(({ command }) => command?.replace(/^.*handle 7 /, ''));
  t.deepEqual(lines(['192.168.1.0/24']), ['ip saddr 192.168.1.0/24 tcp dport 3000 accept']);
  t.deepEqual(lines(['0.0.0.0/0']), ['tcp dport 3000 accept']);
});

test('options that are not of their form are refused by name', (t) => {
  const state = onLan([everywhere]);
  const refused = (options: unknown) =>
    t.throws(() => remedies(state, peer, options as object), { code: 'ERR_INVALID_ARGUMENT' })
      .message;
  t.regex(refused({ gaol: 'close' }), /goal/);
  t.regex(refused({ goal: 'shut' }), /'shut'/);
  t.regex(refused({ peers: 'all' }), /'all'/);
  t.regex(refused({ peers: ['LAN'] }), /'LAN'/);
});

for (const backend of ['nft', 'legacy'])
  test(`a port that Docker publishes over iptables-${backend} is closed where Docker allows it`, (t) => {
    const fixture = new URL(
      `../../../../test/fixtures/firewalls/ufw-docker-${backend}.json`,
      import.meta.url,
    );
    const { state } = JSON.parse(readFileSync(fixture, 'utf8')) as { state: HostState };
    const published = asks('192.0.2.10', 'eth0', '192.0.2.1:8080');
    t.deepEqual(closes(state, published), [
      [
        'Publish port 8080 of the container 172.17.0.2 on 127.0.0.1 alone: docker run --publish 127.0.0.1:8080:80',
        null,
      ],
      [
        'Drop what comes from 192.0.2.10 for TCP port 80 before rule 1 of chain DOCKER-USER (table filter)',
        `iptables-${backend} -I DOCKER-USER 1 -s 192.0.2.10 -d 172.17.0.2 -p tcp --dport 80 -j DROP`,
      ],
    ]);
  });
