import { type Address, addressFromBytes, addressToBytes } from '../../model/address.js';
import { fromBigEndian } from './bytes.js';
import type { Frame } from './frame.js';
import type { Run } from './run.js';

/** Which end of a packet is translated. */
export type End = 'source' | 'destination';

const RANDOM = (1 << 2) | (1 << 4); // NF_NAT_RANGE_PROTO_RANDOM, _RANDOM_FULLY
const OFFSET = 1 << 5; // NF_NAT_RANGE_PROTO_OFFSET

/** More addresses or ports than these to choose from, and the rule is not followed any further. */
const mostTargets = 16;

/** Addresses from one to another, and what NAT makes of them is not known: one of them. */
export function pickAddress(run: Run, first: Address, last: Address): Address | 'unknown' {
  const low = addressToBytes(first);
  const high = addressToBytes(last);
  const tail = low.length - 4;
  for (let index = 0; index < tail; index++) if (low[index] !== high[index]) return 'unknown';
  const base = fromBigEndian(low, tail, 4);
  const count = fromBigEndian(high, tail, 4) - base + 1;
  if (count === 1) return first;
  if (count < 1 || count > mostTargets) return 'unknown';
  const bytes = low.slice();
  new DataView(bytes.buffer).setUint32(tail, base + run.choose(count));
  return addressFromBytes(bytes, 0, run.frame.family);
}

/** One of the addresses that a rule leaves open. */
export function pickOne(run: Run, addresses: readonly Address[]): Address | 'unknown' {
  if (addresses.length > mostTargets) return 'unknown';
  return addresses[addresses.length > 1 ? run.choose(addresses.length) : 0]!;
}

/** nft_nat_setup_netmap, netmap_tg4 and _tg6: the prefix is exchanged, the bits behind it stay. */
export function netmap({ tuple, family }: Frame, end: End, first: Address, last: Address): Address {
  const own = addressToBytes(tuple[end]);
  const low = addressToBytes(first);
  const high = addressToBytes(last);
  const bytes = own.map((byte, index) => {
    const host = low[index]! ^ high[index]!;
    return (byte & host) | (low[index]! & ~host);
  });
  return addressFromBytes(bytes, 0, family);
}

/** Ports to choose from, and NF_NAT_RANGE_* as far as it speaks of ports. */
export interface Ports {
  readonly first: number;
  readonly last: number;
  readonly flags: number;
  /** With NF_NAT_RANGE_PROTO_OFFSET: the port that the first one stands for. */
  readonly base: number;
}

/** nf_nat_l4proto_unique_tuple: a port that lies in the range stays. */
export function pickPort(
  run: Run,
  end: End,
  { first, last, flags, base }: Ports,
): number | 'unknown' {
  if (last < first) return 'unknown';
  if (first === last) return first;
  const { tuple } = run.frame;
  const current = end === 'source' ? tuple.sourcePort : tuple.destinationPort;
  const count = last - first + 1;
  if ((flags & OFFSET) !== 0) return first + (((current - base) & 0xffff) % count);
  if ((flags & RANDOM) === 0 && current >= first && current <= last) return current;
  // Which port a source is given matters to nobody here; which one is asked does.
  if (end === 'source') return first;
  return count > mostTargets ? 'unknown' : first + run.choose(count);
}
