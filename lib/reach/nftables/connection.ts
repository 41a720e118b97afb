import type { Address } from '../../model/address.js';

/** One direction of a connection, as conntrack keys it. */
export interface Tuple {
  source: Address;
  sourcePort: number;
  destination: Address;
  destinationPort: number;
}

/** Bits of `ct status` (enum ip_conntrack_status). */
export const SEEN_REPLY = 1 << 1;
export const ASSURED = 1 << 2;
export const CONFIRMED = 1 << 3;
export const SRC_NAT = 1 << 4;
export const DST_NAT = 1 << 5;
export const SRC_NAT_DONE = 1 << 7;
export const DST_NAT_DONE = 1 << 8;

/** What conntrack keeps of the flow (struct nf_conn). */
export class Connection {
  status = 0;
  mark = 0;

  constructor(
    readonly original: Tuple,
    readonly reply: Tuple,
    readonly protocol: number,
    /** As `ct zone set` gave it before conntrack saw the first packet. */
    readonly zone: number,
  ) {}

  /** A new connection expects its answers from whom it was sent to. */
  static of(tuple: Tuple, protocol: number, zone: number): Connection {
    return new Connection({ ...tuple }, inverted(tuple), protocol, zone);
  }

  has(bits: number): boolean {
    return (this.status & bits) !== 0;
  }
}

/** The same exchange seen from the other side. */
export function inverted({ source, sourcePort, destination, destinationPort }: Tuple): Tuple {
  return {
    source: destination,
    sourcePort: destinationPort,
    destination: source,
    destinationPort: sourcePort,
  };
}

/** What a packet knows of its connection (skb->_nfct and enum ip_conntrack_info). */
export interface Tracking {
  readonly connection: Connection;
  readonly state: 'new' | 'established' | 'related';
  readonly direction: 'original' | 'reply';
}
