import { isUnspecified, type Prefix, prefixHolds } from '../model/address.js';
import type { Rule } from '../model/rule.js';
import type { PortRange } from '../model/socket.js';
import { fitsTos, type RouteKey } from './fib.js';

/** The user of a key when nobody says who asks: a rule that selects by user is then unknown. */
export const unknownUser = -1;

/** A policy rule, its texts parsed and its names resolved. */
export interface ReadyRule {
  readonly rule: Rule;
  readonly from: Prefix | null;
  readonly to: Prefix | null;
  /** Interface index; -1 where it names one that is gone, so that nothing matches. */
  readonly input: number;
  readonly output: number;
  /** It names a VRF: what counts then is inside of which VRF the packet is. */
  readonly inputIsVrf: boolean;
  readonly outputIsVrf: boolean;
  /** The place of the rule to go on with, for goto; -1 where there is none. */
  readonly target: number;
}

/** fib_rule_match and fib4_rule_match, fib6_rule_match. */
export function matches(ready: ReadyRule, key: RouteKey): boolean | 'unknown' {
  const { rule } = ready;
  if (rule.unknownAttributes.length > 0) return 'unknown';
  if (rule.uidRange && key.uid === unknownUser) return 'unknown';
  return selects(ready, key) !== rule.invert;
}

function selects(ready: ReadyRule, key: RouteKey): boolean {
  const { rule, from, to } = ready;
  if (rule.l3mdev && !key.l3mdev) return false;
  if (ready.input !== 0 && !comesInBy(ready, key)) return false;
  if (ready.output !== 0 && !goesOutBy(ready, key)) return false;
  if (rule.mark && ((key.mark ^ rule.mark.value) & rule.mark.mask) !== 0) return false;
  if (rule.uidRange && (key.uid < rule.uidRange.from || key.uid > rule.uidRange.to)) return false;
  if (from && from.length > 0) {
    // Without a source yet, IPv4 compares zeroes; IPv6 never matches (RT6_LOOKUP_F_HAS_SADDR).
    if (key.source.family === 'ipv6' && isUnspecified(key.source)) return false;
    if (!prefixHolds(from, key.source)) return false;
  }
  if (to && !prefixHolds(to, key.destination)) return false;
  // IPv6 looks at all six bits of the service class, IPv4 at those it had before there were six.
  const tosFits =
    rule.family === 'ipv4' ? fitsTos(rule.tos, key.tos) : rule.tos === (key.tos & 0xfc);
  if (rule.tos !== 0 && !tosFits) return false;
  if (rule.ipProtocol !== null && rule.ipProtocol !== key.protocol) return false;
  return (
    inRange(rule.sourcePort, key.sourcePort) && inRange(rule.destinationPort, key.destinationPort)
  );
}

/** fib_rule_iif_match: since Linux 6.14 a VRF is told by the packet's VRF, whichever its port. */
function comesInBy(ready: ReadyRule, key: RouteKey): boolean {
  if (!ready.inputIsVrf) return ready.input === key.input;
  return key.l3mdev === ready.input && !key.l3mdevByOutput;
}

/** fib_rule_oif_match. */
function goesOutBy(ready: ReadyRule, key: RouteKey): boolean {
  if (!ready.outputIsVrf) return ready.output === key.output;
  return key.l3mdev === ready.output && key.l3mdevByOutput === true;
}

function inRange(range: PortRange | null, port: number): boolean {
  return range === null || (port >= range.from && port <= range.to);
}
