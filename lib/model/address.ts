import type { Family } from './socket.js';

/**
 * An IP address as 32-bit words, most significant first, held as signed integers so that every
 * operation stays on machine words: an IPv4 address is `a` alone, with `b`, `c` and `d` zero.
 */
export interface Address {
  readonly family: Family;
  readonly a: number;
  readonly b: number;
  readonly c: number;
  readonly d: number;
}

/** An address and the number of its leading bits that count. Bits behind them are zero. */
export interface Prefix {
  readonly address: Address;
  readonly length: number;
}

/** The number of bits of an address of a family. */
export function bitsOf(family: Family): 32 | 128 {
  return family === 'ipv4' ? 32 : 128;
}

/** An IPv4 address from its 32-bit value. */
export function ipv4(value: number): Address {
  return { family: 'ipv4', a: value | 0, b: 0, c: 0, d: 0 };
}

/** An IPv6 address from its four words. */
export function ipv6(a: number, b: number, c: number, d: number): Address {
  return { family: 'ipv6', a: a | 0, b: b | 0, c: c | 0, d: d | 0 };
}

/** The unspecified address of a family: 0.0.0.0 or ::. */
export function unspecified(family: Family): Address {
  return family === 'ipv4' ? ipv4(0) : ipv6(0, 0, 0, 0);
}

/** An address from network-order bytes, 4 or 16 of them by family. */
export function addressFromBytes(bytes: Uint8Array, offset: number, family: Family): Address {
  if (family === 'ipv4') return ipv4(word(bytes, offset));
  return ipv6(
    word(bytes, offset),
    word(bytes, offset + 4),
    word(bytes, offset + 8),
    word(bytes, offset + 12),
  );
}

function word(bytes: Uint8Array, offset: number): number {
  return (
    (bytes[offset]! << 24) |
    (bytes[offset + 1]! << 16) |
    (bytes[offset + 2]! << 8) |
    bytes[offset + 3]!
  );
}

/** The address as network-order bytes. */
export function addressToBytes(address: Address): Uint8Array {
  const bytes = new Uint8Array(address.family === 'ipv4' ? 4 : 16);
  writeAddress(address, bytes, 0);
  return bytes;
}

/** The bytes of an address, in network order, into others. */
export function writeAddress(address: Address, bytes: Uint8Array, at: number): void {
  writeWord(address.a, bytes, at);
  if (address.family === 'ipv4') return;
  writeWord(address.b, bytes, at + 4);
  writeWord(address.c, bytes, at + 8);
  writeWord(address.d, bytes, at + 12);
}

function writeWord(word: number, bytes: Uint8Array, at: number): void {
  bytes[at] = word >>> 24;
  bytes[at + 1] = word >>> 16;
  bytes[at + 2] = word >>> 8;
  bytes[at + 3] = word;
}

const DOT = 46;
const ZERO = 48;
const COLON = 58;

/** The groups of the address being parsed. */
const groups = new Uint16Array(8);

/**
 * The address that a text names, or `null` where it names none. IPv4 is four decimal numbers and
 * nothing else; IPv6 is any form of RFC 4291, without a zone. Read letter by letter, because every
 * verdict reads two of these.
 */
export function parseAddress(text: string): Address | null {
  if (!text.includes(':')) {
    const value = parseQuad(text, 0);
    return value === null ? null : ipv4(value);
  }
  let count = 0;
  let gap = -1; // how many groups stand before `::`
  let at = 0;
  if (text.charCodeAt(0) === COLON) {
    if (text.charCodeAt(1) !== COLON) return null;
    gap = 0;
    at = 2;
  }
  while (at < text.length) {
    const start = at;
    let value = 0;
    for (; at < text.length && at - start < 5; at++) {
      const digit = hexDigits[text.charCodeAt(at)] ?? -1;
      if (digit < 0) break;
      value = (value << 4) | digit;
    }
    if (text.charCodeAt(at) === DOT) {
      const quad = count > 6 ? null : parseQuad(text, start);
      if (quad === null) return null;
      groups[count++] = quad >>> 16;
      groups[count++] = quad & 0xffff;
      break;
    }
    if (at === start || at - start > 4 || count === 8) return null;
    groups[count++] = value;
    if (at === text.length) break;
    if (text.charCodeAt(at++) !== COLON || at === text.length) return null;
    if (text.charCodeAt(at) !== COLON) continue;
    if (gap >= 0) return null;
    gap = count;
    at++;
  }
  if (gap < 0 ? count !== 8 : count > 7) return null;
  for (let to = 7, from = count - 1; gap >= 0 && to >= gap; to--)
    groups[to] = from >= gap ? groups[from--]! : 0;
  return ipv6(groupPair(0), groupPair(2), groupPair(4), groupPair(6));
}

function groupPair(index: number): number {
  return (groups[index]! << 16) | groups[index + 1]!;
}

/** The value of each letter as a hexadecimal digit, -1 for none. */
const hexDigits = Int8Array.from({ length: 128 }, (_, code) =>
  /[\da-f]/i.test(String.fromCharCode(code)) ? Number.parseInt(String.fromCharCode(code), 16) : -1,
);

/** Four decimal numbers up to 255, without leading zeros, that end the text; `null` for anything else. */
function parseQuad(text: string, from: number): number | null {
  let value = 0;
  let at = from;
  for (let part = 0; part < 4; part++) {
    if (part > 0 && text.charCodeAt(at++) !== DOT) return null;
    const start = at;
    let number = 0;
    for (; at < text.length && at - start < 4; at++) {
      const digit = text.charCodeAt(at) - ZERO;
      if (digit < 0 || digit > 9) break;
      number = number * 10 + digit;
    }
    const digits = at - start;
    if (digits === 0 || number > 255) return null;
    if (digits > 1 && text.charCodeAt(start) === ZERO) return null;
    value = (value << 8) | number;
  }
  return at === text.length ? value : null;
}

/** The canonical text of an address: RFC 5952, with the dotted form for v4-mapped addresses. */
export function formatAddress(address: Address): string {
  if (address.family === 'ipv4') return dotted(address.a);
  if (isV4Mapped(address)) return `::ffff:${dotted(address.d)}`;
  const { start, length } = zeroRun(address);
  if (length === 0) return hexGroups(address, 0, 8);
  return `${hexGroups(address, 0, start)}::${hexGroups(address, start + length, 8)}`;
}

/**
 * The canonical text of an address that was parsed from a text: that very text where it is
 * canonical, as most are, for that is quicker found out than written.
 */
export function canonicalText(text: string, address: Address): string {
  if (address.family === 'ipv4') return text; // IPv4 is parsed in its canonical form alone
  return isCanonicalIpv6(text, address) ? text : formatAddress(address);
}

/** It is, without capitals and dots, when it is as long as the canonical text and shortened there. */
function isCanonicalIpv6(text: string, address: Address): boolean {
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === DOT || (code >= 65 && code <= 70)) return false;
  }
  if (isV4Mapped(address)) return false;
  const { start, length } = zeroRun(address);
  let size = 0;
  let shortened = -1;
  for (let index = 0; index < 8; index++) {
    if (length > 0 && index === start) {
      shortened = Math.max(size - 1, 0);
      size = shortened + 2;
      index += length - 1;
      continue;
    }
    const group = groupOf(address, index);
    size += (group < 0x10 ? 1 : group < 0x100 ? 2 : group < 0x1000 ? 3 : 4) + (index < 7 ? 1 : 0);
  }
  return size === text.length && text.indexOf('::') === shortened;
}

/** The first of the longest runs of zero groups, that `::` stands for; a single one is not shortened. */
function zeroRun(address: Address): { start: number; length: number } {
  let start = -1;
  let length = 1;
  for (let from = 0; from < 8; from++) {
    let to = from;
    while (to < 8 && groupOf(address, to) === 0) to++;
    if (to - from > length) {
      start = from;
      length = to - from;
    }
    if (to > from) from = to;
  }
  return start < 0 ? { start: -1, length: 0 } : { start, length };
}

function hexGroups(address: Address, from: number, to: number): string {
  let text = '';
  for (let index = from; index < to; index++)
    text += (index > from ? ':' : '') + groupOf(address, index).toString(16);
  return text;
}

function groupOf({ a, b, c, d }: Address, index: number): number {
  const word = index < 2 ? a : index < 4 ? b : index < 6 ? c : d;
  return (index & 1) === 0 ? word >>> 16 : word & 0xffff;
}

function dotted(value: number): string {
  return `${value >>> 24}.${(value >>> 16) & 255}.${(value >>> 8) & 255}.${value & 255}`;
}

/** The canonical text of a prefix: CIDR notation. */
export function formatPrefix(prefix: Prefix): string {
  return `${formatAddress(prefix.address)}/${prefix.length}`;
}

/** The prefix that a CIDR text or a plain address names, bits behind its length cleared; `null` for none. */
export function parsePrefix(text: string): Prefix | null {
  const slash = text.indexOf('/');
  const address = parseAddress(slash < 0 ? text : text.slice(0, slash));
  if (!address) return null;
  const bits = bitsOf(address.family);
  if (slash < 0) return { address, length: bits };
  const lengthText = text.slice(slash + 1);
  const length = /^\d{1,3}$/.test(lengthText) ? Number(lengthText) : Number.NaN;
  return length <= bits ? { address: maskAddress(address, length), length } : null;
}

/** The address with all bits behind the first `length` cleared. */
export function maskAddress(address: Address, length: number): Address {
  if (address.family === 'ipv4') return ipv4(address.a & maskWord(length));
  return ipv6(
    address.a & maskWord(length),
    address.b & maskWord(length - 32),
    address.c & maskWord(length - 64),
    address.d & maskWord(length - 96),
  );
}

function maskWord(length: number): number {
  return length <= 0 ? 0 : length >= 32 ? -1 : ~(0xffffffff >>> length);
}

/** Are these the same address of the same family? */
export function sameAddress(one: Address, other: Address): boolean {
  return (
    one.a === other.a &&
    one.d === other.d &&
    one.c === other.c &&
    one.b === other.b &&
    one.family === other.family
  );
}

/** Does the prefix hold the address? An address of the other family is never in it. */
export function prefixHolds(prefix: Prefix, address: Address): boolean {
  const { address: base, length } = prefix;
  return (
    base.family === address.family &&
    ((base.a ^ address.a) & maskWord(length)) === 0 &&
    (length <= 32 ||
      (((base.b ^ address.b) & maskWord(length - 32)) === 0 &&
        ((base.c ^ address.c) & maskWord(length - 64)) === 0 &&
        ((base.d ^ address.d) & maskWord(length - 96)) === 0))
  );
}

/** Below zero, zero or above: the order of two addresses; IPv4 comes before IPv6. */
export function compareAddresses(one: Address, other: Address): number {
  if (one.family !== other.family) return one.family === 'ipv4' ? -1 : 1;
  return (
    (one.a >>> 0) - (other.a >>> 0) ||
    (one.b >>> 0) - (other.b >>> 0) ||
    (one.c >>> 0) - (other.c >>> 0) ||
    (one.d >>> 0) - (other.d >>> 0)
  );
}

/** 0.0.0.0 or ::. */
export function isUnspecified(address: Address): boolean {
  return (address.a | address.b | address.c | address.d) === 0;
}

/** 127.0.0.0/8 or ::1. */
export function isLoopback(address: Address): boolean {
  return address.family === 'ipv4'
    ? address.a >>> 24 === 127
    : (address.a | address.b | address.c) === 0 && address.d === 1;
}

/** 224.0.0.0/4 or ff00::/8. */
export function isMulticast(address: Address): boolean {
  return address.family === 'ipv4' ? address.a >>> 28 === 14 : address.a >>> 24 === 255;
}

/** fe80::/10. IPv4's 169.254.0.0/16 is an ordinary prefix to the kernel. */
export function isLinkLocal(address: Address): boolean {
  return address.family === 'ipv6' && address.a >>> 22 === 0x3fa;
}

/** ::ffff:0:0/96. */
export function isV4Mapped(address: Address): boolean {
  return address.family === 'ipv6' && (address.a | address.b) === 0 && address.c === 0xffff;
}

/** The IPv6 form of an IPv4 address, ::ffff:a.b.c.d. */
export function toV4Mapped(address: Address): Address {
  return ipv6(0, 0, 0xffff, address.a);
}

/** The IPv4 address inside a v4-mapped one. */
export function fromV4Mapped(address: Address): Address {
  return ipv4(address.d);
}
