import type { AddressRange } from '../../model/prefix-set.js';
import type { NftComparison } from '../../model/ruleset.js';
import { fromBytes } from './bytes.js';
import { prefixLengthOf } from './print/values.js';
import { EQUAL } from './registers.js';
import type { Run } from './run.js';
import type { AddressPart } from './set-peers.js';
import type { CompiledSet } from './sets.js';

/*
 * Which peers get the same answer as the one that is watched, where a register that holds bytes of
 * its address is compared. What is no prefix, range or set of them blurs the watch.
 */

/** Notes a comparison of a register with a constant. */
export function askByComparison(
  run: Run,
  word: number,
  op: NftComparison,
  wanted: Uint8Array,
  front: FrontQuestion,
): void {
  const { registers, peer } = run;
  if (!peer || !registers.hasPeer(word, wanted.length)) return;
  const isEquality = op === 'eq' || op === 'neq';
  if (isEquality && registers.plainPeer === word && registers.plainLength >= wanted.length) {
    const { key, ranges } = front.of(peer.bytes.length);
    peer.asks(key, ranges, registers.compare(word, wanted) === EQUAL);
  } else if (isEquality) askForEqual(run, word, wanted);
  else {
    const shift = leadingBits(run, word, wanted.length);
    if (shift === null) return;
    const bound = fromBytes(wanted) + (op === 'lte' || op === 'gt' ? 1n : 0n);
    const end = (bound << shift) - 1n;
    const ranges = () => (end < 0n ? [] : [{ first: 0n, last: end }]);
    peer.asks(`<${end}`, ranges, peer.number <= end);
  }
}

/** A constant that addresses are compared with from their first byte on: a prefix of them. */
export class FrontQuestion {
  #known: { size: number; key: string; ranges: () => readonly AddressRange[] } | null = null;

  constructor(private readonly wanted: Uint8Array) {}

  /** `size`: the bytes of an address. */
  of(size: number): { key: string; ranges: () => readonly AddressRange[] } {
    if (this.#known?.size === size) return this.#known;
    const rest = BigInt((size - this.wanted.length) * 8);
    const first = fromBytes(this.wanted) << rest;
    const last = first + (1n << rest) - 1n;
    const all = [{ first, last }];
    this.#known = { size, key: `${first}-${last}`, ranges: () => all };
    return this.#known;
  }
}

/** Notes whether a register lies between two constants, both included. */
export function askByRange(run: Run, word: number, from: Uint8Array, to: Uint8Array): void {
  const { registers, peer } = run;
  if (!peer || !registers.hasPeer(word, from.length)) return;
  const shift = leadingBits(run, word, from.length);
  if (shift === null) return;
  const first = fromBytes(from) << shift;
  const last = ((fromBytes(to) + 1n) << shift) - 1n;
  const ranges = () => (first <= last ? [{ first, last }] : []);
  peer.asks(`${first}-${last}`, ranges, peer.number >= first && peer.number <= last);
}

/** The address is compared as far as some mask says: where that is a prefix, peers inside and outside differ. */
function askForEqual(run: Run, word: number, wanted: Uint8Array): void {
  const { registers } = run;
  const peer = run.peer!;
  const { bytes, unknown, peerByte, peerMask } = registers;
  const size = peer.bytes.length;
  const mask = new Uint8Array(size);
  const value = new Uint8Array(size);
  let asks = false;
  for (let index = 0; index < wanted.length; index++) {
    const at = word * 4 + index;
    const place = peerByte[at]! - 1;
    const ones = peerMask[at]!;
    if (place < 0 || ones === 0) {
      // It differs for everybody.
      if (unknown[at] === 0 && bytes[at] !== wanted[index]) return;
      continue;
    }
    const added = bytes[at]! ^ (peer.bytes[place]! & ones);
    const want = wanted[index]! ^ added;
    if ((want & ~ones) !== 0) return; // nobody has such an address
    asks = true;
    mask[place] = ones;
    value[place] = want;
  }
  if (!asks) return;
  const length = prefixLengthOf(mask);
  if (length === null) {
    run.looksAtPeer();
    return;
  }
  const rest = BigInt(size * 8 - length);
  const first = fromBytes(value);
  const last = first + (1n << rest) - 1n;
  peer.asks(
    `${first}-${last}`,
    () => [{ first, last }],
    peer.number >= first && peer.number <= last,
  );
}

/** The key is the address. */
const wholeIpv4: AddressPart = { offset: 0, size: 4, hostBits: 0 };
const wholeIpv6: AddressPart = { offset: 0, size: 16, hostBits: 0 };

/** Notes a look-up of a key that holds the address, and the place that was found. */
export function askBySet(run: Run, word: number, set: CompiledSet, place: number): void {
  const { registers, peer } = run;
  if (!peer || !registers.holdsPeer) return;
  const { peerByte, peerMask, bytes } = registers;
  const start = word * 4;
  const size = peer.bytes.length;
  if (set.keyLength === size && registers.plainPeer === word && registers.plainLength === size) {
    const found = set.peersLike(peer.bytes, size === 4 ? wholeIpv4 : wholeIpv6, place);
    if (found) peer.asks(found.name, () => found.ranges, found.inside);
    else run.looksAtPeer();
    return;
  }
  let offset = -1;
  let count = 0;
  for (let index = 0; index < set.keyLength; index++) {
    if (peerByte[start + index] === 0) continue;
    if (offset < 0) offset = index;
    count++;
  }
  if (count === 0) return;
  const mask = peerMask.subarray(start + offset, start + offset + size);
  let whole = count === size && offset + size <= set.keyLength;
  for (let index = 0; whole && index < size; index++) {
    const at = start + offset + index;
    whole =
      peerByte[at] === index + 1 && bytes[at] === (peer.bytes[index]! & (mask[index] as number));
  }
  const length = whole ? prefixLengthOf(mask) : null;
  if (length === null) {
    run.looksAtPeer();
    return;
  }
  const key = bytes.slice(start, start + set.keyLength);
  const part = { offset, size, hostBits: size * 8 - length };
  const found = set.peersLike(key, part, place);
  if (found) peer.asks(found.name, () => found.ranges, found.inside);
  else run.looksAtPeer();
}

/** How many bits of the address stand behind those that a register begins with; blurred where it holds others. */
function leadingBits(run: Run, word: number, length: number): bigint | null {
  const { registers } = run;
  const peer = run.peer!;
  const { peerByte, peerMask, bytes } = registers;
  const start = word * 4;
  let ofPeer = 0;
  let leading = 0;
  for (let index = 0; index < length; index++) {
    const at = start + index;
    if (peerByte[at] === 0) continue;
    ofPeer++;
    const whole = peerMask[at] === 0xff && bytes[at] === peer.bytes[index];
    if (peerByte[at] === index + 1 && whole) leading++;
  }
  if (ofPeer === 0) return null;
  if (leading === length) return BigInt((peer.bytes.length - length) * 8);
  run.looksAtPeer();
  return null;
}
