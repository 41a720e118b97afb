import { type Address, addressFromBytes, addressToBytes } from '../../../model/address.js';
import type { NftExpression } from '../../../model/ruleset.js';
import type { Family } from '../../../model/socket.js';
import { fromBigEndian } from '../bytes.js';
import { masqueradeAddresses, redirectAddress } from '../own-address.js';
import type { Registers } from '../registers.js';
import type { Evaluate, Result, Run } from '../run.js';
import { setUp } from '../translation.js';

type Nat = Extract<NftExpression, { kind: 'nat' }>;
type Masquerade = Extract<NftExpression, { kind: 'masquerade' }>;
type Redirect = Extract<NftExpression, { kind: 'redirect' }>;

const NETMAP = 1 << 6; // NF_NAT_RANGE_NETMAP
const RANDOM = (1 << 2) | (1 << 4); // NF_NAT_RANGE_PROTO_RANDOM, _RANDOM_FULLY

/** More addresses or ports than these to choose from, and the rule is not followed any further. */
const mostTargets = 16;

/** nft_nat_eval: what the first packet is translated to, the whole connection is. */
export function nat(expression: Nat): Evaluate {
  const { type, family, addressMin, addressMax, portMin, portMax, flags } = expression;
  return (run) => {
    const { frame } = run;
    if (family !== null && family !== frame.family) return 'continue';
    const address =
      addressMin === null ? null : pickAddress(run, expression, addressMin, addressMax);
    if (address === 'unknown') return 'unknown';
    const end = type === 'dnat' ? 'destination' : 'source';
    const port = pickPort(run, end, portMin, portMax, flags);
    if (port === 'unknown') return 'unknown';
    return setUp(run, end, address, port);
  };
}

/** nft_masq_eval: the address of the interface that the packet leaves by. */
export function masquerade({ portMin, portMax, flags }: Masquerade): Evaluate {
  return (run) => {
    const addresses = masqueradeAddresses(run.host, run.frame);
    if (addresses.length === 0) return dropped(run);
    if (addresses.length > mostTargets) return 'unknown';
    const address = addresses[addresses.length > 1 ? run.choose(addresses.length) : 0]!;
    const port = pickPort(run, 'source', portMin, portMax, flags);
    return port === 'unknown' ? 'unknown' : setUp(run, 'source', address, port);
  };
}

/** nft_redir_eval: to this host itself. */
export function redirect({ portMin, portMax, flags }: Redirect): Evaluate {
  return (run) => {
    const address = redirectAddress(run.host, run.frame, run.hook);
    if (address === null) return dropped(run);
    const port = pickPort(run, 'destination', portMin, portMax, flags);
    return port === 'unknown' ? 'unknown' : setUp(run, 'destination', address, port);
  };
}

function dropped(run: Run): Result {
  run.verdict = { code: 'drop' };
  return 'verdict';
}

function registerAddress(registers: Registers, word: number, family: Family): Address | null {
  if (!registers.isKnown(word, family === 'ipv4' ? 4 : 16)) return null;
  return addressFromBytes(registers.bytes, word * 4, family);
}

function pickAddress(
  run: Run,
  expression: Nat,
  from: number,
  to: number | null,
): Address | 'unknown' {
  const { registers, frame } = run;
  const first = registerAddress(registers, from, frame.family);
  const last = to === null || to === from ? first : registerAddress(registers, to, frame.family);
  if (!first || !last) return 'unknown';
  if ((expression.flags & NETMAP) !== 0) return netmap(run, expression, first, last);
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
  return addressFromBytes(bytes, 0, frame.family);
}

/** nft_nat_setup_netmap: the prefix is exchanged, the bits behind it stay. */
function netmap({ frame }: Run, { type }: Nat, first: Address, last: Address): Address {
  const own = addressToBytes(type === 'dnat' ? frame.tuple.destination : frame.tuple.source);
  const low = addressToBytes(first);
  const high = addressToBytes(last);
  const bytes = own.map((byte, index) => {
    const host = low[index]! ^ high[index]!;
    return (byte & host) | (low[index]! & ~host);
  });
  return addressFromBytes(bytes, 0, frame.family);
}

/** nf_nat_l4proto_unique_tuple: a port that lies in the range stays. */
function pickPort(
  run: Run,
  end: 'source' | 'destination',
  min: number | null,
  max: number | null,
  flags: number,
): number | null | 'unknown' {
  if (min === null) return null;
  const { registers, frame } = run;
  const first = registers.port(min);
  const last = max === null || max === min ? first : registers.port(max);
  if (first === null || last === null || last < first) return 'unknown';
  if (first === last) return first;
  const current = end === 'source' ? frame.tuple.sourcePort : frame.tuple.destinationPort;
  const keeps = (flags & RANDOM) === 0 && current >= first && current <= last;
  if (keeps) return current;
  // Which port a source is given matters to nobody here; which one is asked does.
  if (end === 'source') return first;
  const count = last - first + 1;
  return count > mostTargets ? 'unknown' : first + run.choose(count);
}
