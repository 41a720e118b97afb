import test from 'ava';
import fc from 'fast-check';
import {
  type Address,
  bitsOf,
  ipv4,
  ipv6,
  maskAddress,
  prefixHolds,
} from '#earshot/model/address.js';
import { PrefixMap } from '#earshot/model/prefix-map.js';

/* A list of prefixes, searched from end to end, is the model. A failure prints its seed. */

// Few words, so that prefixes share beginnings and addresses fall into them.
const word = fc.constantFrom(0, 1, -1, 0x0a000000, 0x0a000001, 0x0a800000, -0x80000000, 0x7fffffff);
const addresses: Record<string, fc.Arbitrary<Address>> = {
  IPv4: fc.oneof(word, fc.integer()).map(ipv4),
  IPv6: fc.tuple(word, word, word, fc.oneof(word, fc.integer())).map((words) => ipv6(...words)),
};

for (const [family, address] of Object.entries(addresses)) {
  const prefix = fc.tuple(address, fc.nat(128)).map(([base, any]) => {
    const length = any % (bitsOf(base.family) + 1);
    return { address: maskAddress(base, length), length };
  });

  test(`${family}: a prefix map finds all prefixes that hold an address, the shortest first`, (t) => {
    fc.assert(
      fc.property(
        fc.array(prefix, { maxLength: 40 }),
        fc.array(address, { minLength: 1, maxLength: 10 }),
        (prefixes, asked) => {
          const map = new PrefixMap<string>();
          const model = new Map<string, (typeof prefixes)[number]>();
          for (const one of prefixes) {
            const name = JSON.stringify(one);
            t.is(
              map.at(one, () => name),
              name,
            );
            model.set(name, one);
          }
          // The bases of the prefixes are asked for too: their edges are where it could go wrong.
          for (const one of [...asked, ...prefixes.map((each) => each.address)]) {
            const found: string[] = [];
            found.length = map.holding(one, found);
            const expected = [...model]
              .filter(([, each]) => prefixHolds(each, one))
              .sort(([, first], [, second]) => first.length - second.length)
              .map(([name]) => name);
            t.deepEqual(found, expected);
          }
          const all: string[] = [];
          map.each((name) => all.push(name));
          t.deepEqual(all.sort(), [...model.keys()].sort());
        },
      ),
    );
  });
}

test('what stands at a prefix is made once', (t) => {
  const map = new PrefixMap<number[]>();
  const prefix = { address: ipv4(0x0a000000), length: 8 };
  const first = map.at(prefix, () => []);
  t.is(
    map.at(prefix, () => t.fail() as never),
    first,
  );
});
