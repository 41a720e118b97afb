import type { Register } from '../../model/ruleset.js';
import type { Bytes } from '../netlink-message.js';

/** The attributes of one nest: what the kernel calls each, by its type. Types count from 1. */
export interface AttributeTable<Name extends string> {
  /** As `NFTA_CMP`: the kernel's name of an attribute is this, an underscore and the name here. */
  prefix: string;
  types: Readonly<Record<Name, number>>;
  count: number;
}

/** A table from the kernel's enum without its first, `_UNSPEC`: `table('NFTA_CMP', 'SREG', 'OP', 'DATA')`. */
export function table<Name extends string>(prefix: string, ...names: Name[]): AttributeTable<Name> {
  const types = Object.fromEntries(names.map((name, index) => [name, index + 1]));
  return { prefix, types: types as Record<Name, number>, count: names.length };
}

/** Thrown where bytes are well formed and say what this code does not know: a newer kernel's. */
export class NotUnderstood extends Error {}

const ATTRIBUTE_HEADER = 4;
const ATTRIBUTE_TYPE = 0x3fff;

/** Data registers: NFT_REG_1 to _4 are 128 bits each, NFT_REG32_00 to _15 the same space in words. */
const NFT_REG_VERDICT = 0;
const NFT_REG_4 = 4;
const NFT_REG32_00 = 8;
const NFT_REG32_15 = 23;

/**
 * The attributes of one nest, each read by its name. One that is not there where it has to be, or
 * is not of its size, throws an `EarshotError` that names it as the kernel does.
 */
export class Attributes<Name extends string> {
  /** The nest holds a type that the table has not. */
  readonly strange: boolean;
  readonly #bytes: Bytes;
  readonly #table: AttributeTable<Name>;
  /** By type; of a type that comes twice the last one counts, as in nla_parse. */
  readonly #values: (Bytes | undefined)[];

  constructor(bytes: Bytes, names: AttributeTable<Name>, offset = 0) {
    const values = new Array<Bytes | undefined>(names.count + 1).fill(undefined);
    let strange = false;
    for (let at = offset; at < bytes.length; ) {
      const left = bytes.length - at;
      const length = left < ATTRIBUTE_HEADER ? 0 : bytes.u16(at);
      if (length < ATTRIBUTE_HEADER || length > left) {
        throw bytes.malformed(at, `of ${left} bytes no ${names.prefix}_* attribute can be read`);
      }
      const type = bytes.u16(at + 2) & ATTRIBUTE_TYPE;
      if (type >= 1 && type <= names.count) {
        values[type] = bytes.slice(at + ATTRIBUTE_HEADER, length - ATTRIBUTE_HEADER);
      } else strange = true;
      at += (length + 3) & ~3;
    }
    this.strange = strange;
    this.#bytes = bytes;
    this.#table = names;
    this.#values = values;
  }

  has(name: Name): boolean {
    return this.#values[this.#table.types[name]] !== undefined;
  }

  /** The attribute's payload, or `undefined`. */
  optional(name: Name): Bytes | undefined {
    return this.#values[this.#table.types[name]];
  }

  bytes(name: Name): Bytes {
    const value = this.#values[this.#table.types[name]];
    if (!value) throw this.#bytes.malformed(0, `${this.#nameOf(name)} is not there`);
    return value;
  }

  u8(name: Name): number {
    return this.#sized(name, 1).u8(0);
  }

  u16(name: Name): number {
    const value = this.#sized(name, 2);
    return (value.u8(0) << 8) | value.u8(1);
  }

  u32(name: Name): number {
    return this.#sized(name, 4).be32(0);
  }

  i32(name: Name): number {
    return this.#sized(name, 4).beI32(0);
  }

  /** Throws for what a number cannot hold exactly: handles, and what else only counts. */
  u64(name: Name): number {
    return this.#sized(name, 8).be64(0);
  }

  /** What a person may have set to any 64-bit number: above 2^53 the nearest that a number holds. */
  amount(name: Name): number {
    const value = this.#sized(name, 8);
    return value.be32(0) * 2 ** 32 + value.be32(4);
  }

  /** Text up to its NUL. */
  text(name: Name): string {
    return shortText(this.bytes(name));
  }

  u32Or<Fallback>(name: Name, fallback: Fallback): number | Fallback {
    return this.has(name) ? this.u32(name) : fallback;
  }

  /** The name of a number by its place in a list; a number beyond it is not understood. */
  choice<Choice extends string>(name: Name, choices: readonly Choice[], fallback?: number): Choice {
    const number = fallback !== undefined && !this.has(name) ? fallback : this.u32(name);
    return choose(this.#nameOf(name), number, choices);
  }

  /** Is the one flag that is known set? Any other is not understood; no attribute means no flag. */
  flag(name: Name, known: number): boolean {
    const flags = this.u32Or(name, 0);
    if ((flags & ~known) !== 0) throw new NotUnderstood(`${this.#nameOf(name)} ${flags}`);
    return (flags & known) !== 0;
  }

  /** A register that data is read from or written to. */
  register(name: Name): number {
    const register = this.destination(name);
    if (register === 'verdict') {
      throw this.bytes(name).malformed(0, `${this.#nameOf(name)} is the verdict register`);
    }
    return register;
  }

  registerOrNull(name: Name): number | null {
    return this.has(name) ? this.register(name) : null;
  }

  /** A register that data, or a verdict, is written to. */
  destination(name: Name): Register {
    const number = this.u32(name);
    if (number === NFT_REG_VERDICT) return 'verdict';
    if (number <= NFT_REG_4) return 4 * (number - 1);
    if (number >= NFT_REG32_00 && number <= NFT_REG32_15) return number - NFT_REG32_00;
    throw this.bytes(name).malformed(0, `${this.#nameOf(name)} is ${number}, no register`);
  }

  #sized(name: Name, size: number): Bytes {
    const value = this.bytes(name);
    if (value.length !== size) {
      throw value.malformed(0, `${this.#nameOf(name)} is ${value.length} bytes long, not ${size}`);
    }
    return value;
  }

  #nameOf(name: Name): string {
    return `${this.#table.prefix}_${name}`;
  }
}

/** The name of a number by its place in a list; a number beyond it is not understood. */
export function choose<Choice extends string>(
  what: string,
  number: number,
  choices: readonly Choice[],
): Choice {
  const choice = choices[number];
  if (choice === undefined) throw new NotUnderstood(`${what} ${number}`);
  return choice;
}

/** Names are short and mostly ASCII: the general decoder costs ten times as much for these. */
function shortText(value: Bytes): string {
  const raw = value.raw();
  if (raw.length > 32) return value.text();
  let text = '';
  for (const code of raw) {
    if (code === 0) break;
    if (code > 0x7f) return value.text();
    text += String.fromCharCode(code);
  }
  return text;
}
