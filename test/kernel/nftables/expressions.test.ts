import test from 'ava';
import { EarshotError } from '#earshot/errors.js';
import { Bytes } from '#earshot/kernel/netlink-message.js';
import { decodeExpression } from '#earshot/kernel/nftables/expression.js';
import { NFT_MSG } from '#earshot/kernel/nftables/messages.js';
import { decodeFlowtables, decodeObjects } from '#earshot/kernel/nftables/objects.js';
import type { NftExpression } from '#earshot/model/ruleset.js';
import { type Content, join, Wire } from '../support/wire.js';
import { ruleSetOf } from './support/recorded.js';

/* What no recording holds: expressions of other kernels, and bytes that are of no form. */

const wire = new Wire(true);
const be16 = (value: number): Uint8Array => Uint8Array.of(value >> 8, value);
const be32 = (value: number): Uint8Array =>
  Uint8Array.of(value >>> 24, value >>> 16, value >>> 8, value);
const be64 = (value: number): Uint8Array => join([be32(Math.floor(value / 2 ** 32)), be32(value)]);
const data = (...bytes: number[]): Content => [[1, Uint8Array.from(bytes)]];

type Nest = [number, Content][];

const named = (name: string, attributes: Nest): Nest => [
  [1, name],
  [2, attributes],
];

function decode(name: string, attributes: Nest): NftExpression {
  const bytes = join(named(name, attributes).map(([type, value]) => wire.attribute(type, value)));
  return decodeExpression(Bytes.of(bytes, 'nftables rules', true));
}

const REG_1 = be32(1);
const REG32_01 = be32(9);

test('the old and the new numbers of registers name the same space', (t) => {
  const at = (register: number) =>
    decode('cmp', [
      [1, be32(register)],
      [2, be32(0)],
      [3, data(1)],
    ]);
  t.like(at(1), { kind: 'cmp', source: 0 });
  t.like(at(4), { source: 12 });
  t.like(at(8), { source: 0 });
  t.like(at(23), { source: 15 });
  for (const none of [5, 7, 24, 0xffffffff]) {
    t.throws(() => at(none), { code: 'ERR_KERNEL', message: /NFTA_CMP_SREG is \d+, no register/ });
  }
  t.throws(() => at(0), { message: /NFTA_CMP_SREG is the verdict register/ });
});

test('queue, flow offload and last, which few kernels have', (t) => {
  t.deepEqual(
    decode('queue', [
      [1, be16(3)],
      [2, be16(4)],
      [3, be16(1)],
    ]),
    {
      kind: 'queue',
      number: 3,
      total: 4,
      flags: 1,
      source: null,
    },
  );
  t.deepEqual(
    decode('queue', [
      [3, be16(0)],
      [4, REG_1],
    ]),
    {
      kind: 'queue',
      number: 0,
      total: 1,
      flags: 0,
      source: 0,
    },
  );
  t.deepEqual(decode('flow_offload', [[1, 'fast']]), { kind: 'flow-offload', table: 'fast' });
  t.deepEqual(
    decode('last', [
      [1, be32(1)],
      [2, be64(5)],
    ]),
    { kind: 'last' },
  );
  t.like(
    decode('range', [
      [1, REG_1],
      [2, be32(0)],
      [3, data(1)],
      [4, data(9)],
    ]),
    {
      op: 'eq',
      from: '01',
      to: '09',
    },
  );
});

test('bitwise with two registers (Linux 6.13), and without an operation (before 5.6)', (t) => {
  const operands: Nest = [
    [1, REG_1],
    [2, REG32_01],
    [3, be32(4)],
  ];
  t.deepEqual(decode('bitwise', [...operands, [6, be32(4)], [8, be32(10)]]), {
    kind: 'bitwise',
    source: 0,
    source2: 2,
    destination: 1,
    length: 4,
    op: 'or',
    mask: null,
    xor: null,
    data: null,
  });
  t.like(decode('bitwise', [...operands, [4, data(0xff)], [5, data(0)]]), {
    op: 'mask-xor',
    mask: 'ff',
    xor: '00',
  });
});

test('a rule may add an element with several expressions', (t) => {
  const limit = named('limit', [
    [1, be64(5)],
    [2, be64(60)],
    [3, be32(2)],
    [4, be32(0)],
    [5, be32(1)],
  ]);
  const list: Nest = [
    [1, limit],
    [1, named('counter', [])],
  ];
  t.deepEqual(
    decode('dynset', [
      [1, 'met'],
      [3, be32(1)],
      [4, REG_1],
      [9, be32(2)],
      [10, list],
    ]),
    {
      kind: 'dynset',
      set: 'met',
      op: 'update',
      key: 0,
      data: null,
      timeout: 0,
      flags: 2,
      expressions: [
        { kind: 'limit', rate: 5, unitSeconds: 60, burst: 2, bytes: false, invert: true },
        { kind: 'counter' },
      ],
    },
  );
});

test('a number of 64 bits that a person chose is near enough', (t) => {
  const all = new Uint8Array(8).fill(0xff);
  t.like(
    decode('quota', [
      [1, all],
      [2, be32(3)],
      [4, be64(7)],
    ]),
    {
      bytes: 2 ** 64,
      consumed: 7,
      invert: true,
    },
  );
});

test('what only another kernel can have written is unknown, with its bytes', (t) => {
  const unknown = (name: string, attributes: Nest, why: string): void => {
    const expression = decode(name, attributes);
    t.is(expression.kind, 'unknown', why);
    t.like(expression, { name });
    const bytes = join(attributes.map(([type, value]) => wire.attribute(type, value)));
    t.is((expression as { data: string }).data, Buffer.from(bytes).toString('hex'));
  };
  unknown('teleport', [[1, be32(1)]], 'a name');
  unknown(
    'cmp',
    [
      [1, REG_1],
      [2, be32(6)],
      [3, data(1)],
    ],
    'an operation',
  );
  unknown(
    'cmp',
    [
      [1, REG_1],
      [2, be32(0)],
      [3, data(1)],
      [4, be32(1)],
    ],
    'an attribute',
  );
  unknown(
    'lookup',
    [
      [1, 's'],
      [2, REG_1],
      [5, be32(2)],
    ],
    'a flag',
  );
  unknown(
    'limit',
    [
      [1, be64(1)],
      [2, be64(1)],
      [5, be32(2)],
    ],
    'a flag of a limit',
  );
  unknown(
    'payload',
    [
      [1, REG_1],
      [2, be32(5)],
      [3, be32(0)],
      [4, be32(1)],
    ],
    'a header',
  );
  unknown(
    'nat',
    [
      [1, be32(0)],
      [2, be32(3)],
    ],
    'a family',
  );
  unknown(
    'ct',
    [
      [1, REG_1],
      [2, be32(8)],
      [3, Uint8Array.of(2)],
    ],
    'a direction',
  );
  unknown(
    'immediate',
    [
      [1, be32(0)],
      [2, [[2, [[1, be32(-9)]]]]],
    ],
    'a verdict',
  );
  unknown('reject', [[1, be32(3)]], 'a way to reject');
});

test('an attribute that is missing or of another size is named', (t) => {
  const refused = (name: string, attributes: Nest, message: RegExp): void => {
    t.throws(() => decode(name, attributes), {
      instanceOf: EarshotError,
      code: 'ERR_KERNEL',
      message,
    });
  };
  refused(
    'cmp',
    [
      [1, REG_1],
      [2, be32(0)],
    ],
    /NFTA_CMP_DATA is not there/,
  );
  refused(
    'cmp',
    [
      [1, be16(1)],
      [2, be32(0)],
      [3, data(1)],
    ],
    /NFTA_CMP_SREG is 2 bytes long, not 4/,
  );
  refused('limit', [[1, be32(1)]], /NFTA_LIMIT_RATE is 4 bytes long, not 8/);
  refused(
    'immediate',
    [
      [1, be32(0)],
      [2, [[2, [[1, be32(-3)]]]]],
    ],
    /NFTA_VERDICT_CHAIN is not there/,
  );
  refused(
    'match',
    [
      [1, 'comment'],
      [2, be32(0)],
    ],
    /NFTA_MATCH_INFO is not there/,
  );
});

test('expressions nested deeper than a kernel nests them end in bytes', (t) => {
  let inner = named('counter', []);
  for (let depth = 0; depth < 500; depth++) {
    inner = named('dynset', [
      [1, 's'],
      [3, be32(0)],
      [4, REG_1],
      [7, inner],
    ]);
  }
  const outer = decode('dynset', [
    [1, 's'],
    [3, be32(0)],
    [4, REG_1],
    [7, inner],
  ]);
  t.like(outer, {
    kind: 'dynset',
    expressions: [{ kind: 'dynset', expressions: [{ kind: 'unknown' }] }],
  });
});

test('an object is the expression it acts as, or nothing that stops a packet', (t) => {
  const { objects } = ruleSetOf('expressions');
  const by = new Map(objects.map((object) => [object.name, object]));
  t.is(by.get('seen')!.expression, null);
  t.is(by.get('ftp')!.expression, null);
  t.is(by.get('brief')!.expression, null);
  t.is(by.get('later')!.expression, null);
  t.like(by.get('most')!.expression, { kind: 'quota', bytes: 10 * 2 ** 20, invert: true });
  t.like(by.get('slow')!.expression, { kind: 'limit', rate: 10, burst: 20 });
  t.deepEqual(by.get('guard')!.expression, { kind: 'synproxy' });
  const newer = wire.message(NFT_MSG.NEWOBJ, Uint8Array.of(1, 0, 0, 0), [
    [1, 't'],
    [2, 'new'],
    [3, be32(11)],
    [4, [[1, be32(7)]]],
  ]);
  t.deepEqual(decodeObjects(newer, true), [
    {
      family: 'inet',
      table: 't',
      name: 'new',
      type: 11,
      expression: { kind: 'unknown', name: 'object of type 11', data: '0800010000000007' },
    },
  ]);
});

test('a flowtable has its devices and its place in the order', (t) => {
  const bytes = wire.message(NFT_MSG.NEWFLOWTABLE, Uint8Array.of(1, 0, 0, 0), [
    [1, 't'],
    [2, 'fast'],
    [
      3,
      [
        [1, be32(0)],
        [2, be32(-10)],
        [
          3,
          [
            [1, 'lan0'],
            [1, 'wan0'],
          ],
        ],
      ],
    ],
    [4, be32(1)],
    [5, be64(3)],
  ]);
  t.deepEqual(decodeFlowtables(bytes, true), [
    { family: 'inet', table: 't', name: 'fast', priority: -10, devices: ['lan0', 'wan0'] },
  ]);
});

test('a comment is the one that nft(8) keeps with the rule', (t) => {
  const rules = ruleSetOf('expressions').chains.flatMap((chain) => chain.rules);
  const first = rules.find(({ comment }) => comment === 'an accept');
  t.deepEqual(first?.expressions, [
    { kind: 'immediate', destination: 'verdict', data: { verdict: { code: 'accept' } } },
  ]);
  t.true(rules.filter(({ comment }) => comment !== null).length > 90);
});
