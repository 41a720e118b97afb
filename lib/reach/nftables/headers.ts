import { type Address, writeAddress } from '../../model/address.js';
import type { Family } from '../../model/socket.js';
import type { Tuple } from './connection.js';
import { Frame, type FrameKind, type PartlyKnown } from './frame.js';

/** What of a packet depends on who sends it and by what. */
export interface Sender {
  /** The time to live it arrives with; `null` where routers may stand between. */
  ttl: number | null;
  /** The MTU of the link, which the TCP segment size follows from. */
  mtu: number;
}

/** What a flow is made of. */
export type FlowKind = Exclude<FrameKind, 'neighbour' | 'arp'>;

const protocolOf: Record<FlowKind, (family: Family) => number> = {
  syn: () => 6,
  'syn-ack': () => 6,
  ack: () => 6,
  reset: () => 6,
  udp: () => 17,
  'icmp-error': (family) => (family === 'ipv4' ? 1 : 58),
};

const tcpFlags = { syn: 0x02, 'syn-ack': 0x12, ack: 0x10, reset: 0x14 } as const;

/** The packet as Linux sends it, header by header. What the sender is free to choose is unknown. */
export function makeFrame(
  kind: FlowKind,
  family: Family,
  tuple: Tuple,
  sender: Sender,
  isReply: boolean,
): Frame {
  const blank = blankOf(kind, family, sender);
  const frame = new Frame({
    kind,
    family,
    protocol: protocolOf[kind](family),
    bytes: new Uint8Array(blank.bytes),
    unknown: blank.unknown,
    transport: family === 'ipv4' ? 20 : 40,
    open: kind === 'udp' || kind === 'icmp-error',
    tuple,
    isReply,
  });
  frame.setSource(tuple.source, tuple.sourcePort);
  frame.setDestination(tuple.destination, tuple.destinationPort);
  return frame;
}

/** Packets without their ends, by their senders: of one kind and one kind of sender, all else is the same. */
type Blanks = Readonly<Record<FlowKind, Map<number, PartlyKnown>>>;
const blanks: Readonly<Record<Family, Blanks>> = { ipv4: noBlanks(), ipv6: noBlanks() };
const mostBlanks = 1024;

function noBlanks(): Blanks {
  return {
    syn: new Map(),
    'syn-ack': new Map(),
    ack: new Map(),
    reset: new Map(),
    udp: new Map(),
    'icmp-error': new Map(),
  };
}

function blankOf(kind: FlowKind, family: Family, sender: Sender): PartlyKnown {
  const ofKind = blanks[family][kind];
  const key = sender.mtu * 512 + (sender.ttl ?? 256);
  const known = ofKind.get(key);
  if (known) return known;
  const network = family === 'ipv4' ? 20 : 40;
  const draft = new Draft(network + transportLength(kind));
  if (family === 'ipv4') writeIpv4(draft, kind, protocolOf[kind](family), sender);
  else writeIpv6(draft, kind, protocolOf[kind](family), sender);
  if (kind === 'udp') draft.unknownFrom(network + 4, 4);
  else if (kind === 'icmp-error') draft.unknownFrom(network, 8);
  else writeTcp(draft, network, kind, family, sender);
  if (ofKind.size === mostBlanks) ofKind.clear();
  ofKind.set(key, draft);
  return draft;
}

/**
 * A neighbour solicitation for a target, or the advertisement that answers it (ndisc_send_ns,
 * ndisc_send_na): each with the link-layer address of who sends it, which is left open.
 */
export function makeSolicitation(
  source: Address,
  destination: Address,
  target: Address,
  isReply: boolean,
): Frame {
  const network = 40;
  const draft = new Draft(network + transportLength('neighbour'));
  const tuple = { source, sourcePort: 0, destination, destinationPort: 0 };
  writeIpv6(draft, 'neighbour', 58, { ttl: 255, mtu: 0 });
  writeAddress(source, draft.bytes, 8);
  writeAddress(destination, draft.bytes, 24);
  draft.put(network, isReply ? 136 : 135);
  draft.unknownFrom(network + 2, 2);
  // Of an answer: router, solicited, override.
  if (isReply) draft.unknownFrom(network + 4, 1);
  writeAddress(target, draft.bytes, network + 8);
  draft.put(network + 24, isReply ? 2 : 1);
  draft.put(network + 25, 1);
  draft.unknownFrom(network + 26, 6);
  return new Frame({
    kind: 'neighbour',
    family: 'ipv6',
    protocol: 58,
    bytes: draft.bytes,
    unknown: draft.unknown,
    transport: network,
    open: false,
    tuple,
    isReply,
  });
}

/** An ARP request or its answer (arp_create): all but the link-layer addresses, which are left open. */
export function makeArp(source: Address, destination: Address, isReply: boolean): Frame {
  const draft = new Draft(28);
  draft.put16(0, 1);
  draft.put16(2, 0x0800);
  draft.put(4, 6);
  draft.put(5, 4);
  draft.put16(6, isReply ? 2 : 1);
  draft.unknownFrom(8, 6);
  writeAddress(source, draft.bytes, 14);
  draft.unknownFrom(18, 6);
  writeAddress(destination, draft.bytes, 24);
  return new Frame({
    kind: 'arp',
    family: 'ipv4',
    protocol: 0,
    bytes: draft.bytes,
    unknown: draft.unknown,
    transport: 28,
    open: false,
    tuple: { source, sourcePort: 0, destination, destinationPort: 0 },
    isReply,
  });
}

function transportLength(kind: Exclude<FrameKind, 'arp'>): number {
  switch (kind) {
    case 'syn':
    case 'syn-ack':
      return 40;
    case 'ack':
      return 32;
    case 'reset':
      return 20;
    case 'neighbour':
      return 32;
    case 'udp':
    case 'icmp-error':
      return 8;
  }
}

/** Bytes being written, with the bits that are not known. */
class Draft implements PartlyKnown {
  readonly bytes: Uint8Array;
  readonly unknown: Uint8Array;

  constructor(length: number) {
    this.bytes = new Uint8Array(length);
    this.unknown = new Uint8Array(length);
  }

  put(at: number, value: number): void {
    this.bytes[at] = value;
  }

  put16(at: number, value: number): void {
    this.bytes[at] = value >>> 8;
    this.bytes[at + 1] = value;
  }

  put32(at: number, value: number): void {
    this.put16(at, value >>> 16);
    this.put16(at + 2, value);
  }

  unknownFrom(at: number, length: number): void {
    this.unknown.fill(0xff, at, at + length);
  }

  ttl(at: number, { ttl }: Sender): void {
    if (ttl === null) this.unknownFrom(at, 1);
    else this.put(at, ttl);
  }
}

/** ip_build_and_send_pkt, __ip_queue_xmit: not to be fragmented, and only TCP's own id is zero. */
function writeIpv4(draft: Draft, kind: FrameKind, protocol: number, sender: Sender): void {
  const icmp = kind === 'icmp-error';
  draft.put(0, 0x45);
  draft.put(1, icmp ? 0xc0 : 0);
  if (kind === 'udp' || icmp) draft.unknownFrom(2, 2);
  else draft.put16(2, draft.bytes.length);
  draft.unknownFrom(4, 2);
  if (icmp) draft.unknownFrom(6, 1);
  else draft.put(6, 0x40);
  draft.ttl(8, sender);
  draft.put(9, protocol);
  draft.unknownFrom(10, 2);
}

function writeIpv6(draft: Draft, kind: FrameKind, protocol: number, sender: Sender): void {
  draft.put(0, 0x60);
  draft.unknownFrom(1, 3); // the flow label
  draft.unknown[1] = 0x0f;
  if (kind === 'udp' || kind === 'icmp-error') draft.unknownFrom(4, 2);
  else draft.put16(4, draft.bytes.length - 40);
  draft.put(6, protocol);
  draft.ttl(7, sender);
}

/** tcp_options_write: segment size, SACK permitted, timestamps, window scale; then only timestamps. */
function writeTcp(
  draft: Draft,
  at: number,
  kind: keyof typeof tcpFlags,
  family: Family,
  sender: Sender,
): void {
  draft.unknownFrom(at + 4, 4);
  if (kind !== 'syn') draft.unknownFrom(at + 8, 4);
  draft.put(at + 12, ((draft.bytes.length - at) >>> 2) << 4);
  draft.put(at + 13, tcpFlags[kind]);
  if (kind !== 'reset') draft.unknownFrom(at + 14, 2);
  draft.unknownFrom(at + 16, 2);
  const options = at + 20;
  if (kind === 'ack') {
    draft.put32(options, 0x0101080a);
    draft.unknownFrom(options + 4, 8);
  } else if (kind !== 'reset') {
    draft.put16(options, 0x0204);
    draft.put16(options + 2, Math.min(sender.mtu, 65535) - (family === 'ipv4' ? 40 : 60));
    draft.put32(options + 4, 0x0402080a);
    draft.unknownFrom(options + 8, 4);
    if (kind === 'syn-ack') draft.unknownFrom(options + 12, 4);
    draft.put16(options + 16, 0x0103);
    draft.put(options + 18, 3);
    draft.unknownFrom(options + 19, 1);
  }
}
