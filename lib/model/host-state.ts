import type { Firewall } from './firewall.js';
import type { HeldPorts } from './held-ports.js';
import type { Interface } from './interface.js';
import type { Route } from './route.js';
import type { Rule } from './rule.js';
import type { Socket } from './socket.js';

/** The version of `HostState` that this code writes and reads. */
export const HOST_STATE_VERSION = 1;

/** What can be missing from a capture. */
export type MissingPart =
  | 'sockets'
  | 'owners'
  | 'marks'
  | 'interfaces'
  | 'routes'
  | 'rules'
  | 'settings'
  | 'nftables'
  | 'legacy-tables'
  | 'ipsets'
  | 'programs'
  | 'ipv6'
  | 'consistency';

/** One thing a capture could not read. */
export interface Missing {
  /** The part of the capture that is not there, or not whole. */
  what: MissingPart;
  /** Why, in a sentence that names the refusal. */
  reason: string;
  /** What to do about it. */
  remedy: string;
}

/** Where a capture was made. */
export interface CapturePlace {
  /** As uname(2) tells it. */
  hostname: string;
  /** The kernel release, as `6.1.0-18-amd64`. */
  kernel: string;
  /** The inode of the network namespace; `null` where it could not be read. */
  netns: number | null;
  /** The effective user of the process that made it; absent where not told. */
  uid?: number;
}

/**
 * Everything a verdict depends on, as plain JSON data: what one read of one network namespace
 * gave, and what it could not give. Evaluating it needs no privileges and no Linux.
 */
export interface HostState {
  /** The form of this record, {@link HOST_STATE_VERSION}. */
  version: typeof HOST_STATE_VERSION;
  /** When it was read: ISO 8601, UTC. */
  when: string;
  /** The host and namespace it was read in. */
  where: CapturePlace;
  /** The namespace has IPv4 and IPv6, or the kernel was built or started without. */
  families: { ipv4: boolean; ipv6: boolean };
  /** Every interface of the namespace. */
  interfaces: Interface[];
  /** All tables, in the order the kernel gave them. */
  routes: Route[];
  /** By family, then in the order the kernel asks them. */
  rules: Rule[];
  /**
   * Whether a namespace has or ever had a rule of its own, by family. Only then does the kernel ask
   * the rules; else IPv4 looks into local and main as one table, and IPv6 into local, then main,
   * whatever is listed. From /proc/net/fib_triestat, and RTM_GETROUTE for IPv6; `null` where it
   * could not be told or does not matter: the listed rules are then taken for all there were.
   */
  customRules?: { ipv4: boolean | null; ipv6: boolean | null };
  /**
   * Settings by their sysctl name, as `net.ipv4.ip_forward`: numbers where the file holds one
   * number, else its text. A name that is absent does not exist on that kernel, or is in `missing`.
   */
  settings: Record<string, number | string>;
  /** Listening TCP, all UDP, and TCP sockets bound without listening. */
  sockets: Socket[];
  /** The local ports of all other TCP sockets; absent where they were not read. */
  held?: HeldPorts[];
  /** What is hooked into the path of packets. */
  firewall: Firewall;
  /** Empty when everything could be read. */
  missing: Missing[];
}
