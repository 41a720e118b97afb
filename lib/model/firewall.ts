import type { NftFlowtable, NftObject, NftRule, NftSet } from './ruleset.js';

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
  family: NftFamily;
  table: string;
  name: string;
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
  family: NftFamily;
  name: string;
  handle: number;
  /** `dormant`, `owner`, `persist`. A dormant table's chains are not hooked. */
  flags: string[];
}

/** What nftables holds; `generation` is the kernel's own count of changes. */
export interface Nftables {
  generation: number;
  /** How the host orders the bytes of a number: what is no field of a packet lies so in a register. */
  byteOrder: 'little' | 'big';
  tables: NftTable[];
  chains: NftChain[];
  sets: NftSet[];
  objects: NftObject[];
  flowtables: NftFlowtable[];
}

/** The legacy (xtables) tables that are loaded, by name: `filter`, `nat`, `mangle`, `raw`, `security`. */
export interface LegacyTables {
  ipv4: string[];
  ipv6: string[];
}

/** All firewalls of the namespace; `null` where it could not be read, see `missing` of the state. */
export interface Firewall {
  nftables: Nftables | null;
  legacy: LegacyTables | null;
}
