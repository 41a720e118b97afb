import type { Family } from './socket.js';

/** A set of ipset(8), which rules of iptables ask by `-m set`. */
export interface IpSet {
  /** Unique in its network namespace. */
  name: string;
  /** The kernel's number of it: rules name it by that. */
  index: number;
  /** As `hash:net`, `bitmap:port`, `list:set`. */
  type: string;
  /** `null` for sets of ports, and of sets. */
  family: Family | null;
  /** For hash:ip and bitmap:ip: how many bits of an address count; `null` for all. */
  netmask: number | null;
  /**
   * The elements as ipset(8) writes them, fields between commas: `192.0.2.0/24`, `192.0.2.1,tcp:80`,
   * `192.0.2.0/24,eth0`, ` nomatch` behind one that is left out, ` wildcard` behind one whose
   * interface stands for all that begin so; for a list the names of sets in their order. Those whose
   * time has run out are not among them.
   */
  elements: string[];
}
