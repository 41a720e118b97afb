import type { Endpoint, Transport } from '../model/socket.js';

/** The question `trace` answers: would this first packet get to a socket, and its answer back? */
export interface Flow {
  /** TCP or UDP. */
  protocol: Transport;
  /** The interface the first packet arrives on; `lo` means this host itself sends it. */
  ingress: string;
  /**
   * The peer. It may be left out for a flow from this host: the kernel's own source selection is
   * followed. Without a port an ephemeral one that no rule names is assumed.
   */
  source?: { address: string; port?: number };
  /** The address and port that the peer asks for. */
  destination: Endpoint;
  /** For a flow from this host: the user who asks, where policy rules look at users. */
  uid?: number;
}
