import { formatPrefix } from '../model/address.js';
import type { Rule, RuleAction } from '../model/rule.js';
import type { Family, PortRange } from '../model/socket.js';
import type { NetlinkRequest } from '../native.js';
import { type Bytes, messages } from './netlink-message.js';

const RTM_NEWRULE = 32;
const RTM_GETRULE = 34;
const NLM_F_DUMP = 0x300;
const FIB_RULE_HDR_SIZE = 12;

const AF_INET = 2;
const AF_INET6 = 10;

const FIB_RULE_INVERT = 0x02;
const FIB_RULE_IIF_DETACHED = 0x08;
const FIB_RULE_OIF_DETACHED = 0x10;

const FRA_DST = 1;
const FRA_SRC = 2;
const FRA_IIFNAME = 3;
const FRA_GOTO = 4;
const FRA_PRIORITY = 6;
const FRA_FWMARK = 10;
const FRA_FLOW = 11;
const FRA_SUPPRESS_IFGROUP = 13;
const FRA_SUPPRESS_PREFIXLEN = 14;
const FRA_TABLE = 15;
const FRA_FWMASK = 16;
const FRA_OIFNAME = 17;
const FRA_PAD = 18;
const FRA_L3MDEV = 19;
const FRA_UID_RANGE = 20;
const FRA_PROTOCOL = 21;
const FRA_IP_PROTO = 22;
const FRA_SPORT_RANGE = 23;
const FRA_DPORT_RANGE = 24;
const FRA_SPORT_MASK = 28;
const FRA_DPORT_MASK = 29;

/** What `decodeRule` reads, and what cannot change where a packet goes: realms and padding. */
const KNOWN = new Set([
  FRA_DST,
  FRA_SRC,
  FRA_IIFNAME,
  FRA_GOTO,
  FRA_PRIORITY,
  FRA_FWMARK,
  FRA_FLOW,
  FRA_SUPPRESS_IFGROUP,
  FRA_SUPPRESS_PREFIXLEN,
  FRA_TABLE,
  FRA_FWMASK,
  FRA_OIFNAME,
  FRA_PAD,
  FRA_L3MDEV,
  FRA_UID_RANGE,
  FRA_PROTOCOL,
  FRA_IP_PROTO,
  FRA_SPORT_RANGE,
  FRA_DPORT_RANGE,
]);

/** FR_ACT_*, by number. */
const ACTIONS: readonly (RuleAction | undefined)[] = [
  undefined,
  'lookup',
  'goto',
  'nop',
  undefined,
  undefined,
  'blackhole',
  'unreachable',
  'prohibit',
];

/** "Not set" of FRA_SUPPRESS_PREFIXLEN and FRA_SUPPRESS_IFGROUP. */
const NONE = 0xffffffff;

/** Asks for the policy rules of one family (RTM_GETRULE). */
export function rulesRequest(family: Family): NetlinkRequest {
  const payload = new Uint8Array(FIB_RULE_HDR_SIZE);
  payload[0] = family === 'ipv4' ? AF_INET : AF_INET6;
  return { type: RTM_GETRULE, flags: NLM_F_DUMP, payload };
}

/** The policy rules of one family in the bytes of an RTM_GETRULE dump, in the order they are asked. */
export function decodeRules(bytes: Uint8Array, family: Family, littleEndian?: boolean): Rule[] {
  const wanted = family === 'ipv4' ? AF_INET : AF_INET6;
  const rules: Rule[] = [];
  for (const { type, payload } of messages(bytes, 'rules', littleEndian)) {
    if (type === RTM_NEWRULE && payload.u8(0) === wanted) rules.push(decodeRule(payload, family));
  }
  return rules;
}

function decodeRule(payload: Bytes, family: Family): Rule {
  const attributes = payload.attributeMap(FIB_RULE_HDR_SIZE);
  const number = (type: number): number | null => attributes.get(type)?.u32(0) ?? null;
  const limit = (type: number): number | null => {
    const value = number(type);
    return value === NONE ? null : value;
  };
  const prefix = (type: number, length: number): string | null => {
    const value = attributes.get(type);
    if (!value && length !== 0) throw payload.malformed(0, `a /${length} without its address`);
    return value ? formatPrefix({ address: value.address(0, family), length }) : null;
  };
  const flags = payload.u32(8);
  const action = ACTIONS[payload.u8(7)];
  if (!action) throw payload.malformed(7, `${payload.u8(7)} is no action of a rule`);
  const l3mdev = (attributes.get(FRA_L3MDEV)?.u8(0) ?? 0) !== 0;
  const table = number(FRA_TABLE) ?? payload.u8(4);
  return {
    family,
    priority: number(FRA_PRIORITY) ?? 0,
    invert: (flags & FIB_RULE_INVERT) !== 0,
    from: prefix(FRA_SRC, payload.u8(2)),
    to: prefix(FRA_DST, payload.u8(1)),
    tos: payload.u8(3),
    inputInterface: attributes.get(FRA_IIFNAME)?.text() ?? null,
    inputDetached: (flags & FIB_RULE_IIF_DETACHED) !== 0,
    outputInterface: attributes.get(FRA_OIFNAME)?.text() ?? null,
    outputDetached: (flags & FIB_RULE_OIF_DETACHED) !== 0,
    mark: markOf(number(FRA_FWMARK), number(FRA_FWMASK)),
    ipProtocol: attributes.get(FRA_IP_PROTO)?.u8(0) || null,
    sourcePort: portRange(attributes.get(FRA_SPORT_RANGE)),
    destinationPort: portRange(attributes.get(FRA_DPORT_RANGE)),
    uidRange: uidRange(attributes.get(FRA_UID_RANGE)),
    l3mdev,
    action,
    table: action === 'lookup' && table !== 0 ? table : null,
    goto: action === 'goto' ? number(FRA_GOTO) : null,
    suppressPrefixLength: limit(FRA_SUPPRESS_PREFIXLEN),
    suppressInterfaceGroup: limit(FRA_SUPPRESS_IFGROUP),
    protocol: attributes.get(FRA_PROTOCOL)?.u8(0) ?? 0,
    unknownAttributes: unknownOf(attributes),
  };
}

/** fib_nl_fill_rule leaves out what is zero: a mask alone selects packets without those bits. */
function markOf(value: number | null, mask: number | null): Rule['mark'] {
  if (value === null && mask === null) return null;
  return { value: value ?? 0, mask: mask ?? 0xffffffff };
}

function portRange(value: Bytes | undefined): PortRange | null {
  return value ? { from: value.u16(0), to: value.u16(2) } : null;
}

/** The kernel tells 0 to 4294967295 for a rule without one. */
function uidRange(value: Bytes | undefined): Rule['uidRange'] {
  if (!value) return null;
  const [from, to] = [value.u32(0), value.u32(4)];
  return from === 0 && to === 0xffffffff ? null : { from, to };
}

/** A port mask of all ones is what an exact port is dumped with since Linux 6.15. */
function unknownOf(attributes: ReadonlyMap<number, Bytes>): number[] {
  return [...attributes.keys()].filter((type) => {
    if (KNOWN.has(type)) return false;
    const isPortMask = type === FRA_SPORT_MASK || type === FRA_DPORT_MASK;
    return !(isPortMask && attributes.get(type)!.u16(0) === 0xffff);
  });
}
