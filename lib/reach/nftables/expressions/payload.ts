import type { NftExpression } from '../../../model/ruleset.js';
import type { Frame, PartlyKnown } from '../frame.js';
import type { Evaluate } from '../run.js';

const ipv4Source = { from: 12, to: 16 };
const ipv6Source = { from: 8, to: 24 };

/** nft_payload_eval: bytes of the packet into a register; what is not there ends the rule. */
export function payload({
  destination,
  base,
  offset,
  length,
}: Extract<NftExpression, { kind: 'payload' }>): Evaluate {
  return (run) => {
    const { registers, frame } = run;
    if (base === 'link') {
      const { link } = frame;
      if (!link || offset + length > link.bytes.length) return link ? 'unknown' : 'break';
      registers.store(destination, link.bytes, offset, length, link.unknown);
      return 'continue';
    }
    if (base === 'tunnel') return 'unknown';
    const start = baseOf(frame, base);
    if (base === 'network' && touchesSource(frame, offset, length)) run.looksAtPeer();
    return load(frame, start + offset, length, (part) => {
      if (part) registers.store(destination, part.bytes, start + offset, length, part.unknown);
      else registers.storeUnknown(destination, length);
    });
  };
}

function baseOf(frame: Frame, base: 'network' | 'transport' | 'inner'): number {
  if (base === 'network') return 0;
  if (base === 'transport') return frame.transport;
  if (frame.protocol === 17) return frame.transport + 8;
  const words = frame.bytes[frame.transport + 12]! >>> 4;
  return frame.protocol === 6 ? frame.transport + words * 4 : frame.bytes.length;
}

function load(
  frame: Frame,
  from: number,
  length: number,
  take: (part: PartlyKnown | null) => void,
): 'continue' | 'break' | 'may' {
  const known = from + length <= frame.bytes.length;
  if (!known && !frame.open) return 'break';
  take(known ? frame : null);
  return known ? 'continue' : 'may';
}

function touchesSource(frame: Frame, offset: number, length: number): boolean {
  const { from, to } = frame.family === 'ipv4' ? ipv4Source : ipv6Source;
  return offset < to && offset + length > from;
}
