import { execFileSync } from 'node:child_process';
import { readFileSync, statSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { fileURLToPath } from 'node:url';
import ava, { type ExecutionContext } from 'ava';
import { native, RowFlag, type SocketColumns, type SocketQuery } from '#earshot/native.js';
import { missing, requires } from '../support/requirements.js';
import {
  addressToBytes,
  allColumns,
  commonColumns,
  type Host,
  host,
  parseAddress,
  query,
  randomFrom,
  rowText,
  rowTexts,
  shellHost,
} from './support.js';

const asRoot = requires('root', 'tool:ip', 'tool:python3');

/** A host in a namespace of its own with one socket of each kind, as the fixtures have. */
const sockets = fileURLToPath(
  new URL('../../../test/fixtures/sock_diag/sockets.py', import.meta.url),
);
let zoo: Host | undefined;
ava.before(async () => {
  if (missing('root') === null) zoo = await host('python3', sockets);
});
ava.after.always(() => zoo?.close());

const bytes = (address: string) => addressToBytes(parseAddress(address)!);
const sorted = (columns: SocketColumns, names: Parameters<typeof rowTexts>[1]) =>
  rowTexts(columns, names).sort();

async function listening(t: ExecutionContext, address: string): Promise<[Server, number]> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, address, resolve));
  t.teardown(() => server.close());
  const bound = server.address();
  if (bound === null || typeof bound === 'string') throw new Error('no port');
  return [server, bound.port];
}

ava('a listener of this process is told, with its inode and its interface', async (t) => {
  const [server, port] = await listening(t, '127.0.0.1');
  const localPorts = Uint16Array.of(port, port);
  const { columns, interfaceSets } = await native.readSockets(query({ localPorts }));
  t.is(columns.length, 1);
  t.is(columns.state[0], 10);
  const { fd } = (server as unknown as { _handle: { fd: number } })._handle;
  t.is(columns.inode[0], statSync(`/proc/self/fd/${fd}`).ino);
  t.deepEqual(interfaceSets[columns.interfaceSet[0]!], ['lo']);
  t.is(columns.uid[0], process.getuid!());
});

asRoot('reading at once and reading with a promise tell the same', async (t) => {
  const { netns } = zoo!;
  const now = native.readSocketsSync(query({ netns }));
  const later = await native.readSockets(query({ netns }));
  t.deepEqual(rowTexts(now.columns, allColumns), rowTexts(later.columns, allColumns));
  t.deepEqual(now.interfaceSets, later.interfaceSets);
});

asRoot('/proc/net agrees with netlink in every column that both have', (t) => {
  const { netns } = zoo!;
  // A socket that is bound and no more is in no table of /proc/net.
  const tcpStates = 0x1fff;
  const one = native.readSocketsSync(query({ netns, tcpStates }));
  const other = native.readSocketsSync(query({ netns, tcpStates, source: 'procfs' }));
  t.true(one.columns.length > 20);
  t.deepEqual(sorted(other.columns, commonColumns), sorted(one.columns, commonColumns));
});

asRoot('interfaces and their addresses are the same without netlink', (t) => {
  const { netns } = zoo!;
  const told = (source: 'netlink' | 'procfs') => {
    const { columns, interfaceSets, interfaceNames } = native.readSocketsSync(
      query({ netns, source, tcpStates: 0x1fff }),
    );
    const rows = Array.from({ length: columns.length }, (_, row) => {
      const bound = columns.localPort[row] === 1009; // a device, which /proc/net cannot tell
      const names = bound ? [] : interfaceSets[columns.interfaceSet[row]!];
      return `${rowText(columns, row, commonColumns)} ${names}`;
    });
    return { rows: rows.sort(), every: interfaceSets[0], interfaceNames };
  };
  t.deepEqual(told('procfs'), told('netlink'));
});

asRoot(
  'an interface, an address or a name that changed between two reads is seen by the next',
  (t) => {
    // In a process of its own, for it changes the network that it is in.
    const script = `
    import { execFileSync } from 'node:child_process';
    import { createServer } from 'node:net';
    import { native } from '${import.meta.resolve('#earshot/native.js')}';
    const ip = (...words) => execFileSync('ip', words);
    const query = { tcpStates: 1024, udpStates: 0, families: 3, localPorts: new Uint16Array(),
      remotePorts: new Uint16Array(), localAddress: null, localPrefixLength: 0, remoteAddress: null,
      remotePrefixLength: 0, boundInterface: null, uid: null, mark: null, source: 'auto', netns: null };
    const seen = [];
    const look = () => {
      const { columns, interfaceSets } = native.readSocketsSync(query);
      seen.push(interfaceSets[columns.interfaceSet[0]]);
    };
    ip('link', 'set', 'lo', 'up');
    ip('link', 'add', 'one', 'type', 'veth', 'peer', 'name', 'far');
    ip('link', 'set', 'one', 'up');
    ip('address', 'add', '192.0.2.1/24', 'dev', 'one');
    const server = createServer().listen(0, '192.0.2.1', () => {
      look();
      ip('address', 'del', '192.0.2.1/24', 'dev', 'one');
      look();
      ip('address', 'add', '192.0.2.1/24', 'dev', 'lo');
      look();
      ip('address', 'add', '192.0.2.1/32', 'dev', 'one');
      ip('link', 'set', 'one', 'down');
      ip('link', 'set', 'one', 'name', 'two');
      look();
      ip('link', 'del', 'two');
      look();
      console.log(JSON.stringify(seen));
      server.close();
    });`;
    const output = execFileSync(
      'unshare',
      ['--net', process.execPath, '--input-type=module', '-e', script],
      { encoding: 'utf8' },
    );
    t.deepEqual(JSON.parse(output), [['one'], [], ['lo'], ['lo', 'two'], ['lo']]);
  },
);

asRoot('the interfaces of a socket are those that own its local address', (t) => {
  const { columns, interfaceSets } = native.readSocketsSync(query({ netns: zoo!.netns }));
  const on = (port: number) => {
    const row = columns.localPort.indexOf(port);
    t.true(row >= 0, `nobody on ${port}`);
    return interfaceSets[columns.interfaceSet[row]!];
  };
  const every = interfaceSets[0]!;
  t.deepEqual([...every].sort(), ['cable', 'lo', 'port']);
  t.deepEqual(on(1001), ['lo'], '127.0.0.1');
  t.deepEqual(on(1002), ['lo'], 'all of 127.0.0.0/8 is local');
  t.deepEqual(on(1003), ['port'], 'an address of one interface');
  t.is(on(1004), every, '0.0.0.0');
  t.is(on(1005), every, '::');
  t.deepEqual(on(1007), ['port'], 'an IPv6 address of one interface');
  t.deepEqual(on(1008), ['port'], 'an IPv4 address in its IPv6 form');
  t.deepEqual(on(1009), ['port'], 'bound to a device');
  t.deepEqual(on(1011), [], 'an address of nobody');
});

asRoot(
  'an address that two interfaces have is on both, unless the socket is bound to one',
  async (t) => {
    const pair = await shellHost(`
    ip link set lo up
    ip link add one type veth peer name two
    for name in one two; do
      ip address add 10.1.1.1/24 dev $name
      ip address add fe80::77/64 dev $name nodad
      ip link set $name up
    done
    exec python3 -c '
import socket, sys
plain = socket.create_server(("10.1.1.1", 1))
scope = socket.if_nametoindex("one")
scoped = socket.create_server(("fe80::77", 2, 0, scope), family=socket.AF_INET6)
print("ready", flush=True)
sys.stdin.read()'`);
    t.teardown(() => pair.close());
    const { columns, interfaceSets } = native.readSocketsSync(query({ netns: pair.netns }));
    const on = (port: number) =>
      interfaceSets[columns.interfaceSet[columns.localPort.indexOf(port)]!];
    t.deepEqual([...on(1)!].sort(), ['one', 'two']);
    t.deepEqual(on(2), ['one'], 'the scope of a link-local address is a device');
  },
);

asRoot('conditions given together all hold, on whatever socket, however they are mixed', (t) => {
  const seed = Number(process.env.SEED ?? Date.now() % 2 ** 31);
  t.log(`SEED=${seed}`);
  const random = randomFrom(seed);
  const pick = <Value>(values: readonly Value[]) => values[random(values.length)]!;
  const { netns } = zoo!;
  const prefixes = [
    ['127.0.0.0', 8],
    ['127.0.0.1', 32],
    ['10.9.0.1', 31],
    ['10.9.0.1', 32],
    ['10.9.0.1', 13],
    ['0.0.0.0', 0],
    ['::', 0],
    ['::', 96],
    ['::1', 128],
    ['fd09::1', 9],
    ['::ffff:10.9.0.1', 128],
    ['::ffff:0.0.0.0', 96],
    ['9.9.9.9', 32],
  ] as const;
  const ports = () =>
    Uint16Array.from(
      Array.from({ length: 1 + random(pick([2, 100])) }, () => {
        const from = pick([0, 1000 + random(20), 2000 + random(5), 65535]);
        return [from, Math.min(65535, from + random(4))];
      }).flat(),
    );
  let matched = 0;
  for (let round = 0; round < 200; round++) {
    const conditions: Partial<SocketQuery> = {};
    if (random(3) === 0) conditions.localPorts = ports();
    if (random(6) === 0) conditions.remotePorts = ports();
    if (random(3) === 0) {
      const [address, length] = pick(prefixes);
      conditions.localAddress = bytes(address);
      conditions.localPrefixLength = length;
    }
    if (random(6) === 0) {
      const [address, length] = pick(prefixes);
      conditions.remoteAddress = bytes(address);
      conditions.remotePrefixLength = length;
    }
    if (random(8) === 0) conditions.boundInterface = pick(['port', 'lo', 'nowhere']);
    if (random(8) === 0) conditions.mark = pick([0, 42, 7]);
    if (random(8) === 0) conditions.uid = pick([0, 1000]);
    if (random(4) === 0) conditions.tcpStates = random(0x4000);
    if (random(4) === 0) conditions.udpStates = pick([0, 1 << 1, 1 << 7, 0xffff]);
    if (random(4) === 0) conditions.families = 1 + random(3);
    // Read anew each time, for a socket in TIME-WAIT ends after a minute.
    const all = native.readSocketsSync(query({ netns }));
    const wanted = rowsThatMatch(all.columns, all.interfaceNames, conditions);
    const got = native.readSocketsSync(query({ netns, ...conditions }));
    matched += wanted.length;
    t.deepEqual(sorted(got.columns, distinguishing), wanted, JSON.stringify(conditions));
  }
  t.true(matched > 20);
});

const distinguishing = allColumns.filter((name) => name !== 'interfaceSet');

/** The conditions once more, spelled out. */
function rowsThatMatch(
  columns: SocketColumns,
  interfaceNames: [number, string][],
  conditions: Partial<SocketQuery>,
): string[] {
  const wanted = query(conditions);
  const inRanges = (ranges: Uint16Array, port: number) => {
    if (ranges.length === 0) return true;
    for (let at = 0; at < ranges.length; at += 2) {
      if (port >= ranges[at]! && port <= ranges[at + 1]!) return true;
    }
    return false;
  };
  const bits = (address: Iterable<number>) =>
    [...address].map((byte) => byte.toString(2).padStart(8, '0')).join('');
  const inPrefix = (prefix: Uint8Array | null, length: number, family: number, own: Uint8Array) => {
    if (prefix === null) return true;
    const front = bits(prefix).slice(0, length);
    if (prefix.length === (family === 4 ? 4 : 16)) return bits(own).startsWith(front);
    if (prefix.length === 16) return false;
    return bits(own).startsWith(`${'0'.repeat(80)}${'1'.repeat(16)}${front}`);
  };
  const rows = [];
  for (let row = 0; row < columns.length; row++) {
    const states = columns.protocol[row] === 6 ? wanted.tcpStates : wanted.udpStates;
    const family = columns.family[row]!;
    const device = interfaceNames.find(([index]) => index === columns.boundInterface[row])?.[1];
    const own = (addresses: Uint8Array) => addresses.slice(16 * row, 16 * row + 16);
    const { localAddress, localPrefixLength, remoteAddress, remotePrefixLength } = wanted;
    if (
      (states >> columns.state[row]!) & 1 &&
      (wanted.families & (family === 4 ? 1 : 2)) !== 0 &&
      inRanges(wanted.localPorts, columns.localPort[row]!) &&
      inRanges(wanted.remotePorts, columns.remotePort[row]!) &&
      inPrefix(localAddress, localPrefixLength, family, own(columns.localAddress)) &&
      inPrefix(remoteAddress, remotePrefixLength, family, own(columns.remoteAddress)) &&
      (wanted.boundInterface === null || wanted.boundInterface === device) &&
      (wanted.uid === null || wanted.uid === columns.uid[row]) &&
      (wanted.mark === null ||
        ((columns.flags[row]! & RowFlag.markKnown) !== 0 && wanted.mark === columns.mark[row]))
    ) {
      rows.push(rowText(columns, row, distinguishing));
    }
  }
  return rows.sort();
}

asRoot(
  'thousands of sockets come whole, through many datagrams and into an outside buffer',
  async (t) => {
    const count = 6000;
    const crowd = await host(
      'python3',
      '-c',
      `
import resource, socket, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (${2 * count}, ${2 * count}))
kept = []
for port in range(10001, 10001 + ${count}):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind(("0.0.0.0", port))
    kept.append(s)
print("ready", flush=True)
sys.stdin.read()`,
    );
    t.teardown(() => crowd.close());
    const { columns } = await native.readSockets(query({ netns: crowd.netns }));
    const ports = [...columns.localPort].sort((a, b) => a - b);
    t.deepEqual(
      ports,
      Array.from({ length: count }, (_, index) => 10001 + index),
    );
    t.is(columns.localPort.buffer, columns.cookie.buffer);
    t.is(new Set(columns.inode).size, count);
  },
);

asRoot('where IPv6 is switched off there are no IPv6 sockets, and that is no error', async (t) => {
  const old = await shellHost(`
    echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6
    ip link set lo up
    exec python3 -c '
import socket, sys
kept = socket.create_server(("127.0.0.1", 1))
print("ready", flush=True)
sys.stdin.read()'`);
  t.teardown(() => old.close());
  for (const source of ['auto', 'netlink', 'procfs'] as const) {
    const { columns } = native.readSocketsSync(query({ source, netns: old.netns }));
    t.deepEqual([...columns.family], [4], source);
  }
});

/** Forbids this process and its children netlink sockets, then becomes the given program. */
const withoutNetlink = `
import ctypes, os, platform, struct, sys
number = {"x86_64": 41, "aarch64": 198}[platform.machine()]
program = b"".join(struct.pack("HBBI", *op) for op in [
    (0x20, 0, 0, 0),            # the system call's number
    (0x15, 0, 3, number),       # socket?
    (0x20, 0, 0, 16),           # its first argument
    (0x15, 0, 1, 16),           # AF_NETLINK?
    (0x06, 0, 0, 0x00050001),   # EPERM
    (0x06, 0, 0, 0x7FFF0000),   # allowed
])
buffer = ctypes.create_string_buffer(program, len(program))
class Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_void_p)]
libc = ctypes.CDLL(None, use_errno=True)
assert libc.prctl(38, 1, 0, 0, 0) == 0
assert libc.prctl(22, 2, ctypes.byref(Program(6, ctypes.addressof(buffer)))) == 0
os.execvp(sys.argv[1], sys.argv[1:])`;

/** Runs a program over `native` and `query` in a child; its last value as JSON. */
function inChild(body: string, ...before: string[]): unknown {
  const code = `
    import { native } from ${JSON.stringify(new URL('../../../dist/native.js', import.meta.url).href)};
    import { query } from ${JSON.stringify(new URL('./support.js', import.meta.url).href)};
    const refusal = (read) => {
      try {
        return read();
      } catch ({ code, syscall, errno }) {
        return { code, syscall, errno };
      }
    };
    console.log(JSON.stringify((() => { ${body} })()));`;
  const command = [...before, process.execPath, '--input-type=module', '-e', code];
  return JSON.parse(execFileSync(command[0]!, command.slice(1), { encoding: 'utf8' }));
}

ava("without netlink 'auto' reads /proc/net and says so; 'netlink' is refused", async (t) => {
  const [, port] = await listening(t, '127.0.0.1');
  const body = `
    const wanted = query({ localPorts: Uint16Array.of(${port}, ${port}) });
    const { columns, interfaceSets } = native.readSocketsSync(wanted);
    return {
      flags: [...columns.flags],
      ports: [...columns.localPort],
      names: interfaceSets[columns.interfaceSet[0]],
      refused: refusal(() => native.readSocketsSync({ ...wanted, source: 'netlink' })),
    };`;
  t.deepEqual(inChild(body, 'python3', '-c', withoutNetlink), {
    flags: [RowFlag.procfs],
    ports: [port],
    names: ['lo'],
    refused: { code: 'ERR_PERMISSION', syscall: 'socket', errno: 1 },
  });
});

asRoot('an ordinary user sees every socket, but no mark, and few owners', (t) => {
  const { netns } = zoo!;
  const body = `
    native.readSocketsSync(query());
    process.setgroups([]);
    process.setgid(65534);
    process.setuid(65534);
    const { columns } = native.readSocketsSync(query());
    return {
      marksKnown: [...columns.flags].filter((flags) => flags & ${RowFlag.markKnown}).length,
      marked: native.readSocketsSync(query({ mark: 0 })).columns.length,
      denied: native.ownersSync({ inodes: null, procRoot: '/proc' }).denied > 0,
      elsewhere: refusal(() => native.readSocketsSync(query({ netns: '${netns}' }))),
      here: native.readSocketsSync(query({ netns: '/proc/self/ns/net' })).interfaceSets.length > 0,
    };`;
  t.deepEqual(inChild(body), {
    marksKnown: 0,
    marked: 0,
    denied: true,
    elsewhere: { code: 'ERR_NETNS', syscall: 'open', errno: 13 },
    here: true,
  });
});

asRoot('a namespace whose lo is down has no owner for 127.0.0.1', async (t) => {
  const bare = await shellHost('');
  t.teardown(() => bare.close());
  const { columns, interfaceSets } = native.readSocketsSync(query({ netns: bare.netns }));
  t.is(columns.length, 0);
  t.deepEqual(interfaceSets, [['lo']]);
});

ava('the cgroup of a socket is the one its opener is in', async (t) => {
  const [, port] = await listening(t, '127.0.0.1');
  const { columns, cgroups } = native.readSocketsSync(
    query({ localPorts: Uint16Array.of(port, port) }),
  );
  const own = readFileSync('/proc/self/cgroup', 'utf8').match(/^0::(.*)$/m)?.[1];
  const told = cgroups.find(([id]) => id === columns.cgroup[0])?.[1];
  const mounted = readFileSync('/proc/self/mountinfo', 'utf8').includes(' - cgroup2 ');
  t.is(told, mounted ? own : undefined);
});

ava('nothing asked for is nothing read', (t) => {
  t.is(native.readSocketsSync(query({ tcpStates: 0, udpStates: 0 })).columns.length, 0);
});
