import type { NftExpression } from '../../../model/ruleset.js';
import type { Evaluate } from '../run.js';

/** nft_byteorder_eval: on a little-endian host both directions turn each number round. */
export function byteorder({
  source,
  destination,
  length,
  size,
}: Extract<NftExpression, { kind: 'byteorder' }>): Evaluate {
  return ({ registers: { bytes, unknown } }) => {
    for (const array of [bytes, unknown]) {
      const turned = array.slice(source * 4, source * 4 + length);
      for (let start = 0; start + size <= length; start += size)
        turned.subarray(start, start + size).reverse();
      array.set(turned, destination * 4);
    }
    return 'continue';
  };
}
