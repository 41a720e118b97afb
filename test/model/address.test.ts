import { isIP } from 'node:net';
import test from 'ava';
import fc from 'fast-check';
import ipaddr from 'ipaddr.js';
import {
  type Address,
  addressFromBytes,
  addressToBytes,
  bitsOf,
  canonicalText,
  compareAddresses,
  formatAddress,
  formatPrefix,
  fromV4Mapped,
  ipv4,
  isLinkLocal,
  isLoopback,
  isMulticast,
  isUnspecified,
  isV4Mapped,
  maskAddress,
  parseAddress,
  parsePrefix,
  prefixHolds,
  sameAddress,
  toV4Mapped,
} from '#earshot/model/address.js';

/* ipaddr.js and Node's own isIP are the second witnesses. A failure prints its seed. */

const octet = fc.oneof(fc.constantFrom(0, 1, 127, 128, 255), fc.nat(255));
/** Words of an IPv6 address, with runs of zeros as real ones have. */
const group = fc.oneof(
  { weight: 3, arbitrary: fc.constant(0) },
  { weight: 1, arbitrary: fc.constantFrom(1, 0xffff, 0xfe80) },
  { weight: 2, arbitrary: fc.nat(0xffff) },
);
const bytes4 = fc.array(octet, { minLength: 4, maxLength: 4 }).map((list) => Uint8Array.from(list));
const bytes6 = fc
  .array(group, { minLength: 8, maxLength: 8 })
  .map((groups) => Uint8Array.from(groups.flatMap((word) => [word >> 8, word & 255])));
const anyBytes = fc.oneof(bytes4, bytes6);

const of = (bytes: Uint8Array): Address =>
  addressFromBytes(bytes, 0, bytes.length === 4 ? 'ipv4' : 'ipv6');
const witness = (bytes: Uint8Array): ipaddr.IPv4 | ipaddr.IPv6 => ipaddr.fromByteArray([...bytes]);

test('bytes become an address and the same bytes again', (t) => {
  t.notThrows(() =>
    fc.assert(
      fc.property(anyBytes, (bytes) => {
        const back = addressToBytes(of(bytes));
        return back.length === bytes.length && back.every((byte, at) => byte === bytes[at]);
      }),
    ),
  );
});

test('the text of an address is that of RFC 5952, and reads back as the same address', (t) => {
  t.notThrows(() =>
    fc.assert(
      fc.property(anyBytes, (bytes) => {
        const address = of(bytes);
        const text = formatAddress(address);
        // ipaddr.js writes v4-mapped addresses in groups.
        const expected = isV4Mapped(address)
          ? `::ffff:${bytes.slice(12).join('.')}`
          : (witness(bytes) as ipaddr.IPv6 & { toRFC5952String?(): string }).toString();
        return (
          text === expected &&
          isIP(text) === (bytes.length === 4 ? 4 : 6) &&
          sameAddress(parseAddress(text)!, address)
        );
      }),
      { numRuns: 2000 },
    ),
  );
});

for (const [written, canonical] of [
  ['2001:0DB8:0:0:0:0:0:1', '2001:db8::1'],
  ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
  ['2001:0:0:1:0:0:0:1', '2001:0:0:1::1'],
  ['2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
  ['0:0:0:0:0:0:0:0', '::'],
  ['1:0:0:0:0:0:0:0', '1::'],
  ['0:0:0:0:0:0:0:1', '::1'],
  ['::ffff:192.0.2.1', '::ffff:192.0.2.1'],
  ['::FFFF:C000:0201', '::ffff:192.0.2.1'],
  ['::192.0.2.1', '::c000:201'],
  ['64:ff9b::192.0.2.33', '64:ff9b::c000:221'],
] as const) {
  test(`${written} is written ${canonical}`, (t) => {
    t.is(formatAddress(parseAddress(written)!), canonical);
  });
}

test('what Node takes for no address is none', (t) => {
  const almost = fc.oneof(
    fc.string(),
    fc.stringMatching(/^[0-9a-f:.%/]{1,24}$/),
    fc
      .tuple(anyBytes, fc.nat(40), fc.constantFrom('', ':', '.', '0', 'g', ' ', '%eth0'))
      .map(([bytes, at, put]) => {
        const text = formatAddress(of(bytes));
        const cut = at % (text.length + 1);
        return text.slice(0, cut) + put + text.slice(cut);
      }),
  );
  t.notThrows(() =>
    fc.assert(
      fc.property(almost, (text) => {
        const family = isIP(text);
        const address = parseAddress(text);
        if (family === 0 || text.includes('%')) return address === null;
        return address !== null && address.family === (family === 4 ? 'ipv4' : 'ipv6');
      }),
      { numRuns: 5000 },
    ),
  );
});

for (const text of [
  '',
  '1',
  '1.2.3',
  '01.2.3.4',
  '0x1.2.3.4',
  '256.1.1.1',
  '1.2.3.4 ',
  '10.0.0.300',
]) {
  test(`'${text}' is no address`, (t) => {
    t.is(parseAddress(text), null);
  });
}

test('a mask keeps the leading bits and clears the rest', (t) => {
  t.notThrows(() =>
    fc.assert(
      fc.property(anyBytes, fc.nat(128), (bytes, wanted) => {
        const length = Math.min(wanted, bytes.length * 8);
        const text = formatAddress(maskAddress(of(bytes), length));
        const network =
          bytes.length === 4
            ? ipaddr.IPv4.networkAddressFromCIDR(`${witness(bytes)}/${length}`)
            : ipaddr.IPv6.networkAddressFromCIDR(`${witness(bytes)}/${length}`);
        return sameAddress(parseAddress(text)!, of(Uint8Array.from(network.toByteArray())));
      }),
      { numRuns: 2000 },
    ),
  );
});

test('a prefix holds what ipaddr.js says it holds', (t) => {
  const pair = fc.oneof(fc.tuple(bytes4, bytes4), fc.tuple(bytes6, bytes6)).chain(([one, other]) =>
    // A copy that differs late, so that long prefixes hold something too.
    fc.tuple(
      fc.constant(one),
      fc.oneof(
        fc.constant(other),
        fc
          .nat(one.length - 1)
          .map((from) => Uint8Array.from([...one.slice(0, from), ...other.slice(from)])),
      ),
      fc.nat(one.length * 8),
    ),
  );
  t.notThrows(() =>
    fc.assert(
      fc.property(pair, ([base, other, length]) => {
        const prefix = { address: maskAddress(of(base), length), length };
        const expected = (witness(other) as ipaddr.IPv4).match(
          witness(base) as ipaddr.IPv4,
          length,
        );
        return prefixHolds(prefix, of(other)) === expected;
      }),
      { numRuns: 3000 },
    ),
  );
});

test('a prefix never holds an address of the other family', (t) => {
  t.false(prefixHolds(parsePrefix('0.0.0.0/0')!, parseAddress('::')!));
  t.false(prefixHolds(parsePrefix('::/0')!, parseAddress('0.0.0.0')!));
});

test('a prefix reads back as it is written, bits behind its length cleared', (t) => {
  t.notThrows(() =>
    fc.assert(
      fc.property(anyBytes, fc.nat(128), (bytes, wanted) => {
        const address = of(bytes);
        const length = Math.min(wanted, bitsOf(address.family));
        const prefix = parsePrefix(`${formatAddress(address)}/${length}`)!;
        return (
          sameAddress(prefix.address, maskAddress(address, length)) &&
          formatPrefix(parsePrefix(formatPrefix(prefix))!) === formatPrefix(prefix)
        );
      }),
    ),
  );
});

for (const text of [
  '10.0.0.0/33',
  '::/129',
  '10.0.0.0/',
  '10.0.0.0/-1',
  '10.0.0.0/8/8',
  '/8',
  '10.0.0.0/ 8',
  '10.0.0.0/1e1',
]) {
  test(`'${text}' is no prefix`, (t) => {
    t.is(parsePrefix(text), null);
  });
}

test('an address alone is the prefix of all its bits', (t) => {
  t.is(formatPrefix(parsePrefix('10.0.0.1')!), '10.0.0.1/32');
  t.is(formatPrefix(parsePrefix('::1')!), '::1/128');
});

test('addresses are ordered as their bytes are, IPv4 first', (t) => {
  const sign = (value: number): number => Math.sign(value);
  t.notThrows(() =>
    fc.assert(
      fc.property(anyBytes, anyBytes, (one, other) => {
        const expected =
          one.length === other.length ? Buffer.compare(one, other) : one.length - other.length;
        return (
          sign(compareAddresses(of(one), of(other))) === sign(expected) &&
          sameAddress(of(one), of(other)) === (expected === 0)
        );
      }),
    ),
  );
});

test('ranges with a meaning are those of ipaddr.js', (t) => {
  t.notThrows(() =>
    fc.assert(
      fc.property(anyBytes, (bytes) => {
        const range = witness(bytes).range();
        const address = of(bytes);
        return (
          isLoopback(address) === (range === 'loopback') &&
          isMulticast(address) === (range === 'multicast') &&
          isV4Mapped(address) === (range === 'ipv4Mapped') &&
          isLinkLocal(address) === (range === 'linkLocal' && address.family === 'ipv6') &&
          isUnspecified(address) === bytes.every((byte) => byte === 0)
        );
      }),
      { numRuns: 3000 },
    ),
  );
});

test('an IPv4 address goes into its mapped form and back', (t) => {
  t.notThrows(() =>
    fc.assert(
      fc.property(fc.integer(), (value) => {
        const mapped = toV4Mapped(ipv4(value));
        return isV4Mapped(mapped) && sameAddress(fromV4Mapped(mapped), ipv4(value));
      }),
    ),
  );
});

test('a text is kept where it is canonical, and only there', (t) => {
  const spelled = fc
    .tuple(bytes6, fc.nat(7), fc.nat(8), fc.boolean(), fc.boolean())
    .map(([bytes, from, count, padded, capitals]) => {
      const words = Array.from(
        { length: 8 },
        (_, at) => (bytes[at * 2]! << 8) | bytes[at * 2 + 1]!,
      );
      const groups = words.map((word) => word.toString(16).padStart(padded ? 4 : 1, '0'));
      const zeros = words.slice(from, from + count).findIndex((word) => word !== 0);
      const to = from + (zeros < 0 ? Math.min(count, 8 - from) : zeros);
      const text =
        to > from
          ? `${groups.slice(0, from).join(':')}::${groups.slice(to).join(':')}`
          : groups.join(':');
      return capitals ? text.toUpperCase() : text;
    });
  t.notThrows(() =>
    fc.assert(
      fc.property(
        fc.oneof(
          spelled,
          anyBytes.map((bytes) => formatAddress(of(bytes))),
        ),
        (text) => {
          const address = parseAddress(text)!;
          return canonicalText(text, address) === formatAddress(address);
        },
      ),
      { numRuns: 2000 },
    ),
  );
});
