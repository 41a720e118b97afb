import type { NftFamily } from './firewall.js';

/*
 * What nftables rules are made of, as plain JSON. Values are bytes as the kernel holds them in its
 * registers, written as lower-case hexadecimal text; registers are counted in 32-bit words, 0 to 15
 * (the old 128-bit register N is the words 4 * (N - 1) and on), so that one way of counting is left.
 */

/** Bytes in lower-case hexadecimal, two digits each. */
export type Hex = string;

/** A register: 0 to 15 a data register of 32 bits, `verdict` the verdict register. */
export type Register = number | 'verdict';

/** What a rule or a set element may say of a packet. */
export type NftVerdict =
  | { code: 'accept' | 'drop' | 'continue' | 'break' | 'return' | 'queue' | 'stolen' }
  | { code: 'jump' | 'goto'; chain: string };

/** A value: bytes, or a verdict. */
export type NftData = { value: Hex } | { verdict: NftVerdict };

/** Comparison of bytes in register order. */
export type NftComparison = 'eq' | 'neq' | 'lt' | 'lte' | 'gt' | 'gte';

/**
 * One expression of a rule (linux/netfilter/nf_tables.h). Keys and flags keep the kernel's names and numbers.
 *
 * `source` and `destination`, and in `nat`, `masquerade`, `redirect`, `tproxy`, `dup`, `fwd` and `dynset` the
 * addresses, ports, devices, `key` and `data`, are numbers of registers that hold them, as `nft --debug=netlink`
 * shows. `offset`, `length` and `size` are bytes (of `hash` and `numgen`, `offset` is added to the result); `rate` and `burst` of a limit are packets, or bytes where
 * `bytes` is true, in each `unitSeconds` seconds; a quota's `bytes` and `consumed` are bytes.
 */
export type NftExpression =
  | { kind: 'immediate'; destination: Register; data: NftData }
  | { kind: 'cmp'; source: number; op: NftComparison; data: Hex }
  | { kind: 'range'; source: number; op: 'eq' | 'neq'; from: Hex; to: Hex }
  | {
      kind: 'bitwise';
      source: number;
      /** The second operand of and, or, xor when it is a register. */
      source2: number | null;
      destination: number;
      length: number;
      op: 'mask-xor' | 'lshift' | 'rshift' | 'and' | 'or' | 'xor';
      mask: Hex | null;
      xor: Hex | null;
      /** Shift width or the immediate second operand. */
      data: Hex | null;
    }
  | {
      kind: 'byteorder';
      source: number;
      destination: number;
      op: 'ntoh' | 'hton';
      length: number;
      size: number;
    }
  | { kind: 'payload'; destination: number; base: PayloadBase; offset: number; length: number }
  | {
      kind: 'payload-set';
      source: number;
      base: PayloadBase;
      offset: number;
      length: number;
      checksumType: number;
      checksumOffset: number;
      checksumFlags: number;
    }
  | { kind: 'meta'; destination: number; key: number }
  | { kind: 'meta-set'; source: number; key: number }
  | { kind: 'ct'; destination: number; key: number; direction: 'original' | 'reply' | null }
  | { kind: 'ct-set'; source: number; key: number; direction: 'original' | 'reply' | null }
  | { kind: 'rt'; destination: number; key: number }
  | { kind: 'socket'; destination: number; key: number; level: number }
  | { kind: 'fib'; destination: number; result: number; flags: number }
  | {
      kind: 'exthdr';
      destination: number;
      protocol: 'ipv6' | 'tcpopt' | 'ipv4' | 'sctp' | 'dccp';
      type: number;
      offset: number;
      length: number;
      flags: number;
    }
  | {
      kind: 'exthdr-set';
      source: number;
      protocol: 'ipv6' | 'tcpopt' | 'ipv4' | 'sctp' | 'dccp';
      type: number;
      offset: number;
      length: number;
    }
  | { kind: 'lookup'; set: string; source: number; destination: Register | null; invert: boolean }
  | {
      kind: 'dynset';
      set: string;
      op: 'add' | 'update' | 'delete';
      key: number;
      data: number | null;
      /** Milliseconds, 0 for none. */
      timeout: number;
      flags: number;
      expressions: NftExpression[];
    }
  | { kind: 'objref'; objectType: number; name: string }
  | { kind: 'objref-map'; set: string; source: number }
  | { kind: 'counter' }
  | { kind: 'log'; prefix: string; group: number | null; level: number | null }
  | {
      kind: 'limit';
      rate: number;
      unitSeconds: number;
      burst: number;
      bytes: boolean;
      invert: boolean;
    }
  | { kind: 'quota'; bytes: number; consumed: number; invert: boolean }
  | { kind: 'connlimit'; count: number; invert: boolean }
  | { kind: 'last' }
  | { kind: 'notrack' }
  | { kind: 'reject'; type: 'icmp' | 'tcp-reset' | 'icmpx'; code: number }
  | {
      kind: 'nat';
      type: 'snat' | 'dnat';
      /** `null`: both, in a table of the family inet that changes ports alone. */
      family: 'ipv4' | 'ipv6' | null;
      addressMin: number | null;
      addressMax: number | null;
      portMin: number | null;
      portMax: number | null;
      flags: number;
    }
  | { kind: 'masquerade'; portMin: number | null; portMax: number | null; flags: number }
  | { kind: 'redirect'; portMin: number | null; portMax: number | null; flags: number }
  | { kind: 'tproxy'; family: 'ipv4' | 'ipv6' | null; address: number | null; port: number | null }
  | { kind: 'queue'; number: number; total: number; flags: number; source: number | null }
  | { kind: 'synproxy' }
  | { kind: 'flow-offload'; table: string }
  | { kind: 'dup'; address: number | null; device: number | null }
  | { kind: 'fwd'; device: number; address: number | null }
  | {
      kind: 'hash';
      source: number | null;
      destination: number;
      length: number;
      modulus: number;
      seed: number | null;
      offset: number;
      type: 'jenkins' | 'symmetric';
    }
  | {
      kind: 'numgen';
      destination: number;
      modulus: number;
      type: 'incremental' | 'random';
      offset: number;
    }
  /** An xtables match or target carried by nftables; decided by the xtables evaluator. */
  | { kind: 'match' | 'target'; name: string; revision: number; info: Hex }
  /** One that this version cannot read: named, with its attributes as bytes, never guessed. */
  | { kind: 'unknown'; name: string; data: Hex };

/** Where payload is counted from (NFT_PAYLOAD_*). */
export type PayloadBase = 'link' | 'network' | 'transport' | 'inner' | 'tunnel';

/** A rule, in its place in its chain. */
export interface NftRule {
  /** The kernel's number of it in its table, as `nft -a` shows. */
  handle: number;
  /** What it asks and does, in order. */
  expressions: NftExpression[];
  /** The comment that nft(8) keeps in the rule's user data; `null` for none. */
  comment: string | null;
}

/**
 * A set or a map. Elements are packed, sorted by key: `keys` holds them one after the other, each
 * `keyLength` bytes, in base64. An interval set holds ends as the kernel does: each element opens an
 * interval or, flagged, closes it; where one interval ends and the next begins with the same key,
 * the element that closes comes first, so that the last element not above a key decides. With
 * concatenated ranges (`keyEnds` present) an element is a pair of a first and a last key, both
 * within, field by field. Elements whose time has run out are left out.
 */
export interface NftSet {
  /** The family of its table. */
  family: NftFamily;
  /** The name of its table. */
  table: string;
  /** Its name; `__set0` and the like for one without. */
  name: string;
  /** The kernel's number of it in its table. */
  handle: number;
  /**
   * NFT_SET_*: `anonymous`, `constant`, `interval`, `map`, `timeout`, `eval`, `object`, `concat`,
   * `expr`. A bit that has no name here is written as a number, as `0x200`.
   */
  flags: string[];
  /** The type of a key as nft(8) numbers it (NFTA_SET_KEY_TYPE); the kernel does not look at it. */
  keyType: number;
  /** Bytes; each field of a concatenation fills whole words of four. */
  keyLength: number;
  /** The lengths of the fields of a concatenated key, in bytes; empty where it is no concatenation. */
  fields: number[];
  /** For maps: the type and length of the data; 0xffffff00 is a verdict. */
  dataType: number | null;
  /** Bytes; 0 where it is no map of values. */
  dataLength: number;
  /** For object maps: what the objects are (NFT_OBJECT_*); else `null`. */
  objectType: number | null;
  /** How many elements, `catchall` not counted. */
  size: number;
  /** Base64: the keys, or the first keys of ranges. */
  keys: string;
  /** For concatenated ranges: base64, the last keys; else `null`. */
  keyEnds: string | null;
  /**
   * For intervals that are no concatenation: base64, a bit an element (bit `n & 7` of byte `n >> 3`),
   * set where the element closes an interval (NFT_SET_ELEM_INTERVAL_END).
   */
  ends: string | null;
  /** For maps with values: base64, `dataLength` bytes an element (zero for elements that close). */
  data: string | null;
  /** For verdict maps: the verdict of each element as an index into `verdicts`, -1 for those that close. */
  verdictOf: number[] | null;
  /** The verdicts that elements have, each once. */
  verdicts: NftVerdict[];
  /** For object maps: the name of each element's object, empty for those that close. */
  objects: string[] | null;
  /** NFT_SET_ELEM_CATCHALL's data, verdict or object; `null` where there is no such element. */
  catchall: {
    data: NftData | null;
    object: string | null;
    /** Expressions that run when it is the one found. */
    expressions: NftExpression[];
  } | null;
  /** The lists of expressions (a limit, a quota, a counter) that elements have, each once. */
  expressionLists: NftExpression[][];
  /** For each element the list that runs when it matches, -1 for none; `null` where no element has one. */
  expressionsOf: number[] | null;
  /** Every expression that runs with some element, and those that one added by a rule would get. */
  expressions: NftExpression[];
}

/** A named object: a counter, quota, limit, ct helper, ct timeout, ct expectation, synproxy, secmark. */
export interface NftObject {
  /** The family of its table. */
  family: NftFamily;
  /** The name of its table. */
  table: string;
  /** Its name. */
  name: string;
  /** What it is (NFT_OBJECT_*). */
  type: number;
  /** A limit or a quota as the expression it acts as; `null` for what never stops a packet. */
  expression: NftExpression | null;
}

/** A flowtable: packets of established flows by these devices leave the slow path. */
export interface NftFlowtable {
  /** The family of its table. */
  family: NftFamily;
  /** The name of its table. */
  table: string;
  /** Its name. */
  name: string;
  /** Its place among what stands at ingress. */
  priority: number;
  /** The interfaces it takes packets from, by name. */
  devices: string[];
}
