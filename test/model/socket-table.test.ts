import test from 'ava';
import type { Process } from '#earshot/model/socket.js';
import { RowFlag, type SocketTableData } from '#earshot/model/socket-columns.js';
import { SocketTable } from '#earshot/model/socket-table.js';

type Row = Partial<{
  protocol: number;
  family: number;
  state: number;
  flags: number;
  localPort: number;
  remotePort: number;
  localAddress: number[];
  remoteAddress: number[];
  boundInterface: number;
  inode: number;
  cookie: bigint;
  uid: number;
  receiveQueue: number;
  sendQueue: number;
  mark: number;
  cgroup: bigint;
  interfaceSet: number;
}>;

/** A table of rows; what a row does not say is 0. */
function tableOf(rows: Row[]): SocketTableData {
  const numbers = (name: keyof Row): number[] => rows.map((row) => Number(row[name] ?? 0));
  const addresses = (name: 'localAddress' | 'remoteAddress'): Uint8Array =>
    Uint8Array.from(
      rows.flatMap((row) => [...(row[name] ?? []), ...new Array(16).fill(0)].slice(0, 16)),
    );
  return {
    columns: {
      length: rows.length,
      protocol: Uint8Array.from(numbers('protocol')),
      family: Uint8Array.from(numbers('family')),
      state: Uint8Array.from(numbers('state')),
      flags: Uint8Array.from(numbers('flags')),
      localPort: Uint16Array.from(numbers('localPort')),
      remotePort: Uint16Array.from(numbers('remotePort')),
      localAddress: addresses('localAddress'),
      remoteAddress: addresses('remoteAddress'),
      boundInterface: Uint32Array.from(numbers('boundInterface')),
      inode: Uint32Array.from(numbers('inode')),
      cookie: BigUint64Array.from(rows.map((row) => row.cookie ?? 0n)),
      uid: Uint32Array.from(numbers('uid')),
      receiveQueue: Uint32Array.from(numbers('receiveQueue')),
      sendQueue: Uint32Array.from(numbers('sendQueue')),
      mark: Uint32Array.from(numbers('mark')),
      cgroup: BigUint64Array.from(rows.map((row) => row.cgroup ?? 0n)),
      interfaceSet: Uint32Array.from(numbers('interfaceSet')),
    },
    interfaceSets: [['lo', 'eth0'], ['eth0']],
    interfaceNames: [
      [1, 'lo'],
      [2, 'eth0'],
    ],
    cgroups: [[5n, '/system.slice/web.service']],
  };
}

const recordOf = (row: Row) => new SocketTable(tableOf([row])).at(0);
const LISTENER = {
  protocol: 6,
  family: 4,
  state: 10,
  localPort: 80,
  receiveQueue: 3,
  sendQueue: 128,
};

test('the queues of a TCP listener are its accept queue and the limit of that', (t) => {
  t.like(recordOf(LISTENER), {
    state: 'listen',
    remote: null,
    receiveQueue: 0,
    sendQueue: 0,
    backlog: { length: 3, limit: 128 },
  });
});

test('/proc/net does not tell the limit of an accept queue, so there is no backlog', (t) => {
  t.like(recordOf({ ...LISTENER, flags: RowFlag.procfs }), {
    source: 'procfs',
    receiveQueue: 0,
    backlog: null,
  });
});

test('the queues of any other socket are bytes', (t) => {
  const row = { ...LISTENER, state: 1, remotePort: 9, remoteAddress: [10, 0, 0, 1] };
  t.like(recordOf(row), {
    state: 'established',
    receiveQueue: 3,
    sendQueue: 128,
    backlog: null,
    remote: { address: '10.0.0.1', port: 9 },
  });
});

test('what is not told is null, what is told as zero is zero', (t) => {
  t.like(recordOf({ protocol: 17, family: 6, state: 7 }), {
    state: 'unconnected',
    remote: null,
    v6only: null,
    mark: null,
    cookie: null,
    cgroup: null,
    transparent: null,
    boundInterface: null,
    source: 'netlink',
  });
  const flags = RowFlag.v6onlyKnown | RowFlag.markKnown | RowFlag.transparentKnown;
  t.like(recordOf({ protocol: 17, family: 6, state: 7, flags }), {
    v6only: false,
    mark: 0,
    transparent: false,
  });
  const set = flags | RowFlag.v6only | RowFlag.transparent;
  t.like(recordOf({ protocol: 17, family: 6, state: 7, flags: set, mark: 0xffffffff }), {
    v6only: true,
    mark: 0xffffffff,
    transparent: true,
  });
  t.is(recordOf({ protocol: 17, family: 4, state: 7, flags: set }).v6only, null);
});

test('a cookie is 16 hexadecimal digits, a cgroup its path', (t) => {
  t.like(recordOf({ ...LISTENER, cookie: 0xabcn, cgroup: 5n }), {
    cookie: '0000000000000abc',
    cgroup: '/system.slice/web.service',
  });
  t.is(recordOf({ ...LISTENER, cookie: 0xffff_ffff_ffff_ffffn }).cookie, 'ffffffffffffffff');
  t.is(recordOf({ ...LISTENER, cgroup: 6n }).cgroup, null);
});

test('a device that went away is named by its index', (t) => {
  t.is(recordOf({ ...LISTENER, boundInterface: 2 }).boundInterface, 'eth0');
  t.is(recordOf({ ...LISTENER, boundInterface: 9 }).boundInterface, 'if9');
});

test('rows share the lists of interfaces, and nobody can change them', (t) => {
  const table = new SocketTable(tableOf([LISTENER, LISTENER, { ...LISTENER, interfaceSet: 1 }]));
  t.is(table.at(0).interfaces, table.at(1).interfaces);
  t.deepEqual(
    Array.from(table, ({ interfaces }) => interfaces),
    [['lo', 'eth0'], ['lo', 'eth0'], ['eth0']],
  );
  t.throws(() => table.at(0).interfaces.push('x'), { instanceOf: TypeError });
});

test('owners are joined by inode; nobody is an empty list, not asked is none', (t) => {
  const owner: Process = { pid: 7, fd: 3, name: 'web', command: ['web'], uid: 0 };
  const data = tableOf([
    { ...LISTENER, inode: 11 },
    { ...LISTENER, inode: 12 },
  ]);
  const table = new SocketTable(data, new Map([[11, [owner]]]));
  t.deepEqual(
    Array.from(table, ({ owners }) => owners),
    [[owner], []],
  );
  t.false('owners' in new SocketTable(data).at(0));
});

test('all records at once are those asked for one by one', (t) => {
  const mapped = [...new Array(10).fill(0), 255, 255, 192, 0, 2, 1];
  const one: Row = { protocol: 6, family: 6, localAddress: mapped, cookie: 0xfedcba9876543210n };
  const data = tableOf([LISTENER, one, { ...one, cookie: 5n, cgroup: 5n }, { cgroup: 6n }, one]);
  const table = new SocketTable(data);
  const records = table.toArray();
  t.deepEqual(records, Array.from(new SocketTable(data)));
  t.deepEqual(records, [4, 3, 2, 1, 0].map((row) => table.at(row)).reverse());
  t.deepEqual(
    records.map(({ cookie }) => cookie),
    [null, 'fedcba9876543210', '0000000000000005', null, 'fedcba9876543210'],
  );
  t.deepEqual(
    records.map(({ cgroup }) => cgroup),
    [null, null, '/system.slice/web.service', null, null],
  );
});

test('rows are chosen and sorted by column, without a record being made', (t) => {
  const table = new SocketTable(
    tableOf([
      { localPort: 443, localAddress: [10, 0, 0, 2], cookie: 3n },
      { localPort: 80, localAddress: [10, 0, 0, 10], cookie: 2n ** 60n },
      { localPort: 443, localAddress: [9, 255, 0, 0], cookie: 1n },
    ]),
  );
  const { localPort } = table.columns;
  t.deepEqual([...table.rowsBy('localPort')], [1, 0, 2]);
  t.deepEqual([...table.rowsBy('cookie')], [2, 0, 1]);
  t.deepEqual([...table.rowsBy('localAddress')], [2, 0, 1]);
  const secure = table.rowsWhere((row) => localPort[row] === 443);
  t.deepEqual([...secure], [0, 2]);
  t.deepEqual([...table.rowsBy('localAddress', secure)], [2, 0]);
  t.deepEqual([...secure], [0, 2], 'what was given is left as it is');
  t.deepEqual([...new SocketTable(tableOf([])).rowsBy('localAddress')], []);
  t.throws(() => table.rowsBy('port' as 'uid'), {
    code: 'ERR_INVALID_ARGUMENT',
    message: /column is 'port': there are .*localPort/,
  });
});

test('a row that is not there is refused, and the message says how many there are', (t) => {
  const table = new SocketTable(tableOf([LISTENER]));
  for (const row of [-1, 1, 0.5, Number.NaN]) {
    t.throws(() => table.at(row), {
      code: 'ERR_INVALID_ARGUMENT',
      message: /not in this table of 1 sockets/,
    });
  }
});

test('the columns are the arrays themselves, without the length', (t) => {
  const data = tableOf([LISTENER]);
  const table = new SocketTable(data);
  t.is(table.columns.localPort, data.columns.localPort);
  t.false('length' in table.columns);
  t.is(table.length, 1);
});

test('an IPv6 address is canonical text', (t) => {
  const mapped = [...new Array(10).fill(0), 255, 255, 192, 0, 2, 1];
  t.is(
    recordOf({ protocol: 6, family: 6, state: 10, localAddress: mapped }).local.address,
    '::ffff:192.0.2.1',
  );
  t.is(recordOf({ protocol: 6, family: 6, state: 10 }).local.address, '::');
});
