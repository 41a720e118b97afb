import test from 'ava';
import { EarshotError } from '#earshot/errors.js';
import { owners, sockets, socketsSync } from '#earshot/index.js';
import { checkReadOptions } from '#earshot/kernel/read-options.js';
import { ALL_STATES, LISTENING_STATES, socketQuery } from '#earshot/kernel/socket-filter.js';
import type { ReadOptions, Socket, SocketFilter } from '#earshot/model/socket.js';

const options = checkReadOptions({});

/** A filter that is refused, and what the message must say of it. */
const REFUSED_FILTERS: [unknown, RegExp][] = [
  [{ localport: 80 }, /filter has no key 'localport': did you mean 'localPort'\?/],
  [{ protcol: 'tcp' }, /did you mean 'protocol'\?/],
  [{ quux: 1 }, /filter has no key 'quux': there are protocol, family, /],
  [[], /filter is \[\], not an object/],
  [null, /filter is null, not an object/],
  ['tcp', /filter is 'tcp', not an object/],
  [{ protocol: 'sctp' }, /filter\.protocol is 'sctp'.*there are tcp, udp/],
  [{ protocol: [] }, /filter\.protocol is an empty list/],
  [{ protocol: ['tcp', 'TCP'] }, /filter\.protocol\[1\] is 'TCP' \(did you mean 'tcp'\?\)/],
  [{ family: 4 }, /filter\.family is 4: there are ipv4, ipv6/],
  [
    { state: 'LISTEN' },
    /filter\.state is 'LISTEN' \(did you mean 'listen'\?\): there are established, /,
  ],
  [{ state: 'open' }, /there are .*listen.*bound.*unconnected/],
  [{ localPort: 70000 }, /filter\.localPort is 70000: a port is a whole number from 0 to 65535/],
  [{ localPort: -1 }, /filter\.localPort is -1/],
  [{ localPort: 80.5 }, /filter\.localPort is 80\.5/],
  [{ localPort: Number.NaN }, /filter\.localPort is NaN/],
  [{ localPort: '80' }, /filter\.localPort is '80': give a port/],
  [{ remotePort: [80, 65536] }, /filter\.remotePort\[1\] is 65536/],
  [{ remotePort: [] }, /filter\.remotePort is an empty list/],
  [{ remotePort: { from: 9, to: 8 } }, /filter\.remotePort goes from 9 to 8/],
  [{ remotePort: { from: 9 } }, /filter\.remotePort\.to is undefined/],
  [{ remotePort: { from: 9, to: 10, step: 2 } }, /filter\.remotePort has no key 'step'/],
  [{ localAddress: '10.0.0.300' }, /filter\.localAddress is '10\.0\.0\.300'/],
  [{ localAddress: '10.0.0.0/33' }, /'10\.0\.0\.0\/33'/],
  [{ localAddress: 'fe80::1%eth0' }, /'fe80::1%eth0'/],
  [{ remoteAddress: '' }, /filter\.remoteAddress is ''/],
  [{ remoteAddress: 7 }, /filter\.remoteAddress is 7/],
  [{ interface: '' }, /filter\.interface is ''/],
  [{ interface: 'a/b' }, /filter\.interface is 'a\/b'/],
  [{ interface: 'sixteen-bytes-16' }, /16 bytes long: the name of an interface has at most 15/],
  [{ interface: 'ééééééééé' }, /18 bytes long/],
  [{ uid: -1 }, /filter\.uid is -1: it is a whole number from 0 to 4294967295/],
  [{ uid: 'root' }, /filter\.uid is 'root'/],
  [{ mark: 4294967296 }, /filter\.mark is 4294967296/],
];

for (const [filter, message] of REFUSED_FILTERS) {
  test(`the filter ${JSON.stringify(filter)} is refused`, async (t) => {
    const expectation = { instanceOf: EarshotError, code: 'ERR_INVALID_ARGUMENT', message };
    t.throws(() => socketsSync(filter as SocketFilter), expectation);
    await t.throwsAsync(sockets(filter as SocketFilter), expectation);
  });
}

const REFUSED_OPTIONS: [unknown, RegExp][] = [
  [{ netnss: 'x' }, /options has no key 'netnss': did you mean 'netns'\?/],
  [{ netns: 0 }, /options\.netns is 0: a process id is a whole number from 1 on/],
  [{ netns: -5 }, /options\.netns is -5/],
  [{ netns: 1.5 }, /options\.netns is 1\.5/],
  [{ netns: '' }, /options\.netns is ''/],
  [{ netns: 'a\0b' }, /options\.netns/],
  [{ netns: {} }, /options\.netns is \{\}/],
  [{ source: 'proc' }, /options\.source is 'proc'.*there are auto, netlink, procfs/],
  [{ owners: 'yes' }, /options\.owners is 'yes', not true, false or 'one'/],
];

for (const [value, message] of REFUSED_OPTIONS) {
  test(`the options ${JSON.stringify(value)} are refused`, (t) => {
    t.throws(() => socketsSync({}, value as ReadOptions), {
      instanceOf: EarshotError,
      code: 'ERR_INVALID_ARGUMENT',
      message,
    });
  });
}

test('what is not a socket has no owners', async (t) => {
  for (const value of [undefined, null, {}, { inode: -1 }, { inode: '7' }]) {
    await t.throwsAsync(owners(value as unknown as Socket), { code: 'ERR_INVALID_ARGUMENT' });
  }
});

test('a process id names the namespace of that process, a path itself', (t) => {
  t.is(checkReadOptions({ netns: 42 }).netns, '/proc/42/ns/net');
  t.is(checkReadOptions({ netns: '/run/netns/blue' }).netns, '/run/netns/blue');
  t.is(checkReadOptions().netns, null);
});

test('ports are merged into ascending ranges', (t) => {
  const pairs = (localPort: SocketFilter['localPort']): number[] =>
    Array.from(socketQuery({ localPort: localPort! }, options).localPorts);
  t.deepEqual(pairs(80), [80, 80]);
  t.deepEqual(pairs([443, 80, 81, 80, 65535, 0]), [0, 0, 80, 81, 443, 443, 65535, 65535]);
  t.deepEqual(pairs({ from: 0, to: 65535 }), [0, 65535]);
});

test('without a state every state but bound is asked for, with one that one alone', (t) => {
  const masks = (filter: SocketFilter): number[] => {
    const { tcpStates, udpStates } = socketQuery(filter, options);
    return [tcpStates, udpStates];
  };
  t.deepEqual(masks({}), [0b1111_1111_1110, (1 << 1) | (1 << 7)]);
  t.deepEqual(masks({}), [ALL_STATES.tcp, ALL_STATES.udp]);
  t.deepEqual(masks({ state: 'listen' }), [1 << 10, 0]);
  t.deepEqual(masks({ state: 'established' }), [1 << 1, 1 << 1]);
  t.deepEqual(masks({ state: ['bound', 'unconnected'] }), [1 << 13, 1 << 7]);
  t.deepEqual(masks({ state: 'listen', protocol: 'udp' }), [0, 0]);
});

test('listeners are asked for within what the filter wants', (t) => {
  const masks = (filter: SocketFilter): number[] => {
    const { tcpStates, udpStates } = socketQuery(filter, options, LISTENING_STATES);
    return [tcpStates, udpStates];
  };
  t.deepEqual(masks({}), [1 << 10, 1 << 7]);
  t.deepEqual(masks({ state: 'established' }), [0, 0]);
  t.deepEqual(masks({ protocol: 'udp' }), [0, 1 << 7]);
});

test('an address keeps its prefix and loses the bits behind it', (t) => {
  const query = socketQuery({ localAddress: '10.1.2.3/8', remoteAddress: '2001:db8::1' }, options);
  t.deepEqual([...query.localAddress!], [10, 0, 0, 0]);
  t.is(query.localPrefixLength, 8);
  t.is(query.remoteAddress!.length, 16);
  t.is(query.remotePrefixLength, 128);
});
