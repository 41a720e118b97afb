import test from 'ava';
import { EarshotError } from '#earshot/errors.js';
import type { Socket, SocketFilter } from '#earshot/model/socket.js';
import { checkFilter, matchesFilter } from '#earshot/model/socket-filter.js';
import { tcp, udp } from '../reach/support/state.js';

const matches = (socket: Socket, filter: SocketFilter) =>
  matchesFilter(socket, checkFilter(filter));

const server = tcp('192.0.2.10:443', { boundInterface: 'eth0', uid: 33, mark: 7 });
const visitor = tcp('192.0.2.10:443', {
  state: 'established',
  remote: { address: '198.51.100.7', port: 51000 },
});
const mapped = tcp('[::ffff:192.0.2.10]:443');
const resolver = udp('[::1]:53');

const statements: [says: string, filter: SocketFilter, holds: Socket[], not: Socket[]][] = [
  ['no key lets everything through', {}, [server, visitor, mapped, resolver], []],
  ['a protocol', { protocol: 'udp' }, [resolver], [server, visitor, mapped]],
  ['one of several protocols', { protocol: ['tcp', 'udp'] }, [server, resolver], []],
  ['a family is that of the socket, not of its address', { family: 'ipv6' }, [mapped], [server]],
  ['a state', { state: 'listen' }, [server, mapped], [visitor, resolver]],
  ['one of several states', { state: ['listen', 'unconnected'] }, [server, resolver], [visitor]],
  ['a port', { localPort: 443 }, [server, visitor], [resolver]],
  ['a list of ports', { localPort: [53, 80] }, [resolver], [server]],
  ['both ends of a range of ports', { localPort: { from: 53, to: 443 } }, [server, resolver], []],
  ['a range of ports and no more', { localPort: { from: 54, to: 442 } }, [], [server, resolver]],
  ['a remote port', { remotePort: 51000 }, [visitor], [server]],
  ['no peer is port 0', { remotePort: 0 }, [server], [visitor]],
  [
    'an address, in its v4-mapped form too',
    { localAddress: '192.0.2.10' },
    [server, mapped],
    [resolver],
  ],
  ['a prefix', { localAddress: '192.0.2.0/24' }, [server, mapped], [resolver]],
  [
    'a prefix of IPv6 holds v4-mapped addresses as they are written',
    { localAddress: '::ffff:0:0/96' },
    [mapped],
    [server],
  ],
  ['a remote prefix wants a peer', { remoteAddress: '0.0.0.0/0' }, [visitor], [server]],
  ['the device it is bound to', { interface: 'eth0' }, [server], [visitor]],
  ['a user', { uid: 33 }, [server], [visitor]],
  ['a mark, exactly', { mark: 7 }, [server], [visitor]],
  ['all keys must hold', { protocol: 'tcp', localPort: 443, uid: 34 }, [], [server]],
];

for (const [says, filter, holds, not] of statements) {
  test(`a filter: ${says}`, (t) => {
    for (const socket of holds) t.true(matches(socket, filter), JSON.stringify(socket));
    for (const socket of not) t.false(matches(socket, filter), JSON.stringify(socket));
  });
}

test('a mark that was not told matches no mark', (t) => {
  t.false(matches(tcp('0.0.0.0:80', { mark: null }), { mark: 0 }));
});

const refused: [filter: unknown, message: RegExp][] = [
  [null, /^filter is null, not an object/],
  [[], /^filter is \[\], not an object/],
  [{ port: 80 }, /^filter has no key 'port'/],
  [{ localport: 80 }, /did you mean 'localPort'\?/],
  [{ protocol: 'sctp' }, /^filter\.protocol is 'sctp'.*there are tcp, udp/],
  [{ protocol: 'TCP' }, /did you mean 'tcp'\?/],
  [{ protocol: [] }, /^filter\.protocol is an empty list/],
  [{ family: ['ipv4', 'inet6'] }, /^filter\.family\[1\] is 'inet6'/],
  [{ state: 'listening' }, /^filter\.state is 'listening' \(did you mean 'listen'\?\)/],
  [{ localPort: 70000 }, /^filter\.localPort is 70000: a port is a whole number from 0 to 65535/],
  [{ localPort: 80.5 }, /^filter\.localPort is 80\.5/],
  [{ localPort: '80' }, /^filter\.localPort is '80': give a port, a list of ports, or a range/],
  [{ localPort: [80, -1] }, /^filter\.localPort\[1\] is -1/],
  [{ localPort: [] }, /^filter\.localPort is an empty list/],
  [{ localPort: { from: 90, to: 80 } }, /from 90 to 80: the smaller one comes first/],
  [{ localPort: { from: 80 } }, /^filter\.localPort\.to is undefined/],
  [{ localPort: { from: 80, til: 90 } }, /^filter\.localPort has no key 'til'/],
  [{ remotePort: Number.NaN }, /^filter\.remotePort is NaN/],
  [
    { localAddress: '192.0.2' },
    /^filter\.localAddress is '192\.0\.2': give an address or a prefix/,
  ],
  [{ localAddress: '192.0.2.0/33' }, /^filter\.localAddress is '192\.0\.2\.0\/33'/],
  [{ remoteAddress: 'fe80::1%eth0' }, /^filter\.remoteAddress is 'fe80::1%eth0'/],
  [{ interface: '' }, /^filter\.interface is ''/],
  [{ interface: 'a name' }, /^filter\.interface is 'a name'/],
  [{ interface: 'sixteen-letters-' }, /16 bytes long: the name of an interface has at most 15/],
  [{ uid: -1 }, /^filter\.uid is -1: it is a whole number from 0 to 4294967295/],
  [{ mark: 2 ** 32 }, /^filter\.mark is 4294967296/],
];

for (const [filter, message] of refused) {
  test(`a filter is refused: ${JSON.stringify(filter)} ${message.source}`, (t) => {
    const about = { instanceOf: EarshotError, code: 'ERR_INVALID_ARGUMENT', message };
    t.throws(() => checkFilter(filter as SocketFilter), about);
  });
}
