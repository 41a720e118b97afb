import type { NftExpression } from '../../../model/ruleset.js';
import type { Frame } from '../frame.js';
import type { Evaluate } from '../run.js';

/**
 * nft_payload_set_eval: bytes of a register into the packet. Addresses and ports that a rule writes
 * by itself send the packet elsewhere behind conntrack's back: that is not followed.
 */
export function payloadSet({
  source,
  base,
  offset,
  length,
}: Extract<NftExpression, { kind: 'payload-set' }>): Evaluate {
  return ({ registers, frame }) => {
    if (base === 'link') return 'continue';
    if (frame.kind === 'arp') return 'unknown';
    if (base !== 'network' && base !== 'transport') return 'unknown';
    const start = base === 'network' ? offset : frame.transport + offset;
    if (start + length > frame.bytes.length) return frame.open ? 'continue' : 'break';
    if (decides(frame, start, length)) return 'unknown';
    frame.write(start, registers, source * 4, length);
    return 'continue';
  };
}

/** Version and header length, protocol, addresses, ports and TCP's flags make a packet what it is. */
function decides(frame: Frame, from: number, length: number): boolean {
  const ipv4 = frame.family === 'ipv4';
  const { transport } = frame;
  const parts: [number, number][] = ipv4
    ? [
        [0, 1],
        [2, 4],
        [9, 10],
        [12, 20],
      ]
    : [
        [4, 7],
        [8, 40],
      ];
  parts.push([transport, transport + 4], [transport + 12, transport + 14]);
  return parts.some(([start, end]) => from < end && from + length > start);
}
