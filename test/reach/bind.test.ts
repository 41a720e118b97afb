import test from 'ava';
import { EarshotError } from '#earshot/errors.js';
import type { HeldPorts } from '#earshot/model/held-ports.js';
import type { Socket } from '#earshot/model/socket.js';
import { type BindSpec, checkBind } from '#earshot/reach/bind.js';
import {
  type HostChanges,
  LAN,
  lan4,
  lan6,
  lanLink,
  link,
  onLan,
  tcp,
  udp,
} from './support/state.js';

/* checkBind on hosts written by hand; test/lab/bind/ holds it against real calls. */

const on = (sockets: Socket[] = [], changes: HostChanges = {}) =>
  onLan(sockets, { held: [], ...changes });
const tcp80 = (changes: Partial<BindSpec> = {}): BindSpec => ({
  protocol: 'tcp',
  address: '0.0.0.0',
  port: 80,
  ...changes,
});
const udp53 = (changes: Partial<BindSpec> = {}): BindSpec => ({
  protocol: 'udp',
  address: '0.0.0.0',
  port: 53,
  ...changes,
});
const connections = (changes: Partial<HeldPorts> = {}): HeldPorts => ({
  family: 'ipv4',
  address: lan4,
  boundInterface: null,
  uid: 0,
  timeWait: false,
  source: 'netlink',
  ports: [80],
  ...changes,
});

/** `ok`, the error, or `unknown`. */
const answer = (state: ReturnType<typeof on>, bind: BindSpec): string => {
  const { ok, error, unknown } = checkBind(state, bind);
  return ok ? 'ok' : (error ?? (unknown ? 'unknown' : 'nothing'));
};

const alone: [title: string, bind: BindSpec, expected: string, changes?: HostChanges][] = [
  ['a free port can be bound', tcp80(), 'ok'],
  ['an address of the host can be bound', tcp80({ address: lan4 }), 'ok'],
  ['all of 127.0.0.0/8 is local', tcp80({ address: '127.99.1.2' }), 'ok'],
  ['an address of nobody cannot', tcp80({ address: '192.0.2.9' }), 'EADDRNOTAVAIL'],
  [
    'an address of nobody can with ip_nonlocal_bind',
    tcp80({ address: '192.0.2.9' }),
    'ok',
    { settings: { 'net.ipv4.ip_nonlocal_bind': 1 } },
  ],
  [
    'ip_nonlocal_bind of IPv4 says nothing of IPv6',
    tcp80({ address: '2001:db8::9' }),
    'EADDRNOTAVAIL',
    { settings: { 'net.ipv4.ip_nonlocal_bind': 1 } },
  ],
  ['a broadcast address can be bound', udp53({ address: '192.168.1.255' }), 'ok'],
  ['TCP may stand on an IPv4 group', tcp80({ address: '224.0.0.1' }), 'ok'],
  ['TCP may not stand on an IPv6 group', tcp80({ address: 'ff05::1' }), 'EINVAL'],
  ['UDP may', udp53({ address: 'ff05::1' }), 'ok'],
  ['a link-local address alone does not say its link', tcp80({ address: 'fe80::10' }), 'EINVAL'],
  [
    'a link-local address of the interface',
    tcp80({ address: 'fe80::10', boundInterface: LAN }),
    'ok',
  ],
  [
    'a link-local address of another interface',
    tcp80({ address: 'fe80::10', boundInterface: 'lo' }),
    'EADDRNOTAVAIL',
  ],
  ['a global address by another interface', tcp80({ address: lan6, boundInterface: 'lo' }), 'ok'],
  ['::1 is of lo alone', tcp80({ address: '::1', boundInterface: LAN }), 'EADDRNOTAVAIL'],
  ['a device that is not there', tcp80({ boundInterface: 'eth9' }), 'ENODEV'],
  [
    'a v4-mapped address on a socket for IPv6 alone',
    tcp80({ address: '::ffff:192.168.1.10', v6only: true }),
    'EINVAL',
  ],
  [
    'net.ipv6.bindv6only counts where v6only is not given',
    tcp80({ address: '::ffff:192.168.1.10' }),
    'EINVAL',
    { settings: { 'net.ipv6.bindv6only': 1 } },
  ],
  [
    'IPv6 that is off',
    tcp80({ address: '::' }),
    'EAFNOSUPPORT',
    { families: { ipv4: true, ipv6: false } },
  ],
  ['port 80 takes a privilege', tcp80({ uid: 1000 }), 'EACCES'],
  ['port 80 with the privilege', tcp80({ uid: 1000, privileged: true }), 'ok'],
  [
    'port 80 where ip_unprivileged_port_start is 80',
    tcp80({ uid: 1000 }),
    'ok',
    { settings: { 'net.ipv4.ip_unprivileged_port_start': 80 } },
  ],
  [
    'the user who made the capture is asked for',
    tcp80(),
    'EACCES',
    { where: { hostname: 'host', kernel: '6.12.0', netns: 1, uid: 1000 } },
  ],
  [
    'IPv4 looks at the address before the privilege',
    tcp80({ uid: 1000, address: '192.0.2.9' }),
    'EADDRNOTAVAIL',
  ],
  [
    'IPv6 looks at the privilege before the address',
    tcp80({ uid: 1000, address: '2001:db8::9' }),
    'EACCES',
  ],
  [
    'a tentative address',
    tcp80({ address: '2001:db8:1::7' }),
    'EADDRNOTAVAIL',
    { links: [link(LAN, ['2001:db8:1::7/64 tentative'])] },
  ],
  [
    'an optimistic address',
    tcp80({ address: '2001:db8:1::7' }),
    'ok',
    { links: [link(LAN, ['2001:db8:1::7/64 tentative optimistic'])] },
  ],
  ['the kernel finds a port', tcp80({ port: 0 }), 'ok'],
  [
    'a range that is all reserved',
    tcp80({ port: 0 }),
    'EADDRINUSE',
    {
      settings: {
        'net.ipv4.ip_local_port_range': '40000 40001',
        'net.ipv4.ip_local_reserved_ports': '39999-40001',
      },
    },
  ],
  [
    'a port that is reserved can be asked for by its number',
    tcp80({ port: 40000 }),
    'ok',
    { settings: { 'net.ipv4.ip_local_reserved_ports': '40000' } },
  ],
];
for (const [title, bind, expected, changes] of alone) {
  test(`alone: ${title}: ${expected}`, (t) => {
    t.is(answer(on([], changes), bind), expected);
  });
}

const both = { reuseAddress: true, reusePort: true };
const met: [title: string, there: Socket, bind: BindSpec, expected: string][] = [
  ['a wildcard meets an exact address', tcp(`${lan4}:80`), tcp80(), 'EADDRINUSE'],
  ['an exact address meets a wildcard', tcp('0.0.0.0:80'), tcp80({ address: lan4 }), 'EADDRINUSE'],
  ['two exact addresses do not meet', tcp('127.0.0.1:80'), tcp80({ address: lan4 }), 'ok'],
  ['TCP does not meet UDP', udp('0.0.0.0:80'), tcp80(), 'ok'],
  ['0.0.0.0 meets ::', tcp('[::]:80', { v6only: false }), tcp80(), 'EADDRINUSE'],
  ['0.0.0.0 does not meet :: for IPv6 alone', tcp('[::]:80', { v6only: true }), tcp80(), 'ok'],
  ['0.0.0.0 and :: where /proc told', tcp('[::]:80', { v6only: null }), tcp80(), 'unknown'],
  [':: meets 0.0.0.0', tcp('0.0.0.0:80'), tcp80({ address: '::' }), 'EADDRINUSE'],
  [
    ':: for IPv6 alone does not meet 0.0.0.0',
    tcp('0.0.0.0:80'),
    tcp80({ address: '::', v6only: true }),
    'ok',
  ],
  [
    'a v4-mapped address meets its IPv4 form',
    tcp(`${lan4}:80`),
    tcp80({ address: `::ffff:${lan4}` }),
    'EADDRINUSE',
  ],
  ['0.0.0.0 does not meet an IPv6 address', tcp(`[${lan6}]:80`, { v6only: true }), tcp80(), 'ok'],
  [
    'sockets on two devices do not meet',
    tcp('0.0.0.0:80', { boundInterface: 'lo' }),
    tcp80({ boundInterface: LAN }),
    'ok',
  ],
  [
    'one on a device meets one on none',
    tcp('0.0.0.0:80', { boundInterface: 'lo' }),
    tcp80(),
    'EADDRINUSE',
  ],
  [
    'SO_REUSEADDR does not excuse a listener',
    tcp('0.0.0.0:80', { reuseAddress: true, reusePort: false }),
    tcp80({ reuseAddress: true }),
    'EADDRINUSE',
  ],
  [
    'SO_REUSEADDR excuses a socket that is bound and no more',
    tcp('0.0.0.0:80', { state: 'bound', backlog: null, reuseAddress: true, reusePort: false }),
    tcp80({ reuseAddress: true }),
    'ok',
  ],
  [
    'SO_REUSEADDR of one alone excuses nothing',
    tcp('0.0.0.0:80', { state: 'bound', backlog: null, reuseAddress: false, reusePort: false }),
    tcp80({ reuseAddress: true }),
    'EADDRINUSE',
  ],
  [
    'SO_REUSEPORT of one user',
    tcp('0.0.0.0:80', { reuseAddress: false, reusePort: true, uid: 33 }),
    tcp80({ reusePort: true, uid: 33, privileged: true }),
    'ok',
  ],
  [
    'SO_REUSEPORT of two users',
    tcp('0.0.0.0:80', { reuseAddress: false, reusePort: true, uid: 33 }),
    tcp80({ reusePort: true }),
    'EADDRINUSE',
  ],
  [
    'SO_REUSEPORT that is not told',
    tcp('0.0.0.0:80', { uid: 0 }),
    tcp80({ reusePort: true }),
    'unknown',
  ],
  [
    'SO_REUSEPORT that is not told, of another user',
    tcp('0.0.0.0:80', { uid: 33 }),
    tcp80({ reusePort: true }),
    'EADDRINUSE',
  ],
  [
    'UDP: SO_REUSEADDR of both',
    udp('0.0.0.0:53', { reuseAddress: true, reusePort: false }),
    udp53({ reuseAddress: true }),
    'ok',
  ],
  [
    'UDP: SO_REUSEADDR that is not told',
    udp('0.0.0.0:53'),
    udp53({ reuseAddress: true }),
    'unknown',
  ],
  ['UDP without options', udp(`${lan4}:53`), udp53(), 'EADDRINUSE'],
];
for (const [title, there, bind, expected] of met) {
  test(`one socket: ${title}: ${expected}`, (t) => {
    const state = on([there]);
    t.is(answer(state, bind), expected);
    const { conflicts } = checkBind(state, bind);
    t.deepEqual(conflicts, expected === 'ok' ? [] : [there], 'who is in the way');
  });
}

const held: [title: string, there: HeldPorts, bind: BindSpec, expected: string][] = [
  ['a connection holds its port', connections(), tcp80(), 'EADDRINUSE'],
  [
    'a connection of another address does not',
    connections(),
    tcp80({ address: '127.0.0.1' }),
    'ok',
  ],
  ['UDP does not meet connections', connections({ ports: [53] }), udp53(), 'ok'],
  [
    'a connection and SO_REUSEADDR of both',
    connections({ reuseAddress: true, reusePort: false }),
    tcp80({ reuseAddress: true }),
    'ok',
  ],
  ['TIME-WAIT holds the port', connections({ timeWait: true }), tcp80(), 'EADDRINUSE'],
  [
    'TIME-WAIT and SO_REUSEADDR, which nobody tells of it',
    connections({ timeWait: true }),
    tcp80({ reuseAddress: true }),
    'unknown',
  ],
  [
    'a connection over IPv6 of a listener for both families stands in the way of 0.0.0.0',
    connections({ family: 'ipv6', address: lan6, v6only: false }),
    tcp80(),
    'EADDRINUSE',
  ],
  [
    'a connection over IPv6 of which that is not told',
    connections({ family: 'ipv6', address: lan6 }),
    tcp80(),
    'unknown',
  ],
];
for (const [title, there, bind, expected] of held) {
  test(`connections: ${title}: ${expected}`, (t) => {
    const state = on([], { held: [there] });
    t.is(answer(state, bind), expected);
    t.is(checkBind(state, bind).connections.length, expected === 'ok' ? 0 : 1);
  });
}

test('UDP: the first socket that is met decides, which is the newest', (t) => {
  const plain = udp('127.0.0.1:53', { reuseAddress: false, reusePort: false });
  const shared = udp('127.0.0.2:53', { reuseAddress: false, reusePort: true, uid: 0 });
  t.is(answer(on([shared, plain]), udp53({ reusePort: true })), 'ok');
  t.is(answer(on([plain, shared]), udp53({ reusePort: true })), 'EADDRINUSE');
});

test('a socket with SO_REUSEPORT may come by what conflicts, where the bucket remembers one like it', (t) => {
  const plain = tcp('0.0.0.0:80', { reuseAddress: false, reusePort: false });
  const alike = tcp('[::]:80', { reuseAddress: false, reusePort: true, v6only: true, uid: 0 });
  const bind = tcp80({ address: '::', v6only: false, reusePort: true });
  t.is(answer(on([plain, alike]), bind), 'unknown');
  t.is(answer(on([plain]), bind), 'unknown', 'one like it may have been there, and been closed');
  t.is(answer(on([plain]), tcp80({ reusePort: true })), 'EADDRINUSE');
  const exact = tcp('[::1]:80', { reuseAddress: false, reusePort: false, v6only: true });
  t.is(answer(on([exact]), bind), 'unknown', '0.0.0.0 is like :: to the bucket');
  t.is(answer(on([exact]), { ...bind, v6only: true }), 'EADDRINUSE');
});

test('a kernel that does not list sockets that are bound and no more is not taken to have none', (t) => {
  const where = { hostname: 'host', kernel: '6.1.0-18-amd64', netns: 1 };
  const check = checkBind(on([], { where }), tcp80());
  t.true(check.ok);
  t.regex(check.unless.join(), /bound to port 80 and neither listens nor is connected: Linux 6\.1/);
  t.deepEqual(checkBind(on(), tcp80()).unless, []);
});

test('a capture without connections does not tell whether TCP can bind', (t) => {
  const state = onLan([]);
  t.is(answer(state, tcp80()), 'unknown');
  t.is(answer(state, udp53()), 'ok');
  t.is(answer(onLan([tcp('0.0.0.0:80')]), tcp80()), 'EADDRINUSE');
});

test('what could not be read is unknown, not free', (t) => {
  const missing = [{ what: 'sockets', reason: 'refused', remedy: 'run as root' }] as const;
  const { ok, error, unknown } = checkBind(on([], { missing: [...missing] }), tcp80());
  t.deepEqual({ ok, error }, { ok: false, error: null });
  t.deepEqual(unknown?.remedy, 'run as root');
});

test('who could reach the socket is told as if it were there', (t) => {
  const scope = (bind: BindSpec) => checkBind(on(), bind).exposure?.scope;
  t.is(scope(tcp80()), 'routed');
  t.is(scope(tcp80({ address: '127.0.0.1' })), 'host');
  t.is(scope(tcp80({ address: 'fe80::10', boundInterface: LAN })), 'link');
  t.is(scope(udp53({ address: lan4 })), 'routed');
  t.is(checkBind(on(), tcp80({ port: 0 })).exposure, null);
  t.is(checkBind(on([tcp('0.0.0.0:80')]), tcp80()).exposure, null);
});

test('the state is left as it was', (t) => {
  const state = on([tcp('127.0.0.1:80')], { links: [lanLink()] });
  const before = JSON.stringify(state);
  checkBind(state, tcp80({ address: lan4 }));
  t.is(JSON.stringify(state), before);
});

for (const [bind, message] of [
  [
    tcp80({ address: 'fe80::1%eth0' }),
    /give fe80::1, and the interface eth0 as bind.boundInterface/,
  ],
  [tcp80({ address: 'localhost' }), /bind.address is 'localhost': give an IP address/],
  [tcp80({ port: 65536 }), /bind.port is 65536: a port is a whole number from 0 to 65535/],
  [{ ...tcp80(), reuseaddress: true }, /did you mean 'reuseAddress'/],
  [{ ...tcp80(), protocol: 'sctp' }, /bind.protocol is 'sctp'/],
  [{ ...tcp80(), reusePort: 1 }, /bind.reusePort is 1, not true or false/],
  [{ ...tcp80(), uid: -1 }, /bind.uid is -1/],
] as [BindSpec, RegExp][]) {
  test(`refused: ${message.source}`, (t) => {
    const error = t.throws(() => checkBind(on(), bind), { instanceOf: EarshotError, message });
    t.is(error?.code, 'ERR_INVALID_ARGUMENT');
  });
}

test('options that need both sides are not granted by one', (t) => {
  t.is(
    answer(on([tcp('0.0.0.0:80', { reuseAddress: false, reusePort: false })]), tcp80(both)),
    'EADDRINUSE',
  );
});
