import test from 'ava';
import fc from 'fast-check';
import { formatAddress, parseAddress, parsePrefix } from '#earshot/model/address.js';
import {
  type AddressRange,
  addressFromNumber,
  addressToNumber,
  commonRanges,
  cutAt,
  prefixesToRanges,
  prefixRange,
  rangesToPrefixes,
  rangesWithout,
} from '#earshot/model/prefix-set.js';
import type { Family } from '#earshot/model/socket.js';

const seed = Date.now() % 0x7fffffff;
const end: Record<Family, bigint> = { ipv4: 1n << 32n, ipv6: 1n << 128n };
const families = ['ipv4', 'ipv6'] as const;
const prefix = (text: string) => parsePrefix(text)!;
const whole = (family: Family) => ({ first: 0n, last: end[family] - 1n });

test('an address is a number of 32 or 128 bits', (t) => {
  t.is(addressToNumber(parseAddress('0.0.0.1')!), 1n);
  t.is(addressToNumber(parseAddress('255.255.255.255')!), end.ipv4 - 1n);
  t.is(addressToNumber(parseAddress('::1:0')!), 0x10000n);
  t.is(addressToNumber(parseAddress('ffff::')!), 0xffffn << 112n);
});

test(`a number is an address again (seed ${seed})`, (t) => {
  for (const family of families) {
    const property = fc.property(fc.bigInt({ min: 0n, max: end[family] - 1n }), (value) => {
      const text = formatAddress(addressFromNumber(value, family));
      return addressToNumber(parseAddress(text)!) === value;
    });
    t.notThrows(() => fc.assert(property, { seed }));
  }
});

test('a prefix holds its first and its last address', (t) => {
  t.deepEqual(prefixRange(prefix('10.0.0.0/30')), { first: 0x0a000000n, last: 0x0a000003n });
  t.deepEqual(prefixRange(prefix('10.0.0.7/32')), { first: 0x0a000007n, last: 0x0a000007n });
  t.deepEqual(prefixRange(prefix('::/0')), whole('ipv6'));
});

test('the whole space is one prefix, and no range is none', (t) => {
  t.deepEqual(rangesToPrefixes([whole('ipv4')], 'ipv4'), ['0.0.0.0/0']);
  t.deepEqual(rangesToPrefixes([whole('ipv6')], 'ipv6'), ['::/0']);
  t.deepEqual(rangesToPrefixes([], 'ipv4'), []);
});

test('the last address of the space is no end too far', (t) => {
  const last = end.ipv4 - 1n;
  t.deepEqual(rangesToPrefixes([{ first: last, last }], 'ipv4'), ['255.255.255.255/32']);
});

test('neighbouring and overlapping ranges are one', (t) => {
  const ranges = ['10.0.0.0/25', '10.0.0.64/26', '10.0.0.128/25'].map((text) =>
    prefixRange(prefix(text)),
  );
  t.deepEqual(rangesToPrefixes(ranges, 'ipv4'), ['10.0.0.0/24']);
});

test('a range that begins and ends anywhere takes several prefixes', (t) => {
  const ranges = [{ first: 0x0a000001n, last: 0x0a000006n }];
  t.deepEqual(rangesToPrefixes(ranges, 'ipv4'), [
    '10.0.0.1/32',
    '10.0.0.2/31',
    '10.0.0.4/31',
    '10.0.0.6/32',
  ]);
});

test('cutting nowhere leaves the space whole', (t) => {
  for (const family of families) t.deepEqual(cutAt([], family), [whole(family)]);
  t.deepEqual(cutAt([prefix('0.0.0.0/0')], 'ipv4'), [whole('ipv4')]);
});

/** Prefixes that are likely to meet: few bits, at both ends of the address. */
const aPrefix = (family: Family) =>
  fc.tuple(fc.nat({ max: 7 }), fc.nat({ max: 7 }), fc.nat({ max: 8 })).map(([high, low, place]) => {
    const bits = family === 'ipv4' ? 32 : 128;
    const value = (BigInt(high) << BigInt(bits - 3)) | BigInt(low);
    const length = [0, 1, 2, 3, 8, bits - 3, bits - 2, bits - 1, bits][place];
    return prefix(`${formatAddress(addressFromNumber(value, family))}/${length}`);
  });

test(`pieces follow each other without a gap, and none lies across a prefix's edge (seed ${seed})`, (t) => {
  for (const family of families) {
    const property = fc.property(fc.array(aPrefix(family), { maxLength: 6 }), (prefixes) => {
      const pieces = cutAt(prefixes, family);
      const ranges = prefixes.map(prefixRange);
      return (
        pieces[0]?.first === 0n &&
        pieces.at(-1)?.last === end[family] - 1n &&
        pieces.every(
          (piece, place) =>
            piece.first <= piece.last &&
            (place === 0 || pieces[place - 1]!.last + 1n === piece.first) &&
            ranges.every(
              ({ first, last }) =>
                (first <= piece.first && piece.last <= last) ||
                piece.last < first ||
                last < piece.first,
            ),
        )
      );
    });
    t.notThrows(() => fc.assert(property, { seed }));
  }
});

/** Ranges that follow each other made one. */
function join(ranges: readonly AddressRange[]): AddressRange[] {
  const list: AddressRange[] = [];
  for (const one of ranges) {
    const before = list.at(-1);
    if (before && before.last + 1n === one.first) before.last = one.last;
    else list.push({ ...one });
  }
  return list;
}

test(`the prefixes of ranges hold the same addresses, and no two make one (seed ${seed})`, (t) => {
  for (const family of families) {
    const space = whole(family).last;
    const point = fc.oneof(
      fc.bigInt({ min: 0n, max: space }),
      fc.bigInt({ min: 0n, max: 40n }),
      fc.bigInt({ min: 0n, max: 40n }).map((value) => space - value),
    );
    const property = fc.property(fc.array(point, { maxLength: 8 }), (points) => {
      const sorted = [...new Set(points)].sort((one, other) => (one < other ? -1 : 1));
      const ranges = [];
      for (let at = 0; at + 1 < sorted.length; at += 2) {
        ranges.push({ first: sorted[at]!, last: sorted[at + 1]! });
      }
      const out = rangesToPrefixes(ranges, family).map((text) => prefixRange(prefix(text)));
      const joined = join(out);
      const wanted = join(ranges);
      const same =
        joined.length === wanted.length &&
        joined.every((one, place) => {
          const other = wanted[place]!;
          return one.first === other.first && one.last === other.last;
        });
      const fewest = out.every((one, place) => {
        const next = out[place + 1];
        const size = one.last - one.first + 1n;
        return !(
          next &&
          next.first === one.last + 1n &&
          next.last - next.first + 1n === size &&
          one.first % (2n * size) === 0n
        );
      });
      return same && fewest;
    });
    t.notThrows(() => fc.assert(property, { seed }));
  }
});

const sizeOf = (set: readonly AddressRange[]) =>
  set.reduce((sum, { first, last }) => sum + last - first + 1n, 0n);
const named = (set: readonly AddressRange[]) =>
  set.map(({ first, last }) => `${first}-${last}`).join();

test('sets of addresses obey the laws of sets', (t) => {
  const prefix = fc
    .tuple(fc.nat({ max: 255 }), fc.nat({ max: 255 }), fc.integer({ min: 4, max: 32 }))
    .map(([a, b, length]) => `10.0.${a}.${b}/${length}`);
  const set = fc.array(prefix, { maxLength: 12 }).map((texts) => prefixesToRanges(texts, 'ipv4'));
  const property = fc.property(set, set, (one, other) => {
    const left = rangesWithout(one, other);
    const both = commonRanges(one, other);
    return (
      sizeOf(left) + sizeOf(both) === sizeOf(one) &&
      commonRanges(left, other).length === 0 &&
      named(prefixesToRanges(rangesToPrefixes(one, 'ipv4'), 'ipv4')) === named(one)
    );
  });
  t.log(`seed ${seed}`);
  fc.assert(property, { seed });
  t.pass();
});
