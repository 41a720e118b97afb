import type { Family, PortRange } from './socket.js';

/** What a policy rule does when it matches (FR_ACT_*). */
export type RuleAction = 'lookup' | 'goto' | 'nop' | 'blackhole' | 'unreachable' | 'prohibit';

/** One policy routing rule; a selector that is `null` matches everything. */
export interface Rule {
  /** IPv4 or IPv6. */
  family: Family;
  /** Rules are asked in ascending order of priority; those of one priority in the order listed. */
  priority: number;
  /** FIB_RULE_INVERT: everything but what the selectors match. */
  invert: boolean;
  /** CIDR text. */
  from: string | null;
  /** CIDR text. */
  to: string | null;
  /** 0 for any. */
  tos: number;
  /** The interface a packet came in on; `lo` for packets of this host. */
  inputInterface: string | null;
  /** True where `inputInterface` names an interface that does not exist now (FIB_RULE_IIF_DETACHED). */
  inputDetached: boolean;
  /** The device that a socket is bound to. */
  outputInterface: string | null;
  /** True where `outputInterface` names an interface that does not exist now (FIB_RULE_OIF_DETACHED). */
  outputDetached: boolean;
  /** The packet's mark, as far as `mask` has ones, is `value`. */
  mark: { value: number; mask: number } | null;
  /** IPPROTO_* number. */
  ipProtocol: number | null;
  /** Ports of TCP, UDP and their like; both ends included. */
  sourcePort: PortRange | null;
  /** Ports of TCP, UDP and their like; both ends included. */
  destinationPort: PortRange | null;
  /** The users whose sockets send; both ends included. */
  uidRange: { from: number; to: number } | null;
  /** Matches packets of a VRF and looks in its table. */
  l3mdev: boolean;
  /** What a match does. */
  action: RuleAction;
  /** For `lookup`: the table. */
  table: number | null;
  /** For `goto`: the priority of the target rule. */
  goto: number | null;
  /** A result with a prefix this short or shorter is passed over; `null` for none. */
  suppressPrefixLength: number | null;
  /** A result whose device is of this group is passed over; `null` for none. */
  suppressInterfaceGroup: number | null;
  /** Who installed it (RTPROT_*). */
  protocol: number;
  /** Selectors this version of earshot does not know, by attribute number; such a rule is never guessed. */
  unknownAttributes: number[];
}

/** The rule looks into its table for every packet, as the kernel's own rules do. */
export function takesEveryPacket(rule: Rule): boolean {
  return (
    rule.action === 'lookup' &&
    !rule.invert &&
    !rule.l3mdev &&
    rule.from === null &&
    rule.to === null &&
    rule.tos === 0 &&
    rule.inputInterface === null &&
    rule.outputInterface === null &&
    rule.mark === null &&
    rule.ipProtocol === null &&
    rule.sourcePort === null &&
    rule.destinationPort === null &&
    rule.uidRange === null &&
    rule.suppressPrefixLength === null &&
    rule.suppressInterfaceGroup === null &&
    rule.unknownAttributes.length === 0
  );
}

/** What a kernel does that asks no rules: it looks in the local table, then in main. */
export function impliedRules(family: Family): Rule[] {
  return [defaultRule(family, 0, 255), defaultRule(family, 32766, 254)];
}

/** A rule as the kernel makes them itself: every packet is looked up in one table. */
export function defaultRule(family: Family, priority: number, table: number): Rule {
  return {
    family,
    priority,
    invert: false,
    from: null,
    to: null,
    tos: 0,
    inputInterface: null,
    inputDetached: false,
    outputInterface: null,
    outputDetached: false,
    mark: null,
    ipProtocol: null,
    sourcePort: null,
    destinationPort: null,
    uidRange: null,
    l3mdev: false,
    action: 'lookup',
    table,
    goto: null,
    suppressPrefixLength: null,
    suppressInterfaceGroup: null,
    protocol: 2, // RTPROT_KERNEL
    unknownAttributes: [],
  };
}
