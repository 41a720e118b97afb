import { type Address, addressFromBytes } from '../../../model/address.js';
import type { NftExpression } from '../../../model/ruleset.js';
import type { Family } from '../../../model/socket.js';
import { type End, netmap, pickAddress, pickOne, pickPort } from '../nat-range.js';
import { masqueradeAddresses, redirectAddress } from '../own-address.js';
import type { Registers } from '../registers.js';
import type { Evaluate, Result, Run } from '../run.js';
import { setUp } from '../translation.js';

type Nat = Extract<NftExpression, { kind: 'nat' }>;
type Masquerade = Extract<NftExpression, { kind: 'masquerade' }>;
type Redirect = Extract<NftExpression, { kind: 'redirect' }>;

const NETMAP = 1 << 6; // NF_NAT_RANGE_NETMAP

/** nft_nat_eval: what the first packet is translated to, the whole connection is. */
export function nat(expression: Nat): Evaluate {
  const { type, family, addressMin, addressMax, portMin, portMax, flags } = expression;
  return (run) => {
    const { frame } = run;
    if (family !== null && family !== frame.family) return 'continue';
    const address =
      addressMin === null ? null : translated(run, expression, addressMin, addressMax);
    if (address === 'unknown') return 'unknown';
    const end = type === 'dnat' ? 'destination' : 'source';
    const port = portOf(run, end, portMin, portMax, flags);
    if (port === 'unknown') return 'unknown';
    return setUp(run, end, address, port);
  };
}

/** nft_masq_eval: the address of the interface that the packet leaves by. */
export function masquerade({ portMin, portMax, flags }: Masquerade): Evaluate {
  return (run) => {
    const addresses = masqueradeAddresses(run.host, run.frame);
    if (addresses.length === 0) return dropped(run);
    const address = pickOne(run, addresses);
    if (address === 'unknown') return 'unknown';
    const port = portOf(run, 'source', portMin, portMax, flags);
    return port === 'unknown' ? 'unknown' : setUp(run, 'source', address, port);
  };
}

/** nft_redir_eval: to this host itself. */
export function redirect({ portMin, portMax, flags }: Redirect): Evaluate {
  return (run) => {
    const address = redirectAddress(run.host, run.frame, run.hook);
    if (address === null) return dropped(run);
    const port = portOf(run, 'destination', portMin, portMax, flags);
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

function translated(
  run: Run,
  { type, flags }: Nat,
  from: number,
  to: number | null,
): Address | 'unknown' {
  const { registers, frame } = run;
  const first = registerAddress(registers, from, frame.family);
  const last = to === null || to === from ? first : registerAddress(registers, to, frame.family);
  if (!first || !last) return 'unknown';
  if ((flags & NETMAP) === 0) return pickAddress(run, first, last);
  return netmap(frame, type === 'dnat' ? 'destination' : 'source', first, last);
}

function portOf(
  run: Run,
  end: End,
  min: number | null,
  max: number | null,
  flags: number,
): number | null | 'unknown' {
  if (min === null) return null;
  const first = run.registers.port(min);
  const last = max === null || max === min ? first : run.registers.port(max);
  return first === null || last === null
    ? 'unknown'
    : pickPort(run, end, { first, last, flags, base: first });
}
