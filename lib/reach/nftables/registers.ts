/** The size of all data registers together, in bytes (NFT_REG32_NUM words). */
export const REGISTERS_SIZE = 64;

/** What a comparison may come out as; several where bits are unknown. */
export const LESS = 1;
export const EQUAL = 2;
export const GREATER = 4;

/**
 * The data registers of a chain's run (struct nft_regs): 16 words of 32 bits, as bytes. Beside each
 * bit stands whether it is known: what a peer chooses freely, as a sequence number, is not.
 */
export class Registers {
  readonly bytes = new Uint8Array(REGISTERS_SIZE);
  readonly unknown = new Uint8Array(REGISTERS_SIZE);
  /** Which byte of the watched peer's address each is, counted from one; 0 for none. */
  readonly peerByte = new Uint8Array(REGISTERS_SIZE);
  /** As far as these bits are set. */
  readonly peerMask = new Uint8Array(REGISTERS_SIZE);
  /** The words that begin with the port that is asked for, and hold nothing else: a bit for each. */
  portWords = 0;
  /** The words of which some byte is the peer's: a bit for each. */
  #peerWords = 0;
  /** The word where the whole address begins, or the front of it, as it is; -1 for none. */
  plainPeer = -1;
  /** How many bytes of it stand there. */
  plainLength = 0;

  /** Some byte is of the peer's address. */
  get holdsPeer(): boolean {
    return this.#peerWords !== 0;
  }

  clear(): void {
    this.bytes.fill(0);
    this.unknown.fill(0);
    this.portWords = 0;
    if (this.holdsPeer) this.#forgetPeer(0, REGISTERS_SIZE);
  }

  /** The bytes from here on are those of the peer's address, from one of them on. */
  holdPeer(at: number, length: number, from: number): void {
    this.#peerWords |= wordBits(at >>> 2, length + (at & 3));
    if (from === 0 && (at & 3) === 0) {
      this.plainPeer = at >>> 2;
      this.plainLength = length;
    }
    for (let index = 0; index < length; index++) {
      this.peerByte[at + index] = from + index + 1;
      this.peerMask[at + index] = 0xff;
    }
  }

  /** Is any of these words the port that is asked for? */
  hasPort(word: number, length: number): boolean {
    return (this.portWords & wordBits(word, length)) !== 0;
  }

  /** Is any of these bytes the peer's? */
  hasPeer(word: number, length: number): boolean {
    if ((this.#peerWords & wordBits(word, length)) === 0) return false;
    for (let at = word * 4; at < word * 4 + length; at++) if (this.peerByte[at] !== 0) return true;
    return false;
  }

  /** Something is made of bytes of the peer's address: they go to these words, changed. */
  changePeer(word: number, length: number): void {
    this.#peerWords |= wordBits(word, length);
    this.plainPeer = -1;
  }

  #forgetPeer(start: number, end: number): void {
    this.peerByte.fill(0, start, end);
    this.peerMask.fill(0, start, end);
    this.#peerWords &= ~wordBits(start >>> 2, end - start);
    this.plainPeer = -1;
  }

  /** Bytes into a register; the rest of the last word is cleared, as the kernel does. */
  store(
    word: number,
    bytes: Uint8Array,
    from = 0,
    length = bytes.length,
    unknown: Uint8Array | null = null,
  ): void {
    const start = word * 4;
    for (let index = 0; index < length; index++) {
      this.bytes[start + index] = bytes[from + index]!;
      this.unknown[start + index] = unknown === null ? 0 : unknown[from + index]!;
    }
    this.#pad(start, length);
  }

  /** A number in the host's byte order. */
  storeNumber(word: number, value: number, length = 4): void {
    const start = word * 4;
    for (let index = 0; index < length; index++) {
      this.bytes[start + index] = index < 4 ? value >>> (8 * index) : 0;
      this.unknown[start + index] = 0;
    }
    this.#pad(start, length);
  }

  /** A number most significant byte first, as packets hold it. */
  storeNetwork16(word: number, value: number): void {
    this.storeNumber(word, ((value & 0xff) << 8) | (value >>> 8), 2);
  }

  /** Nothing is known of these bytes. */
  storeUnknown(word: number, length: number): void {
    const start = word * 4;
    this.bytes.fill(0, start, start + length);
    this.unknown.fill(0xff, start, start + length);
    this.#pad(start, length);
  }

  isKnown(word: number, length: number): boolean {
    const start = word * 4;
    for (let index = start; index < start + length; index++)
      if (this.unknown[index] !== 0) return false;
    return true;
  }

  /** The number in a register, in the host's byte order; `null` where it is not known. */
  number(word: number): number | null {
    if (!this.isKnown(word, 4)) return null;
    const at = word * 4;
    const { bytes } = this;
    const high = bytes[at + 3]! * 0x1000000;
    return high + (bytes[at + 2]! << 16) + (bytes[at + 1]! << 8) + bytes[at]!;
  }

  /** The port in a register, in network order; `null` where it is not known. */
  port(word: number): number | null {
    if (!this.isKnown(word, 2)) return null;
    return this.bytes[word * 4]! * 256 + this.bytes[word * 4 + 1]!;
  }

  /** How a register compares with bytes: all of LESS, EQUAL and GREATER that may be. */
  compare(word: number, data: Uint8Array): number {
    const start = word * 4;
    for (let index = 0; index < data.length; index++) {
      if (this.unknown[start + index] !== 0) return this.#compareUnknown(start, data, index);
      const difference = this.bytes[start + index]! - data[index]!;
      if (difference !== 0) return difference < 0 ? LESS : GREATER;
    }
    return EQUAL;
  }

  /** From the first byte on that is not wholly known: with all such bits clear, and with all set. */
  #compareUnknown(start: number, data: Uint8Array, first: number): number {
    let least = 0;
    let most = 0;
    let canEqual = true;
    for (let index = first; index < data.length; index++) {
      const unknown = this.unknown[start + index]!;
      const byte = this.bytes[start + index]!;
      const wanted = data[index]!;
      if (((byte ^ wanted) & ~unknown) !== 0) canEqual = false;
      if (least === 0) least = (byte & ~unknown) - wanted;
      if (most === 0) most = (byte | unknown) - wanted;
    }
    return (least < 0 ? LESS : 0) | (canEqual ? EQUAL : 0) | (most > 0 ? GREATER : 0);
  }

  #pad(start: number, length: number): void {
    if (this.portWords !== 0) this.portWords &= ~wordBits(start >>> 2, length);
    if (this.#peerWords !== 0 && (this.#peerWords & wordBits(start >>> 2, length)) !== 0)
      this.#forgetPeer(start, (start + length + 3) & ~3);
    for (let index = start + length; (index & 3) !== 0; index++) {
      this.bytes[index] = 0;
      this.unknown[index] = 0;
    }
  }
}

function wordBits(word: number, length: number): number {
  const count = (length + 3) >>> 2;
  return count >= 16 ? 0xffff : ((1 << count) - 1) << word;
}
