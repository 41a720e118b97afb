import type { Hook } from './firewall.js';
import type { Hex, NftVerdict } from './ruleset.js';

/*
 * The tables of legacy iptables and ip6tables, as plain JSON. What every rule can say is spelled
 * out; matches and targets are the structures that the kernel knows them by.
 */

/** A match or target beyond the standard ones: its own structure, in the host's byte order. */
export interface XtablesExtension {
  /** The kernel's name of it. */
  name: string;
  /** Which form its structure has. */
  revision: number;
  /** The structure itself. */
  info: Hex;
}

/** An address as a rule compares it: those of its bits that the mask has. */
export interface MaskedAddress {
  /** 4 or 16 bytes, in network order. */
  address: Hex;
  /** As long. */
  mask: Hex;
  /** All others are meant. */
  invert: boolean;
}

/** An interface by its name, or by how its name begins (`eth+`). */
export interface InterfaceName {
  /** All of it, or what others begin with. */
  name: string;
  /** Every interface is meant whose name begins so. */
  isPrefix: boolean;
  /** All others are meant. */
  invert: boolean;
}

/** A rule: all that it asks for has to hold. `null` asks for nothing. */
export interface LegacyRule {
  /** Whom the packet is from. */
  source: MaskedAddress | null;
  /** Whom it is for. */
  destination: MaskedAddress | null;
  /** The interface it came in on. */
  input: InterfaceName | null;
  /** The interface it leaves by. */
  output: InterfaceName | null;
  /** IPPROTO_* */
  protocol: { number: number; invert: boolean } | null;
  /** IPv4's `-f`: later fragments; inverted, all but these. */
  fragment: { invert: boolean } | null;
  /** In the order in which they are asked. */
  matches: XtablesExtension[];
  /** `null`: on with the next rule. */
  target: { verdict: NftVerdict } | { extension: XtablesExtension } | null;
}

/** A chain; one that a hook asks has a policy. */
export interface LegacyChain {
  /** Its name; unique in its table. */
  name: string;
  /** `null` for a chain that others jump to. */
  base: { hook: Hook; policy: 'accept' | 'drop' } | null;
  /** In the order in which they are asked. */
  rules: LegacyRule[];
}

/** A table: `filter`, `nat`, `mangle`, `raw` or `security`. */
export interface LegacyTable {
  /** As /proc/net/ip_tables_names has it. */
  name: string;
  /** `null` where its rules could not be read, see `missing` of the state. */
  chains: LegacyChain[] | null;
}

/** The legacy tables that are loaded. */
export interface LegacyTables {
  /** Those of iptables, by name. */
  ipv4: LegacyTable[];
  /** Those of ip6tables, by name. */
  ipv6: LegacyTable[];
}
