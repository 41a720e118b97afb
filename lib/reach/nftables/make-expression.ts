import type { Hex, NftExpression } from '../../model/ruleset.js';
import type { Family } from '../../model/socket.js';
import type { MaskedAddress } from '../../model/xtables.js';

/* Expressions as nft(8) makes them of a condition: a load into a register, and what it is compared with. */

/** Where the addresses stand in the network header. */
export const addressAt: Readonly<Record<Family, { source: number; destination: number }>> = {
  ipv4: { source: 12, destination: 16 },
  ipv6: { source: 8, destination: 24 },
};

export function payload(
  base: 'network' | 'transport',
  offset: number,
  length: number,
): NftExpression {
  return { kind: 'payload', destination: 0, base, offset, length };
}

export function compare(data: Hex, invert = false): NftExpression {
  return { kind: 'cmp', source: 0, op: invert ? 'neq' : 'eq', data };
}

/** What was loaded, but for the bits that a mask leaves out. */
export function masked(length: number, mask: Hex): NftExpression {
  return {
    kind: 'bitwise',
    source: 0,
    source2: null,
    destination: 0,
    length,
    op: 'mask-xor',
    mask,
    xor: '00'.repeat(length),
    data: null,
  };
}

const whole = /^(?:ff)*$/;

/** An address at a place of the network header; nothing where any will do. */
export function addressIs(wanted: MaskedAddress | null, offset: number): NftExpression[] {
  if (!wanted) return [];
  const { address, mask, invert } = wanted;
  const length = address.length / 2;
  const load = payload('network', offset, length);
  return whole.test(mask)
    ? [load, compare(address, invert)]
    : [load, masked(length, mask), compare(address, invert)];
}

/** A 16-bit number as expressions have it, in network order. */
export function hexPort(port: number): Hex {
  return port.toString(16).padStart(4, '0');
}
