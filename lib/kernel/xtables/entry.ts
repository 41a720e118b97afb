import type { NftVerdict } from '../../model/ruleset.js';
import type { Family } from '../../model/socket.js';
import type {
  InterfaceName,
  LegacyRule,
  MaskedAddress,
  XtablesExtension,
} from '../../model/xtables.js';
import type { Bytes } from '../netlink-message.js';
import { hex } from '../nftables/data.js';

/*
 * An entry of a table, in the host's byte order: struct ipt_entry or ip6t_entry, then its matches,
 * then its target, each behind a header of its own.
 *
 *   ipt_entry    src dst smsk dmsk (4 each)   iniface outiface (16 each)  their masks (16 each)
 *                proto:u16 flags:u8 invflags:u8 nfcache:u32 target_offset:u16 next_offset:u16 …
 *   ip6t_entry   the same with addresses of 16 bytes, tos:u8 behind proto, and filled up to words
 *   match        match_size:u16  name:29  revision:u8  its own structure
 *   target       target_size:u16 name:29  revision:u8  its own structure; without a name a verdict:i32
 */
interface Layout {
  readonly address: 4 | 16;
  readonly names: number;
  readonly protocol: number;
  readonly flags: number;
  readonly inverse: number;
  readonly targetOffset: number;
  readonly nextOffset: number;
  readonly size: number;
  readonly gotoFlag: number;
  readonly knownFlags: number;
}

const layouts: Readonly<Record<Family, Layout>> = {
  ipv4: {
    address: 4,
    names: 16,
    protocol: 80,
    flags: 82,
    inverse: 83,
    targetOffset: 88,
    nextOffset: 90,
    size: 112,
    gotoFlag: 2,
    knownFlags: 1 | 2,
  },
  ipv6: {
    address: 16,
    names: 64,
    protocol: 128,
    flags: 131,
    inverse: 132,
    targetOffset: 140,
    nextOffset: 142,
    size: 168,
    gotoFlag: 4,
    knownFlags: 1 | 4, // whether the protocol counts, goto; a traffic class is not asked for by ip6tables(8)
  },
};

const INVERT = {
  input: 1,
  output: 2,
  source: 8,
  destination: 16,
  fragment: 32,
  protocol: 64,
} as const;
const FRAGMENT = 1; // IPT_F_FRAG

const HEADER = 32; // struct xt_entry_match, xt_entry_target
const NAME_LENGTH = 29; // XT_EXTENSION_MAXNAMELEN
const IFNAMSIZ = 16;

/** An entry, its jumps still offsets. */
export interface Entry {
  readonly offset: number;
  readonly end: number;
  readonly rule: Omit<LegacyRule, 'target'>;
  readonly target: Target;
}

export type Target =
  | { readonly kind: 'verdict'; readonly verdict: NftVerdict }
  | { readonly kind: 'jump'; readonly code: 'jump' | 'goto'; readonly to: number }
  /** The head of a chain, or the end of the table. */
  | { readonly kind: 'head'; readonly name: string }
  | { readonly kind: 'extension'; readonly extension: XtablesExtension };

/** The entry at an offset; throws an `EarshotError` where the bytes are not of its form. */
export function decodeEntry(bytes: Bytes, offset: number, family: Family): Entry {
  const layout = layouts[family];
  const length = bytes.u16(offset + layout.nextOffset);
  if (length < layout.size + HEADER) throw bytes.malformed(offset, `an entry of ${length} bytes`);
  const entry = bytes.slice(offset, length);
  const targetAt = entry.u16(layout.targetOffset);
  if (targetAt < layout.size || targetAt > length) {
    throw bytes.malformed(offset, `a target ${targetAt} bytes into an entry of ${length}`);
  }
  const flags = entry.u8(layout.flags);
  if ((flags & ~layout.knownFlags) !== 0) {
    throw bytes.malformed(
      offset,
      `flags 0x${flags.toString(16)} of an entry, which mean who knows what`,
    );
  }
  const code = (flags & layout.gotoFlag) !== 0 ? 'goto' : 'jump';
  return {
    offset,
    end: offset + length,
    rule: decodeRule(entry, layout, family, flags, targetAt),
    target: decodeTarget(entry, targetAt, code),
  };
}

function decodeRule(
  entry: Bytes,
  layout: Layout,
  family: Family,
  flags: number,
  targetAt: number,
): Entry['rule'] {
  const inverse = entry.u8(layout.inverse);
  const has = (bit: number) => (inverse & bit) !== 0;
  const { address, names } = layout;
  const protocol = entry.u16(layout.protocol);
  const fragment = family === 'ipv4' && (flags & FRAGMENT) !== 0;
  return {
    source: maskedAddress(entry, 0, 2 * address, address, has(INVERT.source)),
    destination: maskedAddress(entry, address, 3 * address, address, has(INVERT.destination)),
    input: interfaceName(entry, names, has(INVERT.input)),
    output: interfaceName(entry, names + IFNAMSIZ, has(INVERT.output)),
    protocol: protocol === 0 ? null : { number: protocol, invert: has(INVERT.protocol) },
    fragment: fragment ? { invert: has(INVERT.fragment) } : null,
    matches: decodeMatches(entry, layout.size, targetAt),
  };
}

const ZERO = /^0*$/;

function maskedAddress(
  entry: Bytes,
  at: number,
  maskAt: number,
  length: number,
  invert: boolean,
): MaskedAddress | null {
  const address = hex(entry.slice(at, length));
  const mask = hex(entry.slice(maskAt, length));
  return ZERO.test(mask) && ZERO.test(address) && !invert ? null : { address, mask, invert };
}

/** A mask that reaches as far as the name's NUL compares all of it, one that ends before it a beginning. */
function interfaceName(entry: Bytes, at: number, invert: boolean): InterfaceName | null {
  const mask = hex(entry.slice(at + 2 * IFNAMSIZ, IFNAMSIZ));
  const compared = mask.replace(/(?:00)*$/, '').length / 2;
  if (!/^(?:ff)*$/.test(mask.slice(0, 2 * compared))) {
    throw entry.malformed(at, `the mask ${mask} of an interface's name`);
  }
  if (compared === 0 && !invert) return null;
  const name = entry.slice(at, IFNAMSIZ).text();
  const isPrefix = compared <= name.length;
  return { name: isPrefix ? name.slice(0, compared) : name, isPrefix, invert };
}

function decodeMatches(entry: Bytes, from: number, to: number): XtablesExtension[] {
  const matches: XtablesExtension[] = [];
  for (let at = from; at < to; ) {
    const size = entry.u16(at);
    if (size < HEADER || at + size > to) throw entry.malformed(at, `a match of ${size} bytes`);
    matches.push(extensionAt(entry, at, size));
    at += size;
  }
  return matches;
}

function extensionAt(entry: Bytes, at: number, size: number): XtablesExtension {
  return {
    name: entry.slice(at + 2, NAME_LENGTH).text(),
    revision: entry.u8(at + HEADER - 1),
    info: hex(entry.slice(at + HEADER, size - HEADER)),
  };
}

/** Verdicts are stored as -verdict - 1; what is not negative is where to jump to. */
const VERDICTS: Readonly<Record<number, NftVerdict>> = {
  [-1]: { code: 'drop' },
  [-2]: { code: 'accept' },
  [-4]: { code: 'queue' },
  [-5]: { code: 'return' },
};

function decodeTarget(entry: Bytes, at: number, code: 'jump' | 'goto'): Target {
  const size = entry.u16(at);
  if (size < HEADER || at + size > entry.length)
    throw entry.malformed(at, `a target of ${size} bytes`);
  const extension = extensionAt(entry, at, size);
  if (extension.name === 'ERROR') {
    return { kind: 'head', name: entry.slice(at + HEADER, size - HEADER).text() };
  }
  if (extension.name !== '') return { kind: 'extension', extension };
  const verdict = entry.i32(at + HEADER);
  if (verdict >= 0) return { kind: 'jump', code, to: verdict };
  const known = VERDICTS[verdict];
  if (!known) throw entry.malformed(at, `the verdict ${verdict}`);
  return { kind: 'verdict', verdict: known };
}
