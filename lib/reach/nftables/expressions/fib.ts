import {
  type Address,
  isLinkLocal,
  isMulticast,
  isUnspecified,
  isV4Mapped,
  sameAddress,
  unspecified,
} from '../../../model/address.js';
import type { NftExpression } from '../../../model/ruleset.js';
import { isAnycast } from '../../anycast.js';
import type { Found, RouteKey } from '../../fib.js';
import { type Device, LOOPBACK_INDEX } from '../../host.js';
import { isAvoided, isReady } from '../../source-address.js';
import { paddedName } from '../bytes.js';
import type { Evaluate, Result, Run } from '../run.js';

type FibExpression = Extract<NftExpression, { kind: 'fib' }>;

const RESULT = { oif: 1, oifname: 2, addrtype: 3 } as const;
const FLAG = { saddr: 1, daddr: 2, mark: 4, iif: 8, oif: 16, present: 32 } as const;

/** RTN_*: the types of addresses that `fib … type` gives. */
export const RTN = {
  unspec: 0,
  unicast: 1,
  local: 2,
  broadcast: 3,
  anycast: 4,
  multicast: 5,
  blackhole: 6,
  unreachable: 7,
  prohibit: 8,
  throw: 9,
} as const;

/** nft_fib4_eval, nft_fib6_eval and their type variants: the routing of the host itself is asked. */
export function fib(expression: FibExpression): Evaluate {
  const { flags, result } = expression;
  return (run): Result => {
    if (run.frame.kind === 'arp') return 'break';
    if (run.frame.mark === null && (flags & FLAG.mark) !== 0) return 'unknown';
    if (result === RESULT.addrtype) return addressType(run, expression);
    return outInterface(run, expression);
  };
}

function deviceFor({ frame }: Run, flags: number): Device | null {
  if ((flags & FLAG.iif) !== 0) return frame.input;
  return (flags & FLAG.oif) !== 0 ? frame.output : null;
}

function addressType(run: Run, { destination, flags }: FibExpression): Result {
  const { frame } = run;
  const { tuple } = frame;
  const address = (flags & FLAG.daddr) !== 0 ? tuple.destination : tuple.source;
  const device = deviceFor(run, flags);
  const type =
    frame.family === 'ipv4'
      ? typeOfIpv4(run, address, device)
      : typeOfIpv6(run, flags, address, device);
  if (type === null) return 'unknown';
  run.registers.storeNumber(destination, type);
  return 'continue';
}

/** inet_dev_addr_type: the table `local` alone says what an address is. */
export function typeOfIpv4({ host }: Run, address: Address, device: Device | null): number {
  if (isUnspecified(address) || address.a === -1) return RTN.broadcast;
  if (isMulticast(address)) return RTN.multicast;
  const found = host.policy.ipv4.localEntry(address);
  if (!found || (device && found.device !== device)) return RTN.unicast;
  const { type } = found.route;
  return type in RTN ? RTN[type as keyof typeof RTN] : RTN.unicast;
}

/** __nft_fib6_eval_type. */
function typeOfIpv6(
  run: Run,
  flags: number,
  address: Address,
  device: Device | null,
): number | null {
  const { host } = run;
  // ipv6_chk_addr: one that is still being looked for elsewhere does not count.
  const ours =
    device !== null &&
    host.own.some(
      (own) =>
        own.device === device &&
        sameAddress(own.address, address) &&
        isReady(own) &&
        !isAvoided(host, own),
    );
  const answer = host.policy.ipv6.lookup(keyFor(run, flags, device));
  if (answer.kind === 'unknown') return null;
  if (answer.kind === 'refused') {
    if (answer.error === 'EINVAL') return RTN.blackhole;
    return answer.error === 'EACCES' ? RTN.prohibit : RTN.unreachable;
  }
  const { type } = answer.found.route;
  if (isAnycast(answer.found, address)) return RTN.anycast;
  if (ours || (!device && type === 'local')) return RTN.local;
  if (isMulticast(address)) return RTN.multicast;
  return isUnspecified(address) || isV4Mapped(address) ? RTN.unspec : RTN.unicast;
}

function outInterface(run: Run, { destination, flags, result }: FibExpression): Result {
  const { frame, hook, host } = run;
  const device = deviceFor(run, flags);
  const store = (found: Device | null): Result => {
    const { registers } = run;
    if ((flags & FLAG.present) !== 0) registers.storeNumber(destination, found ? 1 : 0, 1);
    else if (result === RESULT.oif) registers.storeNumber(destination, found?.index ?? 0);
    else registers.store(destination, paddedName(found?.name ?? ''));
    return 'continue';
  };
  const early = hook === 'prerouting' || hook === 'ingress' || hook === 'input';
  if (early && frame.input?.link.loopback) return store(frame.input);
  const ipv4 = frame.family === 'ipv4';
  if (ipv4 && isUnspecified(frame.tuple.source) && frame.tuple.destination.a === -1)
    return store(frame.input);
  const key = keyFor(run, flags, device);
  const answer = host.policy[frame.family].lookup(key, key.output, ipv4);
  if (answer.kind === 'unknown') return 'unknown';
  if (answer.kind !== 'found') return store(null);
  const { found } = answer;
  if (found.route.type === 'local' || found.route.type === 'anycast') return store(null);
  if (!device) return store(found.device);
  return store(usesDevice(found, device, ipv4) ? device : null);
}

/** fib_info_nh_uses_dev: any way of a route; IPv6 looks at the one that was chosen. */
function usesDevice({ route, device: chosen }: Found, device: Device, ipv4: boolean): boolean {
  if (!ipv4) return chosen === device;
  return route.nexthops.some((nexthop) => nexthop.interface === device.name);
}

function keyFor(run: Run, flags: number, device: Device | null): RouteKey {
  const { frame, hook } = run;
  const { source, destination } = frame.tuple;
  const forward = (flags & FLAG.daddr) !== 0;
  const to = forward ? destination : source;
  const from = forward ? source : destination;
  const ipv4 = frame.family === 'ipv4';
  const onLink = isLinkLocal(to);
  const output = onLink ? ((device ?? frame.input ?? frame.output)?.index ?? 0) : 0;
  const asForwarded = !forward && hook === 'forward' && (flags & FLAG.iif) !== 0;
  return {
    destination: to,
    source: isUnusable(from) ? unspecified(frame.family) : from,
    input: asForwarded ? (frame.output?.index ?? LOOPBACK_INDEX) : LOOPBACK_INDEX,
    output,
    strict: onLink,
    mark: (flags & FLAG.mark) !== 0 ? (frame.mark ?? 0) : 0,
    tos: 0,
    protocol: ipv4 ? 0 : frame.protocol,
    sourcePort: 0,
    destinationPort: 0,
    uid: 0,
  };
}

/** get_saddr: such an address is no source to look up with. */
function isUnusable(address: Address): boolean {
  return isMulticast(address) || (address.family === 'ipv4' && address.a === -1);
}
