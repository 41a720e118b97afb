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

export const ATTRIBUTE_HEADER = 4;
/** NLA_TYPE_MASK */
export const ATTRIBUTE_TYPE = 0x3fff;
const NONE = -1;

/** enum nft_list_attributes */
const NFTA_LIST_ELEM = 1;

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
  /**
   * Where the payload of each type begins and ends, NONE where it is not there; of a type that comes
   * twice the last one counts, as in nla_parse. Rule sets hold hundreds of thousands of attributes:
   * most are read in place, and only those that hold more are cut out.
   */
  readonly #spans: number[];

  constructor(bytes: Bytes, names: AttributeTable<Name>, offset = 0) {
    const spans: number[] = [];
    for (let type = 0; type <= names.count; type++) spans.push(NONE, NONE);
    let strange = false;
    for (let at = offset; at < bytes.length; ) {
      const length = attributeAt(bytes, at, bytes.length, names.prefix);
      const type = bytes.u16(at + 2) & ATTRIBUTE_TYPE;
      if (type >= 1 && type <= names.count) {
        spans[2 * type] = at + ATTRIBUTE_HEADER;
        spans[2 * type + 1] = at + length;
      } else strange = true;
      at += (length + 3) & ~3;
    }
    this.strange = strange;
    this.#bytes = bytes;
    this.#table = names;
    this.#spans = spans;
  }

  has(name: Name): boolean {
    return this.#spans[2 * this.#table.types[name]] !== NONE;
  }

  /** The attribute's payload, or `undefined`. */
  optional(name: Name): Bytes | undefined {
    return this.has(name) ? this.bytes(name) : undefined;
  }

  bytes(name: Name): Bytes {
    const type = this.#table.types[name];
    const start = this.#spans[2 * type]!;
    if (start === NONE) throw this.#bytes.malformed(0, `${this.#nameOf(name)} is not there`);
    return this.#bytes.slice(start, this.#spans[2 * type + 1]! - start);
  }

  u8(name: Name): number {
    return this.#bytes.u8(this.#sized(name, 1));
  }

  u16(name: Name): number {
    const at = this.#sized(name, 2);
    return (this.#bytes.u8(at) << 8) | this.#bytes.u8(at + 1);
  }

  u32(name: Name): number {
    return this.#bytes.be32(this.#sized(name, 4));
  }

  i32(name: Name): number {
    return this.#bytes.beI32(this.#sized(name, 4));
  }

  /** Throws for what a number cannot hold exactly: handles, and what else only counts. */
  u64(name: Name): number {
    return this.#bytes.be64(this.#sized(name, 8));
  }

  /** What a person may have set to any 64-bit number: above 2^53 the nearest that a number holds. */
  amount(name: Name): number {
    const at = this.#sized(name, 8);
    return this.#bytes.be32(at) * 2 ** 32 + this.#bytes.be32(at + 4);
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

  /** Where a payload of this size begins. */
  #sized(name: Name, size: number): number {
    const type = this.#table.types[name];
    const start = this.#spans[2 * type]!;
    const length = this.#spans[2 * type + 1]! - start;
    if (start !== NONE && length === size) return start;
    throw this.bytes(name).malformed(
      0,
      `${this.#nameOf(name)} is ${length} bytes long, not ${size}`,
    );
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

/** The length of the attribute at `at`, its header counted, which has to end by `end`. */
export function attributeAt(bytes: Bytes, at: number, end: number, prefix: string): number {
  const left = end - at;
  const length = left < ATTRIBUTE_HEADER ? 0 : bytes.u16(at);
  if (length >= ATTRIBUTE_HEADER && length <= left) return length;
  throw bytes.malformed(at, `of ${left} bytes no ${prefix}_* attribute can be read`);
}

/** What the entries of a list (NFTA_LIST_ELEM) say, each read by `read`. */
export function listOf<Value>(list: Bytes, read: (entry: Bytes) => Value): Value[] {
  const values: Value[] = [];
  for (let at = 0; at < list.length; ) {
    const length = attributeAt(list, at, list.length, 'NFTA_LIST');
    if ((list.u16(at + 2) & ATTRIBUTE_TYPE) === NFTA_LIST_ELEM) {
      values.push(read(list.slice(at + ATTRIBUTE_HEADER, length - ATTRIBUTE_HEADER)));
    }
    at += (length + 3) & ~3;
  }
  return values;
}

/** Names are short and mostly ASCII: the general decoder costs ten times as much for these. */
function shortText(value: Bytes): string {
  if (value.length > 32) return value.text();
  let text = '';
  for (let at = 0; at < value.length; at++) {
    const code = value.u8(at);
    if (code === 0) break;
    if (code > 0x7f) return value.text();
    text += ASCII[code];
  }
  return text;
}

const ASCII = Array.from({ length: 0x80 }, (_, code) => String.fromCharCode(code));
