import { readFileSync } from 'node:fs';
import test from 'ava';
import { addressFromBytes, formatAddress } from '#earshot/model/address.js';
import { native, RowFlag } from '#earshot/native.js';
import { randomFrom } from './support.js';

interface Expected {
  protocol: number;
  family: number;
  state: number;
  local: [string, number];
  remote: [string, number];
  inode: number;
  bound: number;
  mark: number;
  v6only: boolean | null;
  transparent: boolean | null;
  sendQueue: number;
  receiveQueue: number;
}

const fixtures = new URL('../../../test/fixtures/sock_diag/', import.meta.url);
const expected: Expected[] = JSON.parse(readFileSync(new URL('rows.json', fixtures), 'utf8'));
const tables = [
  { name: 'tcp4.bin', protocol: 6, family: 4 },
  { name: 'tcp6.bin', protocol: 6, family: 6 },
  { name: 'udp4.bin', protocol: 17, family: 4 },
  { name: 'udp6.bin', protocol: 17, family: 6 },
].map((table) => ({
  ...table,
  bytes: new Uint8Array(readFileSync(new URL(table.name, fixtures))),
}));

const timeWait = 6;

function decoded(bytes: Uint8Array, protocol: number): Expected[] {
  const columns = native.decodeSockets(bytes, protocol);
  return Array.from({ length: columns.length }, (_, row) => {
    const family = columns.family[row] === 4 ? 'ipv4' : 'ipv6';
    const address = (bytes: Uint8Array) => formatAddress(addressFromBytes(bytes, 16 * row, family));
    const flags = columns.flags[row]!;
    return {
      protocol: columns.protocol[row]!,
      family: columns.family[row]!,
      state: columns.state[row]!,
      local: [address(columns.localAddress), columns.localPort[row]!],
      remote: [address(columns.remoteAddress), columns.remotePort[row]!],
      inode: columns.inode[row]!,
      bound: columns.boundInterface[row]!,
      mark: columns.mark[row]!,
      v6only: flags & RowFlag.v6onlyKnown ? (flags & RowFlag.v6only) !== 0 : null,
      transparent: flags & RowFlag.transparentKnown ? (flags & RowFlag.transparent) !== 0 : null,
      sendQueue: columns.sendQueue[row]!,
      receiveQueue: columns.receiveQueue[row]!,
    };
  });
}

const byPorts = (one: Expected, other: Expected) =>
  one.local[1] - other.local[1] || one.remote[1] - other.remote[1];

for (const { name, protocol, family, bytes } of tables) {
  test(`${name}: a recorded dump decodes to the sockets that were opened`, (t) => {
    const opened = expected.filter((row) => row.protocol === protocol && row.family === family);
    t.true(opened.length > 0);
    t.deepEqual(decoded(bytes, protocol).sort(byPorts), opened.sort(byPorts));
  });

  test(`${name}: every socket has a cookie of its own, and all but TIME-WAIT a known mark`, (t) => {
    const { cookie, flags, state, length } = native.decodeSockets(bytes, protocol);
    t.is(new Set(cookie).size, length);
    t.false(cookie.includes(0n));
    for (let row = 0; row < length; row++) {
      t.true((flags[row]! & RowFlag.markKnown) !== 0 || state[row] === timeWait);
      t.is(flags[row]! & RowFlag.procfs, 0);
    }
  });

  test(`${name}: cut short anywhere but between messages, it is refused`, (t) => {
    const whole = decoded(bytes, protocol);
    const boundaries = messageStarts(bytes);
    for (let length = 0; length < bytes.length; length++) {
      const cut = bytes.slice(0, length);
      const rows = boundaries.indexOf(length);
      if (rows >= 0) {
        t.deepEqual(decoded(cut, protocol), whole.slice(0, rows));
      } else {
        t.throws(() => native.decodeSockets(cut, protocol), {
          code: 'ERR_INVALID_ARGUMENT',
          message: /^the message at byte \d+ of \d+ is (longer|shorter) than/,
        });
      }
    }
  });

  test(`${name}: any bit flipped, any byte 0 or 255, gives rows or a refusal`, (t) => {
    let refused = 0;
    for (let at = 0; at < bytes.length; at++) {
      const spoiled = bytes.slice();
      const flipped = [1, 2, 4, 8, 16, 32, 64, 128].map((bit) => bytes[at]! ^ bit);
      for (const value of [...flipped, 0, 255]) {
        spoiled[at] = value;
        refused += rowsOrRefusal(t, spoiled, protocol) ? 0 : 1;
      }
    }
    t.true(refused > 0);
  });
}

function messageStarts(bytes: Uint8Array): number[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const starts = [];
  for (let at = 0; at < bytes.length; at += (view.getUint32(at, true) + 3) & ~3) starts.push(at);
  return starts;
}

function rowsOrRefusal(
  t: { fail(message: string): void },
  bytes: Uint8Array,
  protocol: number,
): boolean {
  try {
    native.decodeSockets(bytes, protocol);
    return true;
  } catch (error) {
    const { code } = error as { code?: string };
    if (code !== 'ERR_INVALID_ARGUMENT')
      t.fail(`${error} for ${Buffer.from(bytes).toString('hex')}`);
    return false;
  }
}

test('random bytes and random cuts give rows or a refusal', (t) => {
  const seed = Number(process.env.SEED ?? Date.now() % 2 ** 31);
  t.log(`SEED=${seed}`);
  const random = randomFrom(seed);
  for (let round = 0; round < 5_000; round++) {
    const { bytes, protocol } = tables[random(tables.length)]!;
    const start = random(bytes.length / 4) * 4;
    const spoiled = bytes.slice(start, start + random(bytes.length - start));
    for (let change = random(8); change > 0 && spoiled.length > 0; change--) {
      spoiled[random(spoiled.length)] = random(256);
    }
    rowsOrRefusal(t, spoiled, protocol);
    rowsOrRefusal(
      t,
      Uint8Array.from({ length: random(200) }, () => random(256)),
      protocol,
    );
  }
  t.pass();
});

test('no bytes are no sockets', (t) => {
  t.is(native.decodeSockets(new Uint8Array(), 6).length, 0);
});

/** One message with a fixed part and attributes. */
function message(type: number, fixed: Uint8Array, attributes: number[] = []): Uint8Array {
  const bytes = new Uint8Array(16 + fixed.length + attributes.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, bytes.length, true);
  view.setUint16(4, type, true);
  bytes.set(fixed, 16);
  bytes.set(attributes, 16 + fixed.length);
  return bytes;
}

const fixedPart = tables[0]!.bytes.slice(16, 16 + 72);

for (const [name, bytes, reason] of [
  ['a length below the header', Uint8Array.of(15, 0, 0, 0, ...Array(12).fill(0)), /below that/],
  ['a header cut short', Uint8Array.of(16, 0, 0, 0), /shorter than a message header/],
  ['another type of message', message(3, fixedPart), /type 3 is none of sock_diag/],
  ['a fixed part cut short', message(20, fixedPart.slice(1)), /71 bytes is shorter/],
  ['another address family', message(20, Uint8Array.of(1, ...fixedPart.slice(1))), /family 1$/],
  ['an attribute without a header', message(20, fixedPart, [4, 0]), /shorter than an attribute/],
  ['an attribute of length 0', message(20, fixedPart, [0, 0, 11, 0]), /below that of its header/],
  ['an attribute past the end', message(20, fixedPart, [5, 0, 11, 0]), /longer than its message/],
  ['a mark of one byte', message(20, fixedPart, [5, 0, 15, 0, 1, 0, 0, 0]), /15 has only 1 bytes/],
  [
    'a TCP MD5 key of 99 bytes',
    message(20, fixedPart, [103, 0, 18, 0, ...Array(100).fill(0)]),
    /18 has only 99 bytes/,
  ],
] as const) {
  test(`${name} is refused and named`, (t) => {
    t.throws(() => native.decodeSockets(bytes, 6), {
      code: 'ERR_INVALID_ARGUMENT',
      message: reason,
    });
  });
}

test('an attribute of a kernel yet to come is passed over', (t) => {
  const bytes = message(20, fixedPart, [8, 0, 200, 0, 1, 2, 3, 4]);
  t.is(native.decodeSockets(bytes, 6).length, 1);
});

test('a value of another type is a TypeError, not a crash', (t) => {
  const bad = native as unknown as Record<string, (...values: unknown[]) => unknown>;
  t.throws(() => bad.decodeSockets!('text', 6), { instanceOf: TypeError });
  t.throws(() => bad.decodeSockets!(new Uint16Array(4), 6), { instanceOf: TypeError });
  t.throws(() => bad.decodeSockets!(new Uint8Array(4), '6'), { instanceOf: TypeError });
  t.throws(() => bad.readSocketsSync!(), { instanceOf: TypeError });
  t.throws(() => bad.readSocketsSync!({}), { instanceOf: TypeError });
  t.throws(() => bad.netlinkSync!({ protocol: 0, requests: 7 }), { instanceOf: TypeError });
  t.throws(() => bad.readFilesSync!({ paths: null }), { instanceOf: TypeError });
  t.throws(() => bad.ownersSync!({ inodes: [1], procRoot: '/proc' }), { instanceOf: TypeError });
});
