import test from 'ava';
import { parseAddress } from '#earshot/model/address.js';
import type { NftExpression } from '#earshot/model/ruleset.js';
import { Connection } from '#earshot/reach/nftables/connection.js';
import { Peer, PeerWatch } from '#earshot/reach/nftables/peer-watch.js';
import type { CompiledRule } from '#earshot/reach/nftables/ruleset.js';
import { evaluate, held, packet } from './support/run.js';

/* Each expression alone, on known registers and on registers of which not every bit is known. */

const cmp = (op: 'eq' | 'neq' | 'lt' | 'lte' | 'gt' | 'gte', data: string): NftExpression => ({
  kind: 'cmp',
  source: 0,
  op,
  data,
});

for (const [op, below, same, above] of [
  ['eq', 'break', 'continue', 'break'],
  ['neq', 'continue', 'break', 'continue'],
  ['lt', 'continue', 'break', 'break'],
  ['lte', 'continue', 'continue', 'break'],
  ['gt', 'break', 'break', 'continue'],
  ['gte', 'break', 'continue', 'continue'],
] as const) {
  test(`cmp ${op} compares bytes, the first the most significant`, (t) => {
    for (const [registers, expected] of [
      ['0050', below],
      ['0051', same],
      ['0100', above],
    ] as const) {
      t.is(evaluate(cmp(op, '0051'), { registers }).result, expected, registers);
    }
  });
}

test('cmp of bytes that are not known may come out either way, unless the known ones decide', (t) => {
  t.is(evaluate(cmp('eq', '0051'), { registers: '00??' }).result, 'may');
  t.is(evaluate(cmp('eq', '0151'), { registers: '00??' }).result, 'break');
  t.is(evaluate(cmp('lt', '0100'), { registers: '00??' }).result, 'continue');
  t.is(evaluate(cmp('gt', '0100'), { registers: '00??' }).result, 'break');
  t.is(evaluate(cmp('lte', '00ff'), { registers: '00??' }).result, 'continue');
  t.is(evaluate(cmp('lt', '0000'), { registers: '00??' }).result, 'break');
});

test('range holds both its ends', (t) => {
  const range = (op: 'eq' | 'neq', registers: string) =>
    evaluate({ kind: 'range', source: 0, op, from: '0010', to: '0020' }, { registers }).result;
  t.deepEqual(
    ['000f', '0010', '0018', '0020', '0021'].map((value) => range('eq', value)),
    ['break', 'continue', 'continue', 'continue', 'break'],
  );
  t.deepEqual(
    ['000f', '0010', '0021'].map((value) => range('neq', value)),
    ['continue', 'break', 'continue'],
  );
  t.is(range('eq', '00??'), 'may');
  t.is(range('eq', '01??'), 'break');
  t.is(range('neq', '01??'), 'continue');
});

const bitwise = (changes: Partial<Extract<NftExpression, { kind: 'bitwise' }>>): NftExpression => ({
  kind: 'bitwise',
  source: 0,
  source2: null,
  destination: 4,
  length: 4,
  op: 'mask-xor',
  mask: null,
  xor: null,
  data: null,
  ...changes,
});

test('bitwise masks and flips, and a bit that is masked away is known to be zero', (t) => {
  const masks = bitwise({ mask: 'ff00ff00', xor: '000000ff' });
  t.is(held(evaluate(masks, { registers: '12345678' }), 4), '120056ff');
  t.is(held(evaluate(masks, { registers: '12??5678' }), 4), '120056ff');
  t.is(held(evaluate(masks, { registers: '??345678' }), 4), '??0056ff');
});

test('bitwise shifts words of the host order, and carries from word to word', (t) => {
  const left = bitwise({ op: 'lshift', data: '04000000' });
  t.is(held(evaluate(left, { registers: '120000f0' }), 4), '20010000');
  const right = bitwise({ op: 'rshift', data: '04000000' });
  t.is(held(evaluate(right, { registers: '120000f0' }), 4), '0100000f');
  const wide = bitwise({ op: 'lshift', data: '08000000', length: 8 });
  t.is(held(evaluate(wide, { registers: '0000000044332211' }), 4, 8), '1100000000443322');
  const none = bitwise({ op: 'rshift', data: '00000000' });
  t.is(held(evaluate(none, { registers: '12345678' }), 4), '12345678');
  t.is(evaluate(bitwise({ op: 'lshift', data: '20000000' })).result, 'unknown');
});

test('bitwise joins two registers, and what decides alone is known', (t) => {
  const registers = '0ff0??000f0f0f??';
  const of = (op: 'and' | 'or' | 'xor') =>
    held(evaluate(bitwise({ op, source2: 1 }), { registers }), 4);
  t.is(of('and'), '0f00??00');
  t.is(of('or'), '0fff????');
  t.is(of('xor'), '00ff????');
});

test('byteorder turns each number round', (t) => {
  const turn = (size: number, registers: string) =>
    held(
      evaluate(
        {
          kind: 'byteorder',
          source: 0,
          destination: 4,
          op: 'hton',
          length: registers.length / 2,
          size,
        },
        { registers },
      ),
      4,
      registers.length / 2,
    );
  t.is(turn(2, '12345678'), '34127856');
  t.is(turn(4, '12345678'), '78563412');
  t.is(turn(8, '0102030405060708'), '0807060504030201');
  t.is(turn(2, '12??'), '??12');
});

const payload = (
  base: 'link' | 'network' | 'transport' | 'inner' | 'tunnel',
  offset: number,
  length: number,
): NftExpression => ({ kind: 'payload', destination: 4, base, offset, length });

test('payload loads from the network and the transport header', (t) => {
  t.is(held(evaluate(payload('network', 12, 4)), 4), 'c0a80114');
  t.is(held(evaluate(payload('network', 9, 1)), 4), '06000000');
  t.is(held(evaluate(payload('transport', 2, 2)), 4), '00500000');
  t.is(
    held(evaluate(payload('network', 24, 16), { frame: packet('udp', true) }), 4, 16),
    '20010db8000100000000000000000010',
  );
});

test('payload: what the sender is free to choose is not known', (t) => {
  t.is(held(evaluate(payload('transport', 4, 4)), 4), '????????');
  t.is(held(evaluate(payload('network', 8, 1)), 4), '??000000');
});

test('payload behind the end of the packet ends the rule; behind a datagram of unknown length it may', (t) => {
  t.is(evaluate(payload('transport', 40, 2)).result, 'break');
  t.is(evaluate(payload('inner', 0, 4)).result, 'break');
  t.is(evaluate(payload('transport', 8, 2), { frame: packet('udp') }).result, 'may');
  t.is(evaluate(payload('tunnel', 0, 2)).result, 'unknown');
  t.is(evaluate(payload('link', 0, 6)).result, 'break');
});

test('payload notes which bytes are of the address of the peer that is watched', (t) => {
  const held = (offset: number, length: number) => {
    const peer = new PeerWatch<CompiledRule>(new Peer(parseAddress('192.168.1.20')!));
    const { registers } = evaluate(payload('network', offset, length), { peer });
    return [...registers.peerByte.subarray(16, 24)];
  };
  t.deepEqual(held(12, 4), [1, 2, 3, 4, 0, 0, 0, 0]);
  t.deepEqual(held(14, 4), [3, 4, 0, 0, 0, 0, 0, 0]);
  t.deepEqual(held(12, 8), [1, 2, 3, 4, 0, 0, 0, 0]);
  t.deepEqual(held(16, 4), [0, 0, 0, 0, 0, 0, 0, 0]);
});

test('payload-set changes what may be changed, and does not follow what sends a packet elsewhere', (t) => {
  const set = (offset: number, length: number): NftExpression => ({
    kind: 'payload-set',
    source: 0,
    base: 'network',
    offset,
    length,
    checksumType: 1,
    checksumOffset: 10,
    checksumFlags: 0,
  });
  const { result, frame } = evaluate(set(8, 1), { registers: '40' });
  t.is(result, 'continue');
  t.deepEqual([frame.bytes[8], frame.unknown[8]], [0x40, 0]);
  for (const [offset, length] of [
    [16, 4],
    [22, 2],
    [9, 1],
    [33, 1],
  ] as const) {
    t.is(evaluate(set(offset, length)).result, 'unknown', `${offset}`);
  }
});

const exthdr = (
  type: number,
  changes: Partial<Extract<NftExpression, { kind: 'exthdr' }>> = {},
): NftExpression => ({
  kind: 'exthdr',
  destination: 4,
  protocol: 'tcpopt',
  type,
  offset: 2,
  length: 2,
  flags: 0,
  ...changes,
});

test('exthdr finds the TCP options of a Linux SYN', (t) => {
  t.is(held(evaluate(exthdr(2)), 4), '05b40000');
  t.is(held(evaluate(exthdr(3, { length: 1 })), 4), '??000000');
  t.is(held(evaluate(exthdr(8, { offset: 1, length: 1 })), 4), '0a000000');
  t.is(evaluate(exthdr(19)).result, 'break');
  t.is(held(evaluate(exthdr(4, { flags: 1 })), 4), '01000000');
  t.is(held(evaluate(exthdr(19, { flags: 1 })), 4), '00000000');
  t.is(evaluate(exthdr(2), { frame: packet('udp') }).result, 'break');
  t.is(held(evaluate(exthdr(2), { frame: packet('syn', true) }), 4), '05a00000');
});

test('exthdr: our packets have no extension headers and no IP options', (t) => {
  const fragment = exthdr(44, { protocol: 'ipv6', flags: 1 });
  t.is(held(evaluate(fragment, { frame: packet('syn', true) }), 4), '00000000');
  t.is(evaluate(fragment).result, 'break');
  t.is(evaluate(exthdr(1, { protocol: 'sctp' })).result, 'break');
});

const meta = (key: number): NftExpression => ({ kind: 'meta', destination: 4, key });

test('meta knows lengths, protocols, interfaces and groups', (t) => {
  const name = Buffer.from('eth0').toString('hex').padEnd(32, '0');
  t.is(held(evaluate(meta(0)), 4), '3c000000');
  t.is(held(evaluate(meta(0), { frame: packet('udp') }), 4), '????????');
  t.is(held(evaluate(meta(1)), 4), '08000000');
  t.is(held(evaluate(meta(1), { frame: packet('syn', true) }), 4), '86dd0000');
  t.is(held(evaluate(meta(6)), 4, 16), name);
  t.is(held(evaluate(meta(7)), 4, 16), ''.padEnd(32, '0'));
  t.is(held(evaluate(meta(5)), 4), '00000000');
  t.is(held(evaluate(meta(8)), 4), '01000000');
  t.is(evaluate(meta(9)).result, 'break');
  t.is(evaluate(meta(22)).result, 'break');
  t.is(held(evaluate(meta(15)), 4), '02000000');
  t.is(held(evaluate(meta(16)), 4), '06000000');
});

test('meta: marks are set and read, users are known of own sockets alone', (t) => {
  const frame = packet();
  t.is(
    evaluate({ kind: 'meta-set', source: 0, key: 3 }, { frame, registers: '12000000' }).result,
    'continue',
  );
  t.is(held(evaluate(meta(3), { frame }), 4), '12000000');
  evaluate({ kind: 'meta-set', source: 0, key: 3 }, { frame, registers: '????????' });
  t.is(held(evaluate(meta(3), { frame }), 4), '????????');
  t.is(evaluate(meta(10)).result, 'break');
  const own = packet();
  own.owner = 1000;
  t.is(held(evaluate(meta(10), { frame: own }), 4), 'e8030000');
  own.owner = 'unknown';
  t.is(held(evaluate(meta(10), { frame: own }), 4), '????????');
});

test('meta: time, randomness and what no packet of ours has are not known; a new key is not guessed at', (t) => {
  for (const key of [20, 23, 24, 32]) t.is(held(evaluate(meta(key)), 4), '????????', `${key}`);
  t.is(evaluate(meta(99)).result, 'unknown');
  t.is(evaluate({ kind: 'meta-set', source: 0, key: 99 }).result, 'unknown');
});

const ct = (key: number, direction: 'original' | 'reply' | null = null): NftExpression => ({
  kind: 'ct',
  destination: 4,
  key,
  direction,
});

test('ct: before conntrack a packet is invalid, and nothing else is known of it', (t) => {
  t.is(held(evaluate(ct(0)), 4), '01000000');
  t.is(evaluate(ct(2)).result, 'break');
  const frame = packet();
  frame.tracking = 'untracked';
  t.is(held(evaluate(ct(0), { frame }), 4), '40000000');
  t.is(evaluate(ct(3), { frame }).result, 'break');
});

test('ct: state, direction, status, mark, tuples', (t) => {
  const frame = packet();
  const connection = Connection.of(frame.tuple, 6, 7);
  connection.status = 10;
  frame.tracking = { connection, state: 'established', direction: 'reply' };
  t.is(held(evaluate(ct(0), { frame }), 4), '02000000');
  t.is(held(evaluate(ct(1), { frame }), 4), '01000000');
  t.is(held(evaluate(ct(2), { frame }), 4), '0a000000');
  t.is(held(evaluate(ct(17), { frame }), 4), '07000000');
  t.is(held(evaluate(ct(8, 'original'), { frame }), 4), 'c0a80114');
  t.is(held(evaluate(ct(8, 'reply'), { frame }), 4), 'c0a8010a');
  t.is(held(evaluate(ct(12, 'original'), { frame }), 4), '00500000');
  t.is(evaluate(ct(21, 'original'), { frame }).result, 'break');
  evaluate(
    { kind: 'ct-set', source: 0, key: 3, direction: null },
    { frame, registers: '05000000' },
  );
  t.is(held(evaluate(ct(3), { frame }), 4), '05000000');
  const unknown = evaluate(
    { kind: 'ct-set', source: 0, key: 3, direction: null },
    { frame, registers: '????????' },
  );
  t.is(unknown.result, 'unknown');
});

test('notrack leaves alone what conntrack has seen', (t) => {
  t.is(evaluate({ kind: 'notrack' }).frame.tracking, 'untracked');
  const frame = packet();
  frame.tracking = {
    connection: Connection.of(frame.tuple, 6, 0),
    state: 'new',
    direction: 'original',
  };
  t.not(evaluate({ kind: 'notrack' }, { frame }).frame.tracking, 'untracked');
});

const reject = (type: 'icmp' | 'icmpx' | 'tcp-reset', code = 0): NftExpression => ({
  kind: 'reject',
  type,
  code,
});

test('reject drops, and says how the sender is told', (t) => {
  t.like(evaluate(reject('icmp', 13)), {
    verdict: { code: 'drop' },
    refusal: { with: 'icmp', code: 13 },
  });
  t.like(evaluate(reject('icmpx', 1)), { refusal: { code: 3 } });
  t.like(evaluate(reject('icmpx', 1), { frame: packet('syn', true) }), { refusal: { code: 4 } });
  t.like(evaluate(reject('tcp-reset')), { refusal: { with: 'tcp-reset' } });
  t.is(evaluate(reject('tcp-reset'), { frame: packet('udp') }).refusal, null);
  t.is(evaluate(reject('tcp-reset'), { frame: packet('reset') }).refusal, null);
  t.is(evaluate(reject('icmpx', 9)).result, 'unknown');
});

test('what depends on rates, amounts or a program may match', (t) => {
  const may: NftExpression[] = [
    { kind: 'limit', rate: 1, unitSeconds: 1, burst: 5, bytes: false, invert: false },
    { kind: 'quota', bytes: 1, consumed: 0, invert: false },
    { kind: 'connlimit', count: 1, invert: false },
    { kind: 'match', name: 'statistic', revision: 0, info: '' },
    { kind: 'socket', destination: 4, key: 0, level: 0 },
  ];
  for (const expression of may) t.is(evaluate(expression).result, 'may', expression.kind);
  const queue: NftExpression = { kind: 'queue', number: 0, total: 1, flags: 0, source: null };
  t.is(evaluate(queue, { choice: 0 }).verdict.code, 'accept');
  t.is(evaluate(queue, { choice: 1 }).verdict.code, 'drop');
});

test('what nobody here can read is unknown, never passed', (t) => {
  const unknown: NftExpression[] = [
    { kind: 'unknown', name: 'novelty', data: '01' },
    { kind: 'target', name: 'LED', revision: 0, info: '' },
    { kind: 'synproxy' },
    { kind: 'tproxy', family: 'ipv4', address: null, port: 0 },
    { kind: 'lookup', set: 'gone', source: 0, destination: null, invert: false },
    { kind: 'objref', objectType: 1, name: 'gone' },
  ];
  for (const expression of unknown) t.is(evaluate(expression).result, 'unknown', expression.kind);
});

test('registers that do not exist, in a spoiled capture, are not touched', (t) => {
  const spoiled: NftExpression[] = [
    { kind: 'cmp', source: 15, op: 'eq', data: '0000000000' },
    { kind: 'payload', destination: 15, base: 'network', offset: 0, length: 8 },
    { kind: 'immediate', destination: 14, data: { value: '00'.repeat(16) } },
    { kind: 'range', source: 15, op: 'eq', from: '00'.repeat(16), to: '00'.repeat(16) },
  ];
  for (const expression of spoiled) t.is(evaluate(expression).result, 'unknown', expression.kind);
});

test('immediate loads a constant, or speaks', (t) => {
  t.is(
    held(evaluate({ kind: 'immediate', destination: 4, data: { value: '1234' } }), 4),
    '12340000',
  );
  const spoken = evaluate({
    kind: 'immediate',
    destination: 'verdict',
    data: { verdict: { code: 'jump', chain: 'x' } },
  });
  t.is(spoken.result, 'verdict');
  t.deepEqual(spoken.verdict, { code: 'jump', chain: 'x' });
});
