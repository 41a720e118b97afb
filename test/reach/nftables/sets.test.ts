import test from 'ava';
import type { NftSet } from '#earshot/model/ruleset.js';
import { column, evaluate, held, setOf } from './support/run.js';

/* Look-ups in sets and maps of every kind. */

const find = (set: NftSet, registers: string, invert = false) =>
  evaluate(
    { kind: 'lookup', set: 's', source: 0, destination: null, invert },
    { sets: [set], registers },
  ).result;

test('an exact set holds its keys and no others', (t) => {
  const set = setOf(['0016', '0050', '01bb']);
  t.deepEqual(
    ['0016', '0050', '01bb', '0015', '0051', 'ffff', '0000'].map((key) => find(set, key)),
    ['continue', 'continue', 'continue', 'break', 'break', 'break', 'break'],
  );
  t.is(find(set, '0050', true), 'break');
  t.is(find(set, '0051', true), 'continue');
  t.is(find(setOf([]), '00000000'), 'break');
});

test('a key of which not every bit is known may be in a set', (t) => {
  t.is(find(setOf(['0016']), '00??'), 'may');
  t.is(find(setOf([]), '????????'), 'break');
});

// 10-20, 20-30 without a gap, and 40 on to the end
const intervals = (changes: Partial<NftSet> = {}) =>
  setOf(['0010', '0020', '0020', '0030', '0040'], {
    flags: ['interval'],
    ends: column('0a'), // the second and the fourth close
    ...changes,
  });

test('an interval begins with its key and ends before the one that closes it', (t) => {
  const set = intervals();
  t.deepEqual(
    ['000f', '0010', '001f', '0020', '002f', '0030', '003f', '0040', 'ffff'].map((key) =>
      find(set, key),
    ),
    [
      'break',
      'continue',
      'continue',
      'continue',
      'continue',
      'break',
      'break',
      'continue',
      'continue',
    ],
  );
});

test('where one interval of a map ends and the next begins, the next one counts', (t) => {
  const map = intervals({
    flags: ['interval', 'map'],
    dataType: 0xffffff00,
    verdictOf: [0, -1, 1, -1, 2],
    verdicts: [{ code: 'accept' }, { code: 'drop' }, { code: 'jump', chain: 'x' }],
  });
  const spoken = (registers: string) =>
    evaluate(
      { kind: 'lookup', set: 's', source: 0, destination: 'verdict', invert: false },
      { sets: [map], registers },
    );
  t.is(spoken('001f').verdict.code, 'accept');
  t.is(spoken('0020').verdict.code, 'drop');
  t.is(spoken('0050').verdict.code, 'jump');
  t.is(spoken('0030').result, 'break');
});

test('concatenated ranges: every field within its own, each from a new word on', (t) => {
  const set = setOf(['0a000000' + '00500000'], {
    flags: ['interval', 'concat'],
    fields: [4, 2],
    keyEnds: column('0affffff' + '005a0000'),
  });
  t.is(find(set, '0a010203' + '00550000'), 'continue');
  t.is(find(set, '0a010203' + '005b0000'), 'break');
  t.is(find(set, '0b010203' + '00550000'), 'break');
  // What stands behind a field's own bytes does not count.
  t.is(find(set, '0a010203' + '0055ffff'), 'continue');
});

test('a map gives the data of the element, and the one that catches all where there is none', (t) => {
  const map = setOf(['0050', '0051'], {
    flags: ['map'],
    dataType: 1,
    dataLength: 4,
    data: column('01000000', '02000000'),
  });
  const get = (set: NftSet, registers: string) =>
    evaluate(
      { kind: 'lookup', set: 's', source: 0, destination: 4, invert: false },
      { sets: [set], registers },
    );
  t.is(held(get(map, '0051'), 4), '02000000');
  t.is(get(map, '0052').result, 'break');
  const rest = { ...map, catchall: { data: { value: '09000000' }, object: null, expressions: [] } };
  t.is(held(get(rest, '0052'), 4), '09000000');
  t.is(held(get(rest, '0050'), 4), '01000000');
});

test('a key that is not known: every different answer is a way of its own, and none is one too', (t) => {
  const map = setOf(['0050', '0051', '0052'], {
    flags: ['map'],
    dataType: 0xffffff00,
    verdictOf: [0, 1, 0],
    verdicts: [{ code: 'accept' }, { code: 'drop' }],
  });
  const ask = (choice: number) =>
    evaluate(
      { kind: 'lookup', set: 's', source: 0, destination: 'verdict', invert: false },
      { sets: [map], registers: '????', choice },
    );
  t.deepEqual(ask(0).choices, [3]);
  t.is(ask(0).verdict.code, 'accept');
  t.is(ask(1).verdict.code, 'drop');
  t.is(ask(2).result, 'break');
});

test('expressions of an element run when it is the one found', (t) => {
  const limit = {
    kind: 'limit',
    rate: 1,
    unitSeconds: 1,
    burst: 1,
    bytes: false,
    invert: false,
  } as const;
  const set = setOf(['0050', '0051'], {
    expressionLists: [[limit]],
    expressionsOf: [0, -1],
    expressions: [limit],
  });
  t.is(find(set, '0050'), 'may');
  t.is(find(set, '0051'), 'continue');
});

test('a set with a flag that nobody knows is not believed', (t) => {
  t.is(find(setOf(['0050'], { flags: ['0x200'] }), '0050'), 'unknown');
});

test('a map of objects acts as the object of the element', (t) => {
  const map = setOf(['0050', '0051'], {
    flags: ['object'],
    objectType: 4,
    objects: ['slow', 'gone'],
  });
  const of = (registers: string) =>
    evaluate(
      { kind: 'objref-map', set: 's', source: 0 },
      {
        sets: [map],
        registers,
        objects: {
          slow: { kind: 'limit', rate: 1, unitSeconds: 1, burst: 1, bytes: false, invert: false },
        },
      },
    ).result;
  t.is(of('0050'), 'may');
  t.is(of('0051'), 'unknown');
  t.is(of('0052'), 'break');
});
