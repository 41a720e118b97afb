import type { NftExpression } from '../../../model/ruleset.js';
import type { Frame, PartlyKnown } from '../frame.js';
import type { PeerWatch } from '../peer-watch.js';
import type { PortWatch } from '../port-watch.js';
import type { Evaluate, Run } from '../run.js';

const addressSize = { ipv4: 4, ipv6: 16 } as const;

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
    const result = load(frame, start + offset, length, (part) => {
      if (part) registers.store(destination, part.bytes, start + offset, length, part.unknown);
      else registers.storeUnknown(destination, length);
    });
    if (run.peer && result === 'continue') {
      notePeer(run, run.peer, destination * 4, start + offset, length);
      if (run.peer.port) notePort(run, run.peer.port, destination, start + offset, length);
    }
    return result;
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

/** Which of the loaded bytes are those of the peer's address. */
function notePeer(
  run: Run,
  peer: PeerWatch<unknown>,
  to: number,
  from: number,
  length: number,
): void {
  const { frame, registers } = run;
  const at = frame.addressesAt;
  const size = addressSize[frame.family];
  for (const end of ['source', 'destination'] as const) {
    const first = Math.max(from, at[end]);
    const last = Math.min(from + length, at[end] + size);
    if (first < last && peer.isPeer(frame.tuple[end])) {
      registers.holdPeer(to + first - from, last - first, first - at[end]);
    }
  }
  // An error quotes the packet that it is about.
  if (frame.kind === 'icmp-error' && from + length > frame.transport + 8) run.looksAtPeer();
}

/** Is what was loaded the port that is asked for, or some of it? */
function notePort(run: Run, { port }: PortWatch, to: number, from: number, length: number): void {
  const { frame, registers } = run;
  const { tuple, transport } = frame;
  for (const [at, held] of [
    [transport, tuple.sourcePort],
    [transport + 2, tuple.destinationPort],
  ] as const) {
    if (held !== port || from >= at + 2 || from + length <= at) continue;
    if (from === at && length === 2) registers.portWords |= 1 << to;
    else run.peer?.port?.blur();
  }
  if (frame.kind === 'icmp-error' && from + length > transport + 8) run.peer?.port?.blur();
}
