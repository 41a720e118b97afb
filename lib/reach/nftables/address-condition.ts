import { type AddressRange, joinedRanges } from '../../model/prefix-set.js';
import type { NftExpression } from '../../model/ruleset.js';
import type { Family } from '../../model/socket.js';
import { bytesFromHex, fromBytes } from './bytes.js';
import type { Condition } from './conditions.js';
import type { Field, Key } from './field.js';
import { prefixLengthOf } from './print/values.js';

/** Which of a packet's addresses. */
export type Side = 'source' | 'destination';

/** Where the network header has addresses, and their length, in bytes. */
const addressAt = {
  ipv4: { source: 12, destination: 16, size: 4 },
  ipv6: { source: 8, destination: 24, size: 16 },
} as const;

/**
 * Addresses outside of which nobody meets a condition, in ascending order: those that the beginning of
 * one of a packet's addresses is compared with. `null` where it compares something else.
 */
export function addressesOf(
  { field, spans }: Condition,
  family: Family,
  side: Side,
): readonly AddressRange[] | null {
  const front = frontOf(field, family, side);
  if (!front) return null;
  const { behind, hostBits } = front;
  const largest = (1n << BigInt(field.length * 8)) - 1n;
  const upTo = (value: bigint) => (((value + 1n) << behind) - 1n) | ((1n << hostBits) - 1n);
  return joinedRanges(
    spans.map(({ from, to }) => ({
      first: numberOf(from) << behind,
      last: upTo(to === null ? largest : numberOf(to)),
    })),
  );
}

/**
 * How many bits of the address stand behind what a field holds of it, and how many of its last bits
 * count for nothing; `null` where the field is not the beginning of that address.
 */
function frontOf(
  { recipe, length }: Field,
  family: Family,
  side: Side,
): { behind: bigint; hostBits: bigint } | null {
  const [load, mask, ...more] = recipe;
  const { [side]: offset, size } = addressAt[family];
  if (load?.kind !== 'payload' || load.base !== 'network' || more.length > 0) return null;
  if (load.offset !== offset || length > Math.min(size, load.length)) return null;
  const behind = BigInt((size - length) * 8);
  if (mask === undefined) return { behind, hostBits: behind };
  const bits = maskedBits(mask, length);
  return bits === null ? null : { behind, hostBits: BigInt(size * 8 - bits) };
}

/** How many of the first bits a mask leaves; `null` for what does anything else. */
function maskedBits(expression: NftExpression, length: number): number | null {
  if (expression.kind !== 'bitwise' || expression.op !== 'mask-xor') return null;
  const { mask, xor } = expression;
  if (mask === null || xor === null || /[^0]/.test(xor)) return null;
  return mask.length === length * 2 ? prefixLengthOf(bytesFromHex(mask)) : null;
}

/** The bytes of a key as a number. */
function numberOf(key: Key): bigint {
  if (typeof key === 'number') return BigInt(key);
  return fromBytes(Uint8Array.from(key, (byte) => byte.charCodeAt(0)));
}
