import { type Address, compareAddresses } from '../../model/address.js';
import type { Frame, PartlyKnown } from '../nftables/frame.js';
import type { Answer } from './extension.js';

/** Is a byte, as far as the mask goes, of that value? */
export function byteIs(
  { bytes, unknown }: PartlyKnown,
  at: number,
  mask: number,
  value: number,
): Answer {
  const byte = bytes[at];
  if (byte === undefined) return false;
  const open = unknown[at]!;
  if (((byte & mask) ^ value) & ~(open & mask)) return false;
  return (open & mask) === 0 ? true : 'may';
}

/** Does a byte lie in a range? */
export function byteWithin(
  { bytes, unknown }: PartlyKnown,
  at: number,
  from: number,
  to: number,
): Answer {
  const byte = bytes[at];
  if (byte === undefined) return false;
  const least = byte & ~unknown[at]!;
  const most = byte | unknown[at]!;
  if (most < from || least > to) return false;
  return least >= from && most <= to ? true : 'may';
}

/** Are bytes of the packet those? */
export function bytesAre({ bytes, unknown }: PartlyKnown, at: number, wanted: Uint8Array): Answer {
  let answer: Answer = true;
  for (let index = 0; index < wanted.length; index++) {
    const byte = bytes[at + index];
    if (byte === undefined) return false;
    const open = unknown[at + index]!;
    if (((byte ^ wanted[index]!) & ~open) !== 0) return false;
    if (open !== 0) answer = 'may';
  }
  return answer;
}

/** Does a number lie in a range? */
export function within(number: number, from: number, to: number): boolean {
  return number >= from && number <= to;
}

/** Two addresses are alike as far as the mask goes. */
export function isMasked(address: Address, mask: Address, value: Address): boolean {
  return (
    ((address.a ^ value.a) & mask.a) === 0 &&
    ((address.b ^ value.b) & mask.b) === 0 &&
    ((address.c ^ value.c) & mask.c) === 0 &&
    ((address.d ^ value.d) & mask.d) === 0
  );
}

/** An address lies in a range, both ends included. */
export function isBetween(address: Address, first: Address, last: Address): boolean {
  return compareAddresses(address, first) >= 0 && compareAddresses(address, last) <= 0;
}

/** The traffic class or type of service; every bit of it stands in one or two bytes. */
export function tosOf({ family, bytes, unknown }: Frame): { value: number; unknown: number } {
  if (family === 'ipv4') return { value: bytes[1]!, unknown: unknown[1]! };
  const of = (from: Uint8Array) => ((from[0]! & 0x0f) << 4) | (from[1]! >>> 4);
  return { value: of(bytes), unknown: of(unknown) };
}
