import { isUnspecified, unspecified } from '../../model/address.js';
import type { Host } from '../host.js';
import { type Conflict, untold } from './conflict.js';
import {
  type Holder,
  holdersOf,
  kindOf,
  receiveAddressesMeet,
  sameAddress,
  sameDevice,
  sharePort,
  type Taken,
  wouldHold,
} from './holder.js';
import type { CheckedSpec } from './spec.js';
import { and, not, type Tri } from './tri.js';

/**
 * inet_csk_get_port, as bind() and listen() both call it: conflicts with every socket of the port in
 * the same VRF, listening, bound, connected or in TIME-WAIT.
 */
export function tcpConflict(host: Host, spec: CheckedSpec): Conflict {
  const ours = wouldHold(spec);
  const inBucket = holdersOf(host, 'tcp', spec.port).map((other) => ({
    other,
    shares: sameBucket(host, ours, other),
  }));
  const judged = inBucket.map(({ other, shares }) => ({
    other,
    conflicts: and(shares, conflictsWith(ours, other)),
  }));
  const by = judged.filter(({ conflicts }) => conflicts === true).map(({ other }) => other);
  if (by.length === 0) {
    const perhaps = judged.filter(({ conflicts }) => conflicts === null).map(({ other }) => other);
    return perhaps.length > 0 ? untold(perhaps) : { kind: 'none' };
  }
  if (!spec.reusePort) return { kind: 'taken', by };
  const there = inBucket.some(
    ({ other, shares }) => shares !== false && mayLetThrough(ours, other),
  );
  return there || wasLike(ours, by)
    ? { kind: 'unknown', by, ...remembered }
    : { kind: 'taken', by };
}

const remembered = {
  what: 'which socket bound last to the port with SO_REUSEPORT, be it closed by now: the kernel remembers its user and address, lets another like it through unseen (sk_reuseport_match), and tells nobody',
  remedy: null,
} as const;

/** A VRF has ports of its own, unless tcp_l3mdev_accept is on (inet_sk_bound_l3mdev). */
function sameBucket(host: Host, ours: Holder, other: Taken): Tri {
  if (host.setting('net.ipv4.tcp_l3mdev_accept', 0) !== 0) return true;
  const vrfs = host.state.interfaces.some(({ vrfTable }) => vrfTable !== null);
  if (!vrfs) return true;
  return other.deviceTold ? vrfOf(host, ours.device) === vrfOf(host, other.device) : null;
}

function vrfOf(host: Host, name: string | null): string | null {
  const device = name === null ? undefined : host.devices.get(name);
  if (!device) return null;
  return device.link.vrfTable !== null ? device.name : (device.vrf?.name ?? null);
}

/** inet_csk_bind_conflict and inet_bhash2_conflict, `relax` and `reuseport_ok` set. */
function conflictsWith(ours: Holder, other: Taken): Tri {
  const bothReuse = and(ours.reuseAddress, other.reuseAddress, !other.listens);
  return and(
    sameDevice(ours, other),
    not(bothReuse),
    not(sharePort(ours, other)),
    meets(ours, other),
  );
}

/**
 * As `sameAddress`, but exact addresses are looked up by address (inet_bhash2_conflict), where the
 * 127.0.0.6 that stands in every IPv6 socket is not met.
 */
function meets(ours: Holder, other: Taken): Tri {
  const exactIpv4 = ours.address.family === 'ipv4' && !isUnspecified(ours.address);
  if (exactIpv4 && kindOf(other.address) === 'native') return false;
  return sameAddress(ours, other);
}

/**
 * sk_reuseport_match: the bucket remembers the address and user of a socket that bound with
 * SO_REUSEPORT, and whoever is like it is not looked at further, be it on another device.
 */
function mayLetThrough(ours: Holder, other: Taken): boolean {
  if (other.reusePort === false || other.uid !== ours.uid) return false;
  return receiveAddressesMeet(other, ours, false) !== false;
}

/**
 * The bucket remembers also who is closed by now. One on another device, for IPv6 alone, or for IPv4
 * alone (which sk_reuseport_match takes for like `::`) may have come by all that are in the way.
 */
function wasLike(ours: Holder, by: readonly Taken[]): boolean {
  const closed: Holder = { ...ours, device: '', reuseAddress: true };
  const alike: Holder[] = [{ ...closed, v6only: ours.address.family === 'ipv6' }];
  if (kindOf(ours.address) === 'any' && !ours.v6only) {
    alike.push({ ...closed, address: unspecified('ipv4'), v6only: false });
  }
  return alike.some((one) => by.every((other) => conflictsWith(one, other) === false));
}
