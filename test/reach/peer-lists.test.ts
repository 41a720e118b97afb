import test from 'ava';
import fc from 'fast-check';
import {
  type AddressRange,
  joinedRanges,
  rangesToPrefixes,
  rangesWithout,
} from '#earshot/model/prefix-set.js';
import { PeerLists } from '#earshot/reach/peer-lists.js';
import { Region } from '#earshot/reach/peer-parts.js';

const seed = Date.now() % 0x7fffffff;

/** Ranges of a space of so few addresses that they touch, hold and miss each other. */
const ranges = (minLength: number, maxLength: number) =>
  fc
    .array(fc.tuple(fc.nat({ max: 2000 }), fc.nat({ max: 6 })), { minLength, maxLength })
    .map((all) =>
      joinedRanges(
        all.map(([first, size]) => ({ first: BigInt(first), last: BigInt(first + size) })),
      ),
    );

const part = (minLength: number, maxLength: number) =>
  fc.record({ region: ranges(minLength, maxLength), holes: ranges(0, 6) });

test(`a list with a few edits is the list of what is left, long regions or not (seed ${seed})`, (t) => {
  let long = 0;
  const property = fc.property(
    fc.array(part(100, 400), { maxLength: 3 }),
    fc.array(part(0, 8), { maxLength: 6 }),
    fc.array(ranges(0, 4), { minLength: 2, maxLength: 2 }),
    (many, few, gaps) => {
      const lists = new PeerLists('ipv4');
      const parts = [...many, ...few].map(({ region, holes }) => ({
        region: new Region(region),
        holes,
      }));
      if (parts.some(({ region }) => region.ranges.length > 64)) long++;
      for (const more of gaps) {
        const whole: AddressRange[] = parts.flatMap(({ region, holes }) =>
          rangesWithout(region.ranges, holes),
        );
        const wanted = rangesToPrefixes([...whole, ...more], 'ipv4');
        t.deepEqual(lists.of(parts, more), wanted);
        t.is(lists.of(parts, more), lists.of(parts, more));
      }
    },
  );
  fc.assert(property, { seed, numRuns: 400 });
  t.true(long > 100, `${long} with a long region`);
});
