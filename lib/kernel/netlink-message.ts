import { endianness } from 'node:os';
import { EarshotError } from '../errors.js';
import { type Address, addressFromBytes } from '../model/address.js';
import type { Family } from '../model/socket.js';

/*
 * The wire format of netlink(7), all in host byte order:
 *
 *   message    length:u32  type:u16  flags:u16  sequence:u32  port:u32  payload   next at align4
 *   attribute  length:u16  type:u16  payload                                      next at align4
 *
 * Lengths count the headers and not the padding behind them. The two top bits of an attribute's
 * type are flags (nested, network byte order).
 */

const MESSAGE_HEADER = 16;
const ATTRIBUTE_HEADER = 4;
/** NLA_TYPE_MASK */
const ATTRIBUTE_TYPE = 0x3fff;
/** Types below NLMSG_MIN_TYPE are netlink's own: acknowledgement, end of a dump. */
const FIRST_TYPE = 0x10;

const align4 = (length: number): number => (length + 3) & ~3;

const utf8 = new TextDecoder();
const hostIsLittleEndian = endianness() === 'LE';

/**
 * A stretch of bytes that cannot be left: every read is checked against its end, and a read past it
 * throws an `EarshotError` that names what was being read and where.
 */
export class Bytes {
  readonly #view: DataView;
  readonly #start: number;
  readonly #end: number;
  readonly #littleEndian: boolean;
  readonly #what: string;

  private constructor(
    view: DataView,
    start: number,
    end: number,
    littleEndian: boolean,
    what: string,
  ) {
    this.#view = view;
    this.#start = start;
    this.#end = end;
    this.#littleEndian = littleEndian;
    this.#what = what;
  }

  /**
   * All of an array, as the bytes of `what` (a plural, for messages: 'links').
   * `littleEndian` is the byte order of the host the bytes were made on.
   */
  static of(bytes: Uint8Array, what: string, littleEndian = hostIsLittleEndian): Bytes {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    return new Bytes(view, 0, bytes.byteLength, littleEndian, what);
  }

  get littleEndian(): boolean {
    return this.#littleEndian;
  }

  get length(): number {
    return this.#end - this.#start;
  }

  /** What these bytes are, for messages. */
  get what(): string {
    return this.#what;
  }

  u8(offset: number): number {
    return this.#view.getUint8(this.#at(offset, 1));
  }

  u16(offset: number): number {
    return this.#view.getUint16(this.#at(offset, 2), this.#littleEndian);
  }

  u32(offset: number): number {
    return this.#view.getUint32(this.#at(offset, 4), this.#littleEndian);
  }

  /** The nearest number: exact as far as Number.MAX_SAFE_INTEGER. */
  u64(offset: number): number {
    const at = this.#at(offset, 8);
    const [low, high] = this.#littleEndian ? [at, at + 4] : [at + 4, at];
    const view = this.#view;
    return (
      view.getUint32(high, this.#littleEndian) * 2 ** 32 + view.getUint32(low, this.#littleEndian)
    );
  }

  i32(offset: number): number {
    return this.#view.getInt32(this.#at(offset, 4), this.#littleEndian);
  }

  /** Network byte order, as nftables has it. */
  be32(offset: number): number {
    return this.#view.getUint32(this.#at(offset, 4));
  }

  /** Network byte order, signed. */
  beI32(offset: number): number {
    return this.#view.getInt32(this.#at(offset, 4));
  }

  /** Network byte order; throws for what a number cannot hold exactly. */
  be64(offset: number): number {
    const value = this.#view.getBigUint64(this.#at(offset, 8));
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) {
      throw this.malformed(offset, `${value} is more than any kernel counts to`);
    }
    return Number(value);
  }

  /** An address in network byte order, 4 or 16 bytes by family. */
  address(offset: number, family: Family): Address {
    const size = family === 'ipv4' ? 4 : 16;
    const at = this.#at(offset, size);
    return addressFromBytes(
      new Uint8Array(this.#view.buffer, this.#view.byteOffset + at, size),
      0,
      family,
    );
  }

  /** Text up to its NUL, or to the end where there is none. */
  text(): string {
    const bytes = this.raw();
    const end = bytes.indexOf(0);
    return utf8.decode(end < 0 ? bytes : bytes.subarray(0, end));
  }

  /** A character a byte: equal where the bytes are. */
  latin1(): string {
    const { buffer, byteOffset } = this.#view;
    return Buffer.from(buffer, byteOffset + this.#start, this.length).toString('latin1');
  }

  /** The bytes themselves, not copied. */
  raw(): Uint8Array {
    return new Uint8Array(
      this.#view.buffer,
      this.#view.byteOffset + this.#start,
      this.#end - this.#start,
    );
  }

  /** From `offset` on, `length` bytes or all that is left. */
  slice(offset: number, length = this.length - offset): Bytes {
    if (length < 0) throw this.malformed(offset, `${this.length} bytes are too few`);
    const start = this.#at(offset, length);
    return new Bytes(this.#view, start, start + length, this.#littleEndian, this.#what);
  }

  /** The attributes that begin at `offset`, in order: the type without its flags, and the payload. */
  *attributes(offset = 0): Generator<[type: number, value: Bytes]> {
    let at = offset;
    while (at < this.length) {
      const length = this.u16(at);
      if (length < ATTRIBUTE_HEADER || at + length > this.length) {
        throw this.malformed(
          at,
          `an attribute of ${length} bytes where ${this.length - at} are left`,
        );
      }
      yield [
        this.u16(at + 2) & ATTRIBUTE_TYPE,
        this.slice(at + ATTRIBUTE_HEADER, length - ATTRIBUTE_HEADER),
      ];
      at += align4(length);
    }
  }

  /** The attributes that begin at `offset`, by type. Of a type that comes twice the last one counts, as in the kernel. */
  attributeMap(offset = 0): Map<number, Bytes> {
    return new Map(this.attributes(offset));
  }

  /** The error that says these bytes are not of their form. */
  malformed(offset: number, why: string): EarshotError {
    return malformed(this.#what, `at byte ${this.#start + offset}: ${why}`);
  }

  #at(offset: number, size: number): number {
    const at = this.#start + offset;
    if (offset < 0 || at + size > this.#end) {
      throw this.malformed(offset, `${size} bytes wanted of a stretch of ${this.length}`);
    }
    return at;
  }
}

/** The error that says that the bytes of `what` are not of their form, where and why. */
export function malformed(what: string, why: string): EarshotError {
  return new EarshotError(
    'ERR_KERNEL',
    `the kernel's message about ${what} is not of its form ${why}; ` +
      'if these are bytes straight from a kernel, please report them with its release (uname -r)',
  );
}

/** One netlink message: its type, and what follows the header. */
export interface Message {
  type: number;
  payload: Bytes;
}

/**
 * The messages in the bytes of a reply, netlink's own left out. `what` names them in errors, as
 * 'links'. Throws an `EarshotError` (`ERR_KERNEL`) where a length is not possible.
 */
export function* messages(
  bytes: Uint8Array,
  what: string,
  littleEndian?: boolean,
): Generator<Message> {
  const all = Bytes.of(bytes, what, littleEndian);
  let at = 0;
  while (at < all.length) {
    const length = all.u32(at);
    if (length < MESSAGE_HEADER || at + length > all.length) {
      throw all.malformed(at, `a message of ${length} bytes where ${all.length - at} are left`);
    }
    const type = all.u16(at + 4);
    if (type >= FIRST_TYPE) {
      yield { type, payload: all.slice(at + MESSAGE_HEADER, length - MESSAGE_HEADER) };
    }
    at += align4(length);
  }
}

/** The names of the bits set in a number, by a table of bit and name. */
export function namesOfBits(
  value: number,
  names: readonly (readonly [number, string])[],
): string[] {
  return names.filter(([bit]) => (value & bit) !== 0).map(([, name]) => name);
}
