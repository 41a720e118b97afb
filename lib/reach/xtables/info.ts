import { type Address, addressFromBytes, formatAddress } from '../../model/address.js';
import type { Hex } from '../../model/ruleset.js';
import type { Family } from '../../model/socket.js';
import { bytesFromHex, fromBigEndian, fromLittleEndian } from '../nftables/bytes.js';

/**
 * The structure that a match or target is told by, as the kernel's C has it on a little-endian host.
 * Reading beyond its end gives zero: its size is looked at first.
 */
export class Info {
  readonly bytes: Uint8Array;

  constructor(hex: Hex) {
    this.bytes = bytesFromHex(hex);
  }

  /** Is it a structure of so many bytes, filled up as XT_ALIGN does on hosts of 32 or 64 bits? */
  isSized(size: number): boolean {
    const { length } = this.bytes;
    return length === size || length === up(size, 4) || length === up(size, 8);
  }

  u8(at: number): number {
    return this.bytes[at] ?? 0;
  }

  u16(at: number): number {
    return fromLittleEndian(this.bytes, at, 2);
  }

  u32(at: number): number {
    return fromLittleEndian(this.bytes, at, 4);
  }

  /** A port as packets hold it. */
  port(at: number): number {
    return fromBigEndian(this.bytes, at, 2);
  }

  /** Text up to its NUL. */
  text(at: number, length: number): string {
    const field = this.bytes.subarray(at, at + length);
    const end = field.indexOf(0);
    return new TextDecoder().decode(end < 0 ? field : field.subarray(0, end));
  }

  /** union nf_inet_addr, or an address alone. */
  address(at: number, family: Family): Address {
    return addressFromBytes(this.bytes, at, family);
  }

  addressText(at: number, family: Family): string {
    return formatAddress(this.address(at, family));
  }
}

function up(size: number, to: number): number {
  return Math.ceil(size / to) * to;
}
