import type { NftExpression } from '../../../model/ruleset.js';
import type { Frame } from '../frame.js';
import type { Evaluate, Result } from '../run.js';

type Exthdr = Extract<NftExpression, { kind: 'exthdr' }>;

const PRESENT = 1; // NFT_EXTHDR_F_PRESENT
const OPTION_END = 0;
const OPTION_NOP = 1;

/** nft_exthdr_eval: TCP options; our packets carry no other extension headers and no IP options. */
export function exthdr(expression: Exthdr): Evaluate {
  const { protocol, destination, flags, offset, length } = expression;
  return ({ frame, registers }): Result => {
    if (protocol === 'ipv6' && frame.family !== 'ipv6') return 'break';
    if (protocol === 'ipv4' && frame.etherType !== 0x0800) return 'break';
    const option = protocol === 'tcpopt' ? findOption(frame, expression.type) : null;
    if ((flags & PRESENT) !== 0) {
      registers.storeNumber(destination, option ? 1 : 0, 1);
      return 'continue';
    }
    if (!option || offset + length > option.length) return 'break';
    registers.store(destination, frame.bytes, option.at + offset, length, frame.unknown);
    return 'continue';
  };
}

/** nft_exthdr_tcp_set_eval: an option's bytes are changed where it is there (clamping of the segment size). */
export function exthdrSet({
  protocol,
  type,
  source,
  offset,
  length,
}: Extract<NftExpression, { kind: 'exthdr-set' }>): Evaluate {
  return ({ frame, registers }): Result => {
    if (protocol !== 'tcpopt') return 'unknown';
    const option = findOption(frame, type);
    if (!option || offset + length > option.length) return 'break';
    const at = option.at + offset;
    const from = source * 4;
    // The segment size is only ever made smaller; whether this is smaller is left open.
    frame.bytes.set(registers.bytes.subarray(from, from + length), at);
    frame.leaveOpen(at, length);
    return 'continue';
  };
}

function findOption(frame: Frame, type: number): { at: number; length: number } | null {
  if (frame.protocol !== 6) return null;
  const end = frame.transport + (frame.bytes[frame.transport + 12]! >>> 4) * 4;
  for (let at = frame.transport + 20; at < end; ) {
    const kind = frame.bytes[at]!;
    const single = kind === OPTION_END || kind === OPTION_NOP;
    const length = single ? 1 : frame.bytes[at + 1]!;
    if (kind === type) return { at, length };
    at += Math.max(length, 1);
  }
  return null;
}
