import test from 'ava';
import type { HostState } from '#earshot/model/host-state.js';
import type { Socket } from '#earshot/model/socket.js';
import { exposure } from '#earshot/reach/exposure.js';
import type { Blocked, Exposure, Reach } from '#earshot/reach/exposure-row.js';
import {
  chain,
  defaultRoutes,
  host,
  LAN,
  lan4,
  lan6,
  lanLink,
  legacyTables,
  link,
  nftables,
  onLan,
  route,
  tcp,
  udp,
  unreadable,
} from './support/state.js';

/* Who reaches a server, by which interface and address, on hosts that people have. */

const everybody4 = ['0.0.0.0/0'];
const everybody6 = ['::/0'];

function exposureOf(state: HostState, socket: Socket = state.sockets[0] as Socket): Exposure {
  const found = exposure(state).find((one) => one.socket === socket);
  if (!found) throw new Error(`no exposure of ${socket.local.address}`);
  return found;
}

const door = ({ interface: name, address }: Reach | Blocked) => `${name} ${address}`;

/** Rows as `eth0 192.168.1.10: PEERS`. */
const who = (rows: readonly (Reach | Blocked)[]) =>
  Object.fromEntries(rows.map((row) => [door(row), row.peers]));

/** Rows as `eth0 192.168.1.10: cause`. */
const why = (rows: readonly Blocked[]) =>
  Object.fromEntries(rows.map((row) => [door(row), row.cause.code]));

const atLan4 = { [`${LAN} ${lan4}`]: everybody4 };
const atLan6 = { [`${LAN} ${lan6}`]: everybody6 };
const onTheLink = ['2001:db8:1::/64', 'fe80::/64'];

test('127.0.0.1 is reached by this host, and who asks for it from the LAN is a martian', (t) => {
  const { scope, reach, blocked, unknown } = exposureOf(onLan([tcp('127.0.0.1:3000')]));
  t.is(scope, 'host');
  t.deepEqual(who(reach), { 'lo 127.0.0.1': ['127.0.0.1/32'] });
  t.deepEqual(why(blocked), {
    'lo ::1': 'ipv4-only',
    [`${LAN} ${lan4}`]: 'bound-to-loopback',
    [`${LAN} ${lan6}`]: 'bound-to-loopback',
    [`${LAN} fe80::10`]: 'bound-to-loopback',
    [`${LAN} 127.0.0.1`]: 'martian-destination',
  });
  t.deepEqual(unknown, []);
});

test('the LAN address is reached by anyone routed to it, and by this host', (t) => {
  const { scope, reach, blocked } = exposureOf(onLan([tcp(`${lan4}:3000`)]));
  t.is(scope, 'routed');
  t.deepEqual(who(reach), { [`lo ${lan4}`]: [`${lan4}/32`], ...atLan4 });
  t.deepEqual(why(blocked), {
    'lo 127.0.0.1': 'bound-to-other-address',
    'lo ::1': 'ipv4-only',
    [`${LAN} ${lan6}`]: 'ipv4-only',
    [`${LAN} fe80::10`]: 'ipv4-only',
  });
});

test('0.0.0.0 is every IPv4 address of the host', (t) => {
  const { scope, reach, blocked } = exposureOf(onLan([tcp('0.0.0.0:3000')]));
  t.is(scope, 'routed');
  t.deepEqual(who(reach), { 'lo 127.0.0.1': ['127.0.0.1/32'], ...atLan4 });
  t.deepEqual([...new Set(Object.values(why(blocked)))], ['ipv4-only']);
});

test(':: is every address of both families; link-local ones are for the link', (t) => {
  const { scope, reach, blocked } = exposureOf(onLan([tcp('[::]:3000')]));
  t.is(scope, 'routed');
  t.deepEqual(who(reach), {
    'lo 127.0.0.1': ['127.0.0.1/32'],
    'lo ::1': ['::1/128'],
    ...atLan4,
    ...atLan6,
    [`${LAN} fe80::10`]: onTheLink,
  });
  t.deepEqual(blocked, []);
});

test(':: with v6only is every IPv6 address', (t) => {
  const { reach, blocked } = exposureOf(onLan([tcp('[::]:3000', { v6only: true })]));
  t.deepEqual(who(reach), { 'lo ::1': ['::1/128'], ...atLan6, [`${LAN} fe80::10`]: onTheLink });
  t.deepEqual(why(blocked), { 'lo 127.0.0.1': 'ipv6-only', [`${LAN} ${lan4}`]: 'ipv6-only' });
});

test('a v4-mapped address is the IPv4 address', (t) => {
  const { reach, blocked } = exposureOf(onLan([tcp('[::ffff:127.0.0.1]:3000')]));
  t.deepEqual(who(reach), { 'lo 127.0.0.1': ['127.0.0.1/32'] });
  t.is(why(blocked)[`${LAN} 127.0.0.1`], 'martian-destination');
});

const twoLinks = [lanLink(), link('eth1', ['10.0.0.1/24'])];

test('a socket bound to a device is reached by that device', (t) => {
  const bound = tcp('0.0.0.0:3000', { boundInterface: 'eth1' });
  const { scope, reach, blocked } = exposureOf(onLan([bound], { links: twoLinks }));
  t.is(scope, 'link');
  t.deepEqual(who(reach), { 'eth1 10.0.0.1': ['10.0.0.0/24'] });
  t.is(why(blocked)[`${LAN} ${lan4}`], 'bound-to-other-device');
});

test('a more exact socket shadows the wildcard at its own address', (t) => {
  const wide = tcp('0.0.0.0:3000');
  const closer = tcp(`${lan4}:3000`);
  const state = onLan([wide, closer]);
  const shadowed = exposureOf(state, wide);
  t.deepEqual(who(shadowed.reach), { 'lo 127.0.0.1': ['127.0.0.1/32'] });
  t.is(shadowed.scope, 'host');
  const row = shadowed.blocked.find((one) => door(one) === `${LAN} ${lan4}`);
  t.deepEqual(row?.cause, { code: 'shadowed', by: closer });
  t.deepEqual(who(exposureOf(state, closer).reach), {
    [`lo ${lan4}`]: [`${lan4}/32`],
    ...atLan4,
  });
});

test('each of a pair with SO_REUSEPORT is reached', (t) => {
  const pair = [tcp('0.0.0.0:3000'), tcp('0.0.0.0:3000')];
  const state = onLan(pair);
  for (const one of pair) t.is(exposureOf(state, one).scope, 'routed');
});

test('two sockets on one port have each its own miss as cause', (t) => {
  const onLoopback = tcp('127.0.0.1:3000');
  const onEth1 = tcp('10.0.0.1:3000');
  const state = onLan([onLoopback, onEth1], { links: twoLinks });
  const at = `${LAN} ${lan4}`;
  t.is(why(exposureOf(state, onLoopback).blocked)[at], 'bound-to-loopback');
  t.is(why(exposureOf(state, onEth1).blocked)[at], 'bound-to-other-address');
  for (const socket of [onLoopback, onEth1]) {
    const causes = exposureOf(state, socket).blocked.map(({ cause }) => cause);
    t.true(causes.every((cause) => !('socket' in cause) || cause.socket === socket));
  }
});

test('that /proc tells nothing of v6only makes that socket unknown, not its neighbour', (t) => {
  const other = tcp('127.0.0.1:3000');
  const state = onLan([tcp('[::]:3000', { v6only: null }), other]);
  t.is(exposureOf(state).scope, 'routed'); // by IPv6
  t.is(exposureOf(state).unknown[0]?.cause.code, 'not-evaluated');
  t.deepEqual(exposureOf(state, other).unknown, []);
});

test('UDP is reached as TCP is, and has no URL', (t) => {
  const { scope, reach, endpoint } = exposureOf(onLan([udp('0.0.0.0:5353')]));
  t.deepEqual(endpoint, { protocol: 'udp', port: 5353 });
  t.is(scope, 'routed');
  t.deepEqual(who(reach), { 'lo 127.0.0.1': ['127.0.0.1/32'], ...atLan4 });
  t.true(reach.every(({ url }) => url === null));
});

test('connected and merely bound sockets are not looked at', (t) => {
  const connected = udp(`${lan4}:4000`, { remote: { address: '192.0.2.1', port: 53 } });
  t.deepEqual(exposure(onLan([connected, tcp('0.0.0.0:80', { state: 'bound' })])), []);
});

test('without a router only the link reaches it', (t) => {
  const { scope, reach } = exposureOf(host({ links: [lanLink()], sockets: [tcp('0.0.0.0:80')] }));
  t.is(scope, 'link');
  t.deepEqual(who(reach)[`${LAN} ${lan4}`], ['192.168.1.0/24']);
});

test('with all interfaces but lo down only this host reaches it', (t) => {
  const links = [lanLink({ up: false })];
  t.is(exposureOf(host({ links, sockets: [tcp('0.0.0.0:80')] })).scope, 'host');
});

test('a listener whose accept queue is full is reached by nobody', (t) => {
  const full = tcp('0.0.0.0:80', { backlog: { length: 6, limit: 5 } });
  const { scope, blocked } = exposureOf(onLan([full]));
  t.is(scope, 'nobody');
  t.like(blocked[0], { cause: { code: 'accept-queue-full' }, symptom: 'ETIMEDOUT' });
});

test('a strict reverse path filter splits the peers at the routes', (t) => {
  const links = [lanLink({ ipv4: { rp_filter: 1 } }), link('eth1', ['10.0.0.1/24'])];
  const { reach, blocked } = exposureOf(onLan([tcp('0.0.0.0:80')], { links }));
  const strict = blocked.filter(({ cause }) => cause.code === 'reverse-path');
  t.deepEqual(who(strict), { [`${LAN} ${lan4}`]: ['10.0.0.0/24'] });
  const inside = who(reach)[`${LAN} ${lan4}`] ?? [];
  t.true(inside.includes('11.0.0.0/8'));
  t.false(inside.includes('0.0.0.0/0'));
});

test('peers whose answer finds no way back are one row, whatever their addresses', (t) => {
  const refusing = ['198.51.100.0/24', '203.0.113.0/24'].map((destination) =>
    route(destination, { type: 'unreachable' }),
  );
  const links = [lanLink(), link('eth1', ['10.0.0.1/24'])];
  const state = host({
    links,
    // A gateway makes eth0 an uplink; it is the way to one network alone.
    routes: [...refusing, route('192.0.2.0/24', { via: '192.168.1.1', dev: LAN })],
    sockets: [tcp('0.0.0.0:80')],
  });
  const rows = exposureOf(state).blocked.filter(({ cause }) => cause.code === 'no-route');
  t.deepEqual(
    rows.map((row) => door(row)),
    [`${LAN} ${lan4}`],
  );
});

test("a container bridge shows its own network alone, its neighbour's broadcast address not", (t) => {
  const networks = ['172.17.0.1/16', '172.18.0.1/16', '172.19.0.1/16'];
  const bridges = networks.map((cidr, place) => link(`br${place}`, [cidr], { kind: 'bridge' }));
  const { reach } = exposureOf(onLan([tcp('0.0.0.0:80')], { links: [lanLink(), ...bridges] }));
  t.like(who(reach), {
    'br0 172.17.0.1': ['172.17.0.0/16'],
    'br1 172.18.0.1': ['172.18.0.0/16'],
    'br2 172.19.0.1': ['172.19.0.0/16'],
  });
});

test('a neighbour that routing refuses to answer is blocked, not forgotten', (t) => {
  const state = host({
    links: [lanLink()],
    routes: [route('192.168.1.128/25', { type: 'blackhole' })],
    sockets: [tcp('0.0.0.0:80')],
  });
  const { reach, blocked } = exposureOf(state);
  t.deepEqual(who(reach)[`${LAN} ${lan4}`], ['192.168.1.0/25']);
  const refused = blocked.filter(({ cause }) => cause.code === 'route-refuses');
  t.deepEqual(who(refused), { [`${LAN} ${lan4}`]: ['192.168.1.128/25'] });
});

test('a port of a bridge has no row of its own', (t) => {
  const links = [
    link('br0', [`${lan4}/24`], { kind: 'bridge' }),
    link('eth1', ['10.0.0.1/24'], { master: 'br0', portKind: 'bridge' }),
  ];
  const { reach } = exposureOf(host({ links, sockets: [tcp('0.0.0.0:80')] }));
  t.deepEqual(Object.keys(who(reach)), ['lo 127.0.0.1', `br0 ${lan4}`]);
});

test('rules at input make everybody but this host unknown, and so the scope', (t) => {
  const firewall = nftables([chain('netdev f i', 'ingress', { devices: [LAN] })]);
  const { scope, reach, blocked, unknown } = exposureOf(onLan([tcp('0.0.0.0:80')], { firewall }));
  t.is(scope, 'unknown');
  t.deepEqual(who(reach), { 'lo 127.0.0.1': ['127.0.0.1/32'] });
  t.deepEqual(why(blocked), { 'lo ::1': 'ipv4-only' });
  t.is(why(unknown)[`${LAN} ${lan4}`], 'rule-unknown');
  t.deepEqual(who(unknown)[`${LAN} ${lan4}`], everybody4);
});

test('a firewall that could not be read makes the scope unknown', (t) => {
  for (const which of ['nftables', 'legacy-tables'] as const) {
    const { scope, reach, unknown } = exposureOf(onLan([tcp('0.0.0.0:80')], unreadable(which)));
    t.is(scope, 'unknown');
    t.deepEqual(reach, []);
    t.true(unknown.length > 0);
    t.true(unknown.every(({ cause, symptom }) => 'remedy' in cause && symptom === null));
  }
});

test('rules at input do not blur that a server on loopback is out of reach', (t) => {
  const state = onLan([tcp('127.0.0.1:80')], { firewall: legacyTables('filter') });
  const { scope, blocked } = exposureOf(state);
  t.is(scope, 'unknown'); // whether this host itself gets in
  t.is(why(blocked)[`${LAN} ${lan4}`], 'bound-to-loopback');
  t.true(blocked.every(({ cause, symptom }) => cause.code !== 'bound-to-loopback' || !symptom));
});

test('what is unknown about this host itself does not hide that the LAN gets in', (t) => {
  const firewall = nftables([chain('netdev f i', 'ingress', { devices: ['lo'] })]);
  const links = [lanLink()];
  const state = host({ links, sockets: [tcp('0.0.0.0:80')], firewall });
  t.is(exposureOf(state).scope, 'link');
});

test('a packet that may be redirected is unknown even where another socket would take it', (t) => {
  const wide = tcp('0.0.0.0:80');
  const firewall = nftables([chain('ip nat prerouting', 'prerouting')]);
  const { unknown, blocked } = exposureOf(onLan([wide, tcp(`${lan4}:80`)], { firewall }), wide);
  t.is(why(unknown)[`${LAN} ${lan4}`], 'rule-unknown');
  t.false(`${LAN} ${lan4}` in why(blocked));
});

test('a URL has the port where it is not the usual one, and brackets around IPv6', (t) => {
  const urls = (port: number) =>
    Object.fromEntries(
      exposureOf(onLan([tcp(`[::]:${port}`)])).reach.map((row) => [row.address, row.url]),
    );
  t.deepEqual(urls(3000), {
    '127.0.0.1': 'http://127.0.0.1:3000/',
    '::1': 'http://[::1]:3000/',
    [lan4]: `http://${lan4}:3000/`,
    [lan6]: `http://[${lan6}]:3000/`,
    'fe80::10': null,
  });
  t.is(urls(80)[lan4], `http://${lan4}/`);
  t.is(urls(443)[lan6], `https://[${lan6}]/`);
  t.is(urls(8443)[lan4], `https://${lan4}:8443/`);
});

test('a filter says which sockets', (t) => {
  const state = onLan([tcp('0.0.0.0:80'), udp('0.0.0.0:53'), tcp('127.0.0.1:5432')]);
  const ports = (filter: Parameters<typeof exposure>[1]) =>
    exposure(state, filter).map(({ endpoint }) => endpoint.port);
  t.deepEqual(ports({}), [80, 53, 5432]);
  t.deepEqual(ports({ protocol: 'udp' }), [53]);
  t.deepEqual(ports({ localPort: { from: 50, to: 100 } }), [80, 53]);
  t.deepEqual(ports({ localAddress: '127.0.0.0/8' }), [5432]);
  t.deepEqual(ports({ state: 'listen', localPort: [53, 80] }), [80]);
});

test('a host with neither sockets nor interfaces exposes nothing', (t) => {
  t.deepEqual(exposure(host()), []);
  const bare = host({ links: [link('lo', [], { loopback: true })], sockets: [tcp('0.0.0.0:80')] });
  t.like(exposureOf(bare), { scope: 'nobody', reach: [], blocked: [], unknown: [] });
});

test('a default route makes everybody a peer; of both families apart', (t) => {
  const state = onLan([tcp('[::]:80')], { routes: defaultRoutes.slice(0, 1) });
  const { reach } = exposureOf(state);
  t.deepEqual(who(reach)[`${LAN} ${lan4}`], everybody4);
  t.deepEqual(who(reach)[`${LAN} ${lan6}`], onTheLink);
});
