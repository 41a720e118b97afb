import type { Hook } from './firewall.js';
import type { Hex, NftVerdict } from './ruleset.js';

/*
 * The tables of legacy iptables and ip6tables, as plain JSON. What every rule can say is spelled
 * out; matches and targets are the structures that the kernel knows them by.
 */

/** A match or target beyond the standard ones: its own structure, in the host's byte order. */
export interface XtablesExtension {
  name: string;
  revision: number;
  info: Hex;
}

/** An address as a rule compares it: those of its bits that the mask has. */
export interface MaskedAddress {
  address: Hex;
  mask: Hex;
  invert: boolean;
}

/** An interface by its name, or by how its name begins (`eth+`). */
export interface InterfaceName {
  name: string;
  isPrefix: boolean;
  invert: boolean;
}

/** A rule: all that it asks for has to hold. `null` asks for nothing. */
export interface LegacyRule {
  source: MaskedAddress | null;
  destination: MaskedAddress | null;
  input: InterfaceName | null;
  output: InterfaceName | null;
  /** IPPROTO_* */
  protocol: { number: number; invert: boolean } | null;
  /** IPv4's `-f`: later fragments; inverted, all but these. */
  fragment: { invert: boolean } | null;
  matches: XtablesExtension[];
  /** `null`: on with the next rule. */
  target: { verdict: NftVerdict } | { extension: XtablesExtension } | null;
}

/** A chain; one that a hook asks has a policy. */
export interface LegacyChain {
  name: string;
  base: { hook: Hook; policy: 'accept' | 'drop' } | null;
  /** In the order in which they are asked. */
  rules: LegacyRule[];
}

/** A table: `filter`, `nat`, `mangle`, `raw` or `security`. */
export interface LegacyTable {
  name: string;
  /** `null` where its rules could not be read, see `missing` of the state. */
  chains: LegacyChain[] | null;
}

/** The legacy tables that are loaded. */
export interface LegacyTables {
  ipv4: LegacyTable[];
  ipv6: LegacyTable[];
}
