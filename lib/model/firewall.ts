import type { IpSet } from './ipset.js';
import type { NftFlowtable, NftObject, NftRule, NftSet } from './ruleset.js';
import type { LegacyTables } from './xtables.js';

/** Where in a packet's life a base chain hooks in. */
export type Hook =
  | 'ingress'
  | 'egress'
  | 'prerouting'
  | 'input'
  | 'forward'
  | 'output'
  | 'postrouting';

/** The families of nftables tables. */
export type NftFamily = 'ip' | 'ip6' | 'inet' | 'arp' | 'bridge' | 'netdev';

/** A chain of nftables. */
export interface NftChain {
  /** The family of its table: which packets it sees. */
  family: NftFamily;
  /** The name of its table. */
  table: string;
  /** Its name; unique in its table. */
  name: string;
  /** The kernel's number of it, as `nft --handle` shows. */
  handle: number;
  /** Set on base chains only. */
  base: {
    hook: Hook;
    priority: number;
    policy: 'accept' | 'drop';
    type: string;
    /** For ingress and egress chains: the devices. */
    devices: string[];
  } | null;
  /** In the order in which they are asked. */
  rules: NftRule[];
}

/** A table of nftables. */
export interface NftTable {
  /** Which packets its chains see. */
  family: NftFamily;
  /** Its name; unique in its family. */
  name: string;
  /** The kernel's number of it, as `nft --handle` shows. */
  handle: number;
  /** `dormant`, `owner`, `persist`. A dormant table's chains are not hooked. */
  flags: string[];
}

/** What nftables holds; `generation` is the kernel's own count of changes. */
export interface Nftables {
  /** The kernel's count of changes to the rule set (NFTA_GEN_ID). */
  generation: number;
  /** How the host orders the bytes of a number: what is no field of a packet lies so in a register. */
  byteOrder: 'little' | 'big';
  /** In the order the kernel gave them. */
  tables: NftTable[];
  /** Of all tables, base chains and others. */
  chains: NftChain[];
  /** Sets and maps of all tables, anonymous ones too, with their elements. */
  sets: NftSet[];
  /** Named counters, quotas, limits, helpers and the like, of all tables. */
  objects: NftObject[];
  /** Which connections may pass hooks by, and on which devices. */
  flowtables: NftFlowtable[];
}

/** All firewalls of the namespace; `null` where it could not be read, see `missing` of the state. */
export interface Firewall {
  /** Without tables where there are none; `null` where it could not be read. */
  nftables: Nftables | null;
  /** Without tables where none is loaded; `null` where it could not be read. */
  legacy: LegacyTables | null;
  /** The sets of ipset(8) that rules of iptables ask; `null` where they could not be read. */
  ipsets: IpSet[] | null;
}
