import { type Address, writeAddress } from '../../model/address.js';
import type { Family } from '../../model/socket.js';
import type { Device } from '../host.js';
import type { Tracking, Tuple } from './connection.js';

/** What kind of packet of a flow's life it is. */
export type FrameKind =
  | 'syn'
  | 'syn-ack'
  | 'ack'
  | 'udp'
  | 'reset'
  | 'icmp-error'
  | 'neighbour'
  | 'arp';

/** Bytes of which some bits are not known: those set in `unknown`. */
export interface PartlyKnown {
  readonly bytes: Uint8Array;
  readonly unknown: Uint8Array;
}

/** Who holds the socket a packet belongs to: a user, somebody unknown, or no socket. */
export type FrameOwner = number | 'unknown' | 'none';

/** What is told of a packet when it is made; its bytes are its own, which of them are unknown is not. */
export interface FrameParts extends PartlyKnown {
  readonly kind: FrameKind;
  readonly family: Family;
  /** IPPROTO_*. */
  readonly protocol: number;
  /** Where the transport header begins. */
  readonly transport: number;
  /** The packet goes on behind these bytes, nobody knows how far. */
  readonly open: boolean;
  readonly tuple: Tuple;
  readonly isReply: boolean;
}

const sourceAt = { ipv4: 12, ipv6: 8 } as const;
const destinationAt = { ipv4: 16, ipv6: 24 } as const;

/** One packet on its way through the hooks (struct sk_buff, as far as rules can see it). */
export class Frame implements PartlyKnown {
  readonly kind: FrameKind;
  readonly family: Family;
  readonly protocol: number;
  readonly bytes: Uint8Array;
  #unknown: Uint8Array;
  /** Other packets have the same array. */
  #sharesUnknown = true;
  readonly transport: number;
  readonly open: boolean;
  readonly tuple: Tuple;
  /** The Ethernet header; `null` where there is none, as on the way out. */
  link: PartlyKnown | null = null;
  input: Device | null = null;
  output: Device | null = null;
  mark: number | null = 0;
  tracking: Tracking | 'untracked' | null = null;
  /** CT has prepared a connection for it, which conntrack has not seen yet (IPS_TEMPLATE). */
  hasTemplate = false;
  /**
   * It answers an untracked packet: it has no connection, conntrack still looks for one, but CT takes
   * it for seen (nf_conntrack_attach, xt_ct_target).
   */
  speaksOfUntracked = false;
  /** The zone that a rule gave before conntrack. */
  zone = 0;
  owner: FrameOwner = 'none';
  /** PACKET_HOST, PACKET_BROADCAST, PACKET_MULTICAST. */
  packetType = 0;
  /** At output it was given other addresses or another mark that count: it is routed once more. */
  isRerouted = false;
  /** It goes from who was asked back to who asked. */
  readonly isReply: boolean;

  constructor(parts: FrameParts) {
    this.kind = parts.kind;
    this.family = parts.family;
    this.protocol = parts.protocol;
    this.bytes = parts.bytes;
    this.#unknown = parts.unknown;
    this.transport = parts.transport;
    this.open = parts.open;
    this.tuple = { ...parts.tuple };
    this.isReply = parts.isReply;
  }

  /** Not to be written to. */
  get unknown(): Uint8Array {
    return this.#unknown;
  }

  /** A rule writes what is not known here. */
  leaveOpen(at: number, length: number): void {
    this.#ownUnknown().fill(0xff, at, at + length);
  }

  /** A rule writes bytes here. */
  write(at: number, { bytes, unknown }: PartlyKnown, from: number, length: number): void {
    this.bytes.set(bytes.subarray(from, from + length), at);
    this.#ownUnknown().set(unknown.subarray(from, from + length), at);
  }

  #ownUnknown(): Uint8Array {
    if (this.#sharesUnknown) this.#unknown = new Uint8Array(this.#unknown);
    this.#sharesUnknown = false;
    return this.#unknown;
  }

  /** ETH_P_IP, ETH_P_IPV6, ETH_P_ARP. */
  get etherType(): number {
    if (this.kind === 'arp') return 0x0806;
    return this.family === 'ipv4' ? 0x0800 : 0x86dd;
  }

  /** Where in the network header the addresses stand. */
  get sourceAt(): number {
    return this.kind === 'arp' ? 14 : sourceAt[this.family];
  }

  get destinationAt(): number {
    return this.kind === 'arp' ? 24 : destinationAt[this.family];
  }

  /** The packet's length in bytes; `null` where it is not known. */
  get length(): number | null {
    return this.open ? null : this.bytes.length;
  }

  get hasPorts(): boolean {
    return this.protocol === 6 || this.protocol === 17;
  }

  setSource(address: Address, port: number): void {
    this.tuple.source = address;
    this.tuple.sourcePort = port;
    writeAddress(address, this.bytes, sourceAt[this.family]);
    if (this.hasPorts) this.#writePort(0, port);
  }

  setDestination(address: Address, port: number): void {
    this.tuple.destination = address;
    this.tuple.destinationPort = port;
    writeAddress(address, this.bytes, destinationAt[this.family]);
    if (this.hasPorts) this.#writePort(2, port);
  }

  #writePort(at: number, port: number): void {
    this.bytes[this.transport + at] = port >>> 8;
    this.bytes[this.transport + at + 1] = port;
  }
}
