import type { Address } from '../../../model/address.js';
import type { NftExpression } from '../../../model/ruleset.js';
import type { Frame } from '../frame.js';
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
    const from = start + offset;
    if (from + length > frame.bytes.length) {
      if (!frame.open) return 'break';
      registers.storeUnknown(destination, length);
      return 'may';
    }
    registers.store(destination, frame.bytes, from, length, frame.unknown);
    const { peer } = run;
    if (peer) {
      notePeer(run, peer, destination * 4, from, length);
      if (peer.port) notePort(run, peer.port, destination, from, length);
    }
    return 'continue';
  };
}

function baseOf(frame: Frame, base: 'network' | 'transport' | 'inner'): number {
  if (base === 'network') return 0;
  if (base === 'transport') return frame.transport;
  if (frame.protocol === 17) return frame.transport + 8;
  const words = frame.bytes[frame.transport + 12]! >>> 4;
  return frame.protocol === 6 ? frame.transport + words * 4 : frame.bytes.length;
}

/** Which of the loaded bytes are those of the peer's address. */
function notePeer(
  run: Run,
  peer: PeerWatch<unknown>,
  to: number,
  from: number,
  length: number,
): void {
  const { frame } = run;
  const { sourceAt, destinationAt, tuple } = frame;
  noteAddress(run, peer, tuple.source, sourceAt, to, from, length);
  noteAddress(run, peer, tuple.destination, destinationAt, to, from, length);
  // An error quotes the packet that it is about.
  if (frame.kind === 'icmp-error' && from + length > frame.transport + 8) run.looksAtPeer();
}

function noteAddress(
  { frame, registers }: Run,
  peer: PeerWatch<unknown>,
  address: Address,
  at: number,
  to: number,
  from: number,
  length: number,
): void {
  const first = Math.max(from, at);
  const last = Math.min(from + length, at + addressSize[frame.family]);
  if (first < last && peer.isPeer(address))
    registers.holdPeer(to + first - from, last - first, first - at);
}

/** Is what was loaded the port that is asked for, or some of it? */
function notePort(run: Run, watch: PortWatch, to: number, from: number, length: number): void {
  const { frame, registers } = run;
  const { tuple, transport } = frame;
  for (let at = transport; at <= transport + 2; at += 2) {
    const held = at === transport ? tuple.sourcePort : tuple.destinationPort;
    if (held !== watch.port || from >= at + 2 || from + length <= at) continue;
    if (from === at && length === 2) registers.portWords |= 1 << to;
    else watch.blur();
  }
  if (frame.kind === 'icmp-error' && from + length > transport + 8) watch.blur();
}
