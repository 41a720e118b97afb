import { addressFromBytes, formatAddress } from './address.js';

/*
 * Columns as the texts of records, for who makes one for each of hundreds of thousands of rows.
 */

/** The place of the lower half of a 64-bit number, in words. */
const LOW = new Uint8Array(Uint32Array.of(1).buffer)[0] === 1 ? 0 : 1;

/** A 64-bit column word by word, for no BigInt is made where a record needs none. */
export function wordsOf(column: BigUint64Array): Uint32Array {
  return new Uint32Array(column.buffer, column.byteOffset, 2 * column.length);
}

/** 00 to ff: a number's own toString() is several times slower. */
const BYTE_TEXTS = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));

/** 32 bits as 8 hexadecimal digits. */
function wordText(word: number): string {
  return (
    BYTE_TEXTS[word >>> 24]! +
    BYTE_TEXTS[(word >>> 16) & 0xff]! +
    BYTE_TEXTS[(word >>> 8) & 0xff]! +
    BYTE_TEXTS[word & 0xff]!
  );
}

/** So many cookies become text at once: a record that is kept keeps the text of all these. */
const COOKIES = 64;
const cookieBytes = Buffer.alloc(8 * COOKIES);

/**
 * A column of cookies as 16 hexadecimal digits each, `null` for 0. For who reads row after row many
 * are made at once, of which each is a slice: to put them together one by one took half the time of
 * making records.
 */
export class CookieTexts {
  readonly #column: Uint8Array;
  readonly #words: Uint32Array;
  #first = 0;
  #texts = '';

  constructor(column: BigUint64Array) {
    this.#column = new Uint8Array(column.buffer, column.byteOffset, column.byteLength);
    this.#words = wordsOf(column);
  }

  at(row: number): string | null {
    const low = this.#words[2 * row + LOW]!;
    const high = this.#words[2 * row + 1 - LOW]!;
    if (low === 0 && high === 0) return null;
    if (row % COOKIES === 0) this.#readFrom(row);
    const at = 16 * (row - this.#first);
    if (at >= 0 && at < this.#texts.length) return this.#texts.substring(at, at + 16);
    return (high === 0 ? '00000000' : wordText(high)) + wordText(low);
  }

  #readFrom(row: number): void {
    const bytes = this.#column.subarray(8 * row, 8 * (row + COOKIES));
    cookieBytes.set(bytes);
    if (LOW === 0) cookieBytes.swap64();
    this.#first = row;
    this.#texts = cookieBytes.toString('hex', 0, bytes.length);
  }
}

/** The texts of a column of addresses: what many rows share is made once. */
export class AddressTexts {
  readonly #column: Uint8Array;
  readonly #ipv4 = new Map<number, string>();
  /** Word by word, to see at once that an address is the one before. */
  readonly #words: Uint32Array;
  /** Where that is, in words. */
  #lastIpv6 = -1;
  #lastIpv6Text = '';

  constructor(column: Uint8Array) {
    this.#column = column;
    this.#words = new Uint32Array(column.buffer, column.byteOffset, column.length / 4);
  }

  at(row: number, isIpv4: boolean): string {
    return isIpv4 ? this.#ipv4At(16 * row) : this.#ipv6At(16 * row);
  }

  #ipv4At(at: number): string {
    const bytes = this.#column;
    const key =
      (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!;
    let text = this.#ipv4.get(key);
    if (text === undefined) {
      text = `${bytes[at]}.${bytes[at + 1]}.${bytes[at + 2]}.${bytes[at + 3]}`;
      this.#ipv4.set(key, text);
    }
    return text;
  }

  #ipv6At(at: number): string {
    const [words, place, last] = [this.#words, at / 4, this.#lastIpv6];
    const isLast =
      last >= 0 &&
      words[place + 3] === words[last + 3] &&
      words[place + 2] === words[last + 2] &&
      words[place + 1] === words[last + 1] &&
      words[place] === words[last];
    if (!isLast) this.#lastIpv6Text = formatAddress(addressFromBytes(this.#column, at, 'ipv6'));
    this.#lastIpv6 = place;
    return this.#lastIpv6Text;
  }
}
