import { isUnspecified } from '../../model/address.js';
import type { Host } from '../host.js';
import { type Conflict, untold } from './conflict.js';
import {
  type Holder,
  holdersOf,
  sameAddress,
  sameDevice,
  sharePort,
  type Taken,
  wouldHold,
} from './holder.js';
import type { CheckedSpec } from './spec.js';
import { and, not, type Tri } from './tri.js';

/** Sockets in one slot of the hash table from which on UDP looks by address too (udp_lib_get_port). */
const crowd = 10;
/** The fewest slots that the hash table has (UDP_HTABLE_SIZE_MIN); ports that differ by it may share one. */
const fewestSlots = 256;

interface Met {
  readonly other: Taken;
  /** Its address and device meet ours, and SO_REUSEADDR does not excuse it. */
  readonly meets: Tri;
  /** SO_REUSEPORT lets both stand there. */
  readonly shares: Tri;
}

/**
 * udp_lib_lport_inuse: the first socket met decides, whether it refuses or shares the port; those
 * behind it are not looked at.
 */
export function udpConflict(host: Host, spec: CheckedSpec): Conflict {
  const ours = wouldHold(spec);
  const met = holdersOf(host, 'udp', spec.port)
    .map(
      (other): Met => ({
        other,
        meets: and(
          sameDevice(ours, other),
          sameAddress(ours, other),
          not(and(ours.reuseAddress, other.reuseAddress)),
        ),
        shares: sharePort(ours, other),
      }),
    )
    .filter(({ meets }) => meets !== false);
  const answer = decide(met);
  const slots = isCrowded(host, spec.port) ? [byAddress(ours, met), answer] : [answer];
  if (slots.every((each) => each === false)) return { kind: 'none' };
  const by = met.filter(({ shares }) => shares !== true).map(({ other }) => other);
  if (slots.every((each) => each === true)) {
    const sure = met.filter(({ meets, shares }) => meets === true && shares === false);
    return { kind: 'taken', by: sure.map(({ other }) => other) };
  }
  const orderDecides = met.every(({ meets, shares }) => meets === true && shares !== null);
  if (!orderDecides) return untold(by);
  return {
    kind: 'unknown',
    by,
    what: 'which of the sockets on the port the kernel meets first, which decides and is not told',
    remedy: null,
  };
}

/** Is the port taken, as the first socket met says? */
function decide(met: readonly Met[]): Tri {
  const firsts = possibleFirsts(met);
  const surelyOne = met.some(({ meets }) => meets === true);
  const says = firsts.map(({ shares }) => not(shares));
  if (!surelyOne) says.push(false);
  if (says.every((each) => each === false)) return false;
  return says.every((each) => each === true) ? true : null;
}

/**
 * Those that may come first. New sockets are put at the head of their list, IPv6 ones with SO_REUSEPORT
 * at its end (sk_add_node_rcu); a capture lists IPv4 and IPv6 apart, each in the kernel's order.
 */
function possibleFirsts(met: readonly Met[]): Met[] {
  const untilSure = (list: readonly Met[]) => {
    const sure = list.findIndex(({ meets }) => meets === true);
    return sure < 0 ? { list, sure: false } : { list: list.slice(0, sure + 1), sure: true };
  };
  const isTail = ({ other }: Met) =>
    other.address.family === 'ipv6' ? other.reusePort : (false as Tri);
  const heads = [
    untilSure(met.filter(({ other }) => other.address.family === 'ipv4')),
    untilSure(met.filter((one) => one.other.address.family === 'ipv6' && isTail(one) === false)),
  ];
  // Not known to be at the end: it may be anywhere.
  const anywhere = met.filter((one) => isTail(one) === null);
  const firsts = [...heads.flatMap(({ list }) => list), ...anywhere];
  if (heads.some(({ sure }) => sure)) return firsts;
  return [...firsts, ...untilSure(met.filter((one) => isTail(one) === true)).list];
}

/**
 * udp_lib_lport_inuse2, once more than ten sockets are in the slot: the list of the very address, then
 * that of the wildcards, each with an order of its own. For a wildcard newer kernels do as always.
 */
function byAddress(ours: Holder, met: readonly Met[]): Tri {
  const list = (wild: boolean) => met.filter(({ other }) => isUnspecified(other.address) === wild);
  const inList = (some: readonly Met[]): Tri => {
    const says = some.map(({ shares }) => not(shares));
    if (!some.some(({ meets }) => meets === true)) says.push(false);
    if (says.every((each) => each === false)) return false;
    return says.every((each) => each === true) ? true : null;
  };
  const wild = inList(list(true));
  if (isUnspecified(ours.address)) return wild;
  const exact = inList(list(false));
  return exact === true || wild === true ? true : exact === false && wild === false ? false : null;
}

function isCrowded(host: Host, port: number): boolean {
  let count = 0;
  for (const { protocol, local } of host.state.sockets) {
    if (protocol === 'udp' && local.port % fewestSlots === port % fewestSlots) count++;
  }
  return count > crowd;
}
