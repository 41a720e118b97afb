import test from 'ava';
import { NFT_MSG } from '#earshot/kernel/nftables/messages.js';
import { fillSet, type SetHead } from '#earshot/kernel/nftables/sets.js';
import type { NftSet } from '#earshot/model/ruleset.js';
import { randomFrom } from '../../native/support.js';
import { type Content, join, Wire } from '../support/wire.js';
import { ruleSetOf } from './support/recorded.js';

/* The elements of sets: recorded ones by what nft was told, others as a kernel would write them. */

const { sets } = ruleSetOf('sets');
const named = (name: string): NftSet => sets.find((set) => set.name === name)!;
const hexOf = (column: string | null): string =>
  Buffer.from(column ?? '', 'base64').toString('hex');
const keysOf = (set: NftSet): string[] =>
  hexOf(set.keys).match(new RegExp(`.{${2 * set.keyLength}}`, 'g')) ?? [];
const endsOf = (set: NftSet): boolean[] => {
  const bits = Buffer.from(set.ends!, 'base64');
  return Array.from({ length: set.size }, (_, row) => ((bits[row >> 3]! >> (row & 7)) & 1) === 1);
};

test('the elements of a hash come sorted', (t) => {
  t.deepEqual(keysOf(named('hash')), ['0a000001', 'c0000201', 'c0000209', 'c6336407']);
  t.deepEqual(keysOf(named('ports')), ['0016', '0050', '01bb']);
  t.is(named('hash').ends, null);
});

test('an interval that reaches the end of the addresses has no element that closes it', (t) => {
  const set = named('intervals');
  t.is(keysOf(set).at(-1), 'e0000000');
  t.deepEqual(endsOf(set), [true, false, true, false, true, false, true, false]);
});

test('where one interval ends and the next begins, the end comes first', (t) => {
  const set = named('values-of-ranges');
  const at = keysOf(set).indexOf('0a000100');
  t.deepEqual(keysOf(set).slice(at, at + 2), ['0a000100', '0a000100']);
  t.deepEqual(endsOf(set).slice(at, at + 2), [true, false]);
  t.deepEqual(
    hexOf(set.data)
      .match(/.{8}/g)!
      .slice(at, at + 2),
    ['00000000', '02000000'],
  );
});

test('ranges of concatenations have a first and a last key, and the lengths of their fields', (t) => {
  const set = named('triples');
  t.deepEqual(set.fields, [16, 1, 2]);
  t.is(set.keyLength, 24);
  t.is(set.ends, null);
  t.is(hexOf(set.keys).slice(0, 48), `${'0'.repeat(32)}1100000000350000`);
  t.is(hexOf(set.keyEnds).slice(0, 48), `${'f'.repeat(32)}11000000003c0000`);
});

test('a verdict map says each verdict once, and none for what closes', (t) => {
  const set = named('verdicts');
  t.deepEqual(new Set(set.verdicts.map((verdict) => JSON.stringify(verdict))).size, 6);
  t.deepEqual(
    set.verdictOf!.map((verdict) => verdict < 0),
    endsOf(set),
  );
  t.deepEqual(set.verdicts[set.verdictOf![keysOf(set).indexOf('0a000000')]!], { code: 'drop' });
  t.deepEqual(set.catchall, {
    data: { verdict: { code: 'drop' } },
    object: null,
    expressions: [],
  });
});

test('an element for everything else is told apart, with its value', (t) => {
  t.deepEqual(named('everything').catchall, { data: null, object: null, expressions: [] });
  t.deepEqual(named('values').catchall, {
    data: { value: '0a000003' },
    object: null,
    expressions: [],
  });
  t.is(named('values').size, 2);
  t.is(named('hash').catchall, null);
});

test('an object map names the object of each element', (t) => {
  t.deepEqual(named('limits').objects, ['slow', 'slow']);
  t.deepEqual(
    named('counters').objects!.map((name) => name === ''),
    endsOf(named('counters')),
  );
});

test('elements that share a limit share one list of expressions', (t) => {
  const set = named('limited');
  t.is(set.expressionLists.length, 1);
  t.like(set.expressionLists[0]![0], { kind: 'limit', rate: 10, unitSeconds: 1 });
  t.deepEqual(set.expressionsOf, [0, 0]);
  t.deepEqual(set.expressions, set.expressionLists[0]!);
  t.deepEqual(named('counted').expressions, [{ kind: 'counter' }]);
  t.is(named('hash').expressionsOf, null);
});

/* Constructed elements. */

const wire = new Wire(true);
const be32 = (value: number): Uint8Array =>
  Uint8Array.from([value >>> 24, value >>> 16, value >>> 8, value]);
const key = (value: Content): [number, Content] => [1, [[1, value]]];
const flags = (bits: number): [number, Content] => [3, be32(bits)];

function head(changes: Partial<SetHead> = {}): SetHead {
  return {
    family: 'inet',
    table: 't',
    name: 's',
    handle: 1,
    flags: [],
    keyType: 7,
    keyLength: 4,
    fields: [],
    dataType: null,
    dataLength: 0,
    objectType: null,
    declared: [],
    count: 0,
    ...changes,
  };
}

/** One message for each list of elements. */
function dump(...lists: [number, Content][][][]): Uint8Array {
  return join(
    lists.map((elements) =>
      wire.message(NFT_MSG.NEWSETELEM, Uint8Array.of(1, 0, 0, 0), [
        [1, 't'],
        [2, 's'],
        [3, elements.map((attributes): [number, Content] => [1, attributes])],
      ]),
    ),
  );
}

test('elements of several messages become one column', (t) => {
  const bytes = dump([[key(be32(3))], [key(be32(1))]], [[key(be32(2))]]);
  const set = fillSet(head(), bytes, true);
  t.is(set.size, 3);
  t.is(hexOf(set.keys), '000000010000000200000003');
});

test('an element whose time has run out is not there, one with time left is', (t) => {
  const left = (milliseconds: number): [number, Content] => [
    5,
    join([be32(0), be32(milliseconds)]),
  ];
  const bytes = dump([[key(be32(1)), left(0)], [key(be32(2)), left(1)], [key(be32(3))]]);
  t.is(hexOf(fillSet(head(), bytes, true).keys), '0000000200000003');
});

test('a range of concatenations without a last key is one key', (t) => {
  const set = fillSet(
    head({ flags: ['interval', 'concat'], fields: [2, 2], keyLength: 8 }),
    dump([[key(join([be32(1), be32(2)]))]]),
    true,
  );
  t.is(set.keyEnds, set.keys);
});

test('an element without a key is refused, and a key of another length', (t) => {
  const refused = (element: [number, Content][], message: RegExp): void => {
    t.throws(() => fillSet(head(), dump([element]), true), { code: 'ERR_KERNEL', message });
  };
  refused([flags(0)], /NFTA_SET_ELEM_KEY is not there/);
  refused([key(Uint8Array.of(1, 2))], /NFTA_SET_ELEM_KEY is 2 bytes long, not 4/);
  refused([key(be32(1)), [10, [[1, Uint8Array.of(1)]]]], /NFTA_SET_ELEM_KEY_END is 1 bytes long/);
  refused([key(be32(1)), [3, Uint8Array.of(1)]], /NFTA_SET_ELEM_FLAGS is 1 bytes long/);
  refused([[1, [[2, be32(1)]]]], /NFTA_SET_ELEM_KEY has no NFTA_DATA_VALUE/);
});

test('a verdict that is none is refused: what the map does would be a guess', (t) => {
  const map = head({ flags: ['map'], dataType: 0xffffff00, dataLength: 16 });
  const verdict = (code: number): Uint8Array =>
    dump([[key(be32(1)), [2, [[2, [[1, be32(code)]]]]]]]);
  t.deepEqual(fillSet(map, verdict(1), true).verdicts, [{ code: 'accept' }]);
  t.deepEqual(fillSet(map, verdict(0x50003), true).verdicts, [{ code: 'queue' }]);
  t.throws(() => fillSet(map, verdict(-9), true), {
    message: /NFTA_VERDICT_CODE -9 is no verdict/,
  });
});

test('an element of its own limit has it, its neighbours have not', (t) => {
  const connlimit: [number, Content] = [
    7,
    [
      [1, 'connlimit'],
      [
        2,
        [
          [1, be32(5)],
          [2, be32(0)],
        ],
      ],
    ],
  ];
  const set = fillSet(head(), dump([[key(be32(1))], [key(be32(2)), connlimit]]), true);
  t.deepEqual(set.expressionLists, [[{ kind: 'connlimit', count: 5, invert: false }]]);
  t.deepEqual(set.expressionsOf, [-1, 0]);
});

test('keys of any length are sorted by their bytes, those that close first', (t) => {
  const seed = Date.now() % 1_000_000;
  t.log(`seed ${seed}`);
  const random = randomFrom(seed);
  for (const width of [1, 2, 4, 5, 16, 24]) {
    const elements = Array.from({ length: 300 }, () => {
      const bytes = Uint8Array.from({ length: width }, () => random(4));
      return { bytes, closes: random(2) };
    });
    const inOrder = (text: string[]): string[] => [...text].sort();
    const written = elements.map(
      ({ bytes, closes }) => `${Buffer.from(bytes).toString('hex')}${1 - closes}`,
    );
    const orders = { random: elements, rising: sortedBy(written), falling: sortedBy(written, -1) };
    for (const [name, order] of Object.entries(orders)) {
      const lists = order.map(({ bytes, closes }) => [key(bytes), flags(closes)]);
      const set = fillSet(head({ flags: ['interval'], keyLength: width }), dump(lists), true);
      const read = keysOf(set).map((text, row) => `${text}${endsOf(set)[row] ? 0 : 1}`);
      t.deepEqual(read, inOrder(written), `${name} keys of ${width} bytes`);
    }

    function sortedBy(texts: string[], sign = 1): typeof elements {
      return elements
        .map((element, index) => ({ element, text: texts[index]! }))
        .sort((one, other) => sign * (one.text < other.text ? -1 : 1))
        .map(({ element }) => element);
    }
  }
});

test('elements are the same from a host of the other byte order', (t) => {
  const other = new Wire(false);
  const bytes = (host: Wire): Uint8Array =>
    host.message(NFT_MSG.NEWSETELEM, Uint8Array.of(1, 0, 0, 0), [
      [3, [[1, [key(be32(7)), [7, [[1, 'counter']]]]]]],
    ]);
  t.deepEqual(fillSet(head(), bytes(other), false), fillSet(head(), bytes(wire), true));
});
