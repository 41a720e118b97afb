import test from 'ava';
import { native, RowFlag } from '#earshot/native.js';

const heading =
  '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode';
const columns = [
  '   0:',
  '3500007F:0035',
  '0200000A:D903',
  '01',
  '00000010:00000003',
  '01:00000017',
  '00000000',
  ' 1000',
  '       0',
  '4711',
  '1 0000000000000000 20 4 31 10 -1',
];

const encode = (text: string) => new TextEncoder().encode(text);
const table = (...lines: string[]) => encode(`${[heading, ...lines].join('\n')}\n`);
const decode = (text: Uint8Array, family = 4, littleEndian = true, protocol = 6) =>
  native.decodeProcSockets(text, protocol, family, littleEndian);

test('a line of /proc/net/tcp, column by column', (t) => {
  const rows = decode(table(columns.join(' ')));
  t.is(rows.length, 1);
  t.deepEqual([...rows.localAddress.subarray(0, 4)], [127, 0, 0, 53]);
  t.deepEqual([...rows.remoteAddress.subarray(0, 4)], [10, 0, 0, 2]);
  t.deepEqual(
    {
      localPort: rows.localPort[0],
      remotePort: rows.remotePort[0],
      state: rows.state[0],
      sendQueue: rows.sendQueue[0],
      receiveQueue: rows.receiveQueue[0],
      uid: rows.uid[0],
      inode: rows.inode[0],
      flags: rows.flags[0],
      protocol: rows.protocol[0],
      family: rows.family[0],
    },
    {
      localPort: 53,
      remotePort: 0xd903,
      state: 1,
      sendQueue: 16,
      receiveQueue: 3,
      uid: 1000,
      inode: 4711,
      flags: RowFlag.procfs,
      protocol: 6,
      family: 4,
    },
  );
});

test('an address is written in words of the host that wrote it: big-endian ones read as they are', (t) => {
  const line = ['0:', '7F000035:0035', '0A000002:D903', ...columns.slice(3)].join(' ');
  const rows = decode(table(line), 4, false);
  t.deepEqual([...rows.localAddress.subarray(0, 4)], [127, 0, 0, 53]);
  t.deepEqual([...rows.remoteAddress.subarray(0, 4)], [10, 0, 0, 2]);
});

test('the same IPv6 address as little-endian and as big-endian hosts write it', (t) => {
  const bytes = [0x20, 1, 0xd, 0xb8, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12];
  const little = 'B80D012004030201080706050C0B0A09';
  const big = '20010DB80102030405060708090A0B0C';
  for (const [text, littleEndian] of [
    [little, true],
    [big, false],
  ] as const) {
    const line = ['0:', `${text}:0035`, `${text}:0001`, ...columns.slice(3)].join(' ');
    const rows = decode(table(line), 6, littleEndian);
    t.deepEqual([...rows.localAddress], bytes);
    t.deepEqual([...rows.remoteAddress], bytes);
  }
});

test('a table of a heading alone is empty, and so is no text', (t) => {
  t.is(decode(table()).length, 0);
  t.is(decode(encode('')).length, 0);
});

test('a line may end in blanks, and the last without a newline', (t) => {
  t.is(decode(table(`${columns.join(' ')}            `)).length, 1);
  t.is(decode(encode(`${heading}\n${columns.join(' ')}`)).length, 1);
});

test('what the far end of an unfinished handshake shows is not its user', (t) => {
  const pending = [...columns];
  pending[3] = '03';
  pending[9] = '0';
  t.is(decode(table(pending.join(' '))).uid[0], 0);
  t.is(decode(table(pending.join(' ')), 4, true, 17).uid[0], 1000);
});

test('text without its heading is refused', (t) => {
  t.throws(() => decode(encode(`${columns.join(' ')}\n`)), {
    code: 'ERR_INVALID_ARGUMENT',
    message: /^line 1 of a tcp table is not its heading/,
  });
});

for (const [at, spoiled] of [
  [0, 'x:'],
  [0, '0'],
  [1, '3500007:0035'],
  [1, '3500007G:0035'],
  [1, '35000070035'],
  [1, '3500007F:10000'],
  [1, '-500007F:0035'],
  [1, '3500007F0000000000000000:0035'],
  [2, ''],
  [2, '0200000A:'],
  [3, '100'],
  [3, ''],
  [4, '00000010'],
  [4, '100000010:00000003'],
  [5, '01'],
  [7, '-1'],
  [7, '4294967296'],
  [9, '4711x'],
  [9, '4294967296'],
] as const) {
  test(`column ${at} as '${spoiled}' is an error that names the line`, (t) => {
    const bad = [...columns];
    bad[at] = spoiled;
    t.throws(() => decode(table(columns.join(' '), bad.join(' '))), {
      code: 'ERR_INVALID_ARGUMENT',
      message: /^line 3 of a tcp table is not of its form: '/,
    });
  });
}

test('a line cut short anywhere before the end of its inode is an error', (t) => {
  const line = columns.slice(0, 10).join(' ');
  for (let length = 0; length < line.length - '4711'.length + 1; length++) {
    t.throws(() => decode(encode(`${heading}\n${line.slice(0, length)}\n`)), {
      message: /^line 2 of/,
    });
  }
});
