import type { Family } from './socket.js';

/**
 * TCP connections of one kind, by the local ports that they hold: open, closing, or in TIME-WAIT. They
 * take no first packet, but they stand in the way of a bind(). Neither peers nor inodes are told, for
 * there may be hundreds of thousands of them.
 */
export interface HeldPorts {
  /** The family of the sockets. */
  family: Family;
  /** Their local address, canonical text. */
  address: string;
  /** The device they are bound to; `null` for none, and where they were read from /proc/net, which does not tell. */
  boundInterface: string | null;
  /** The user that owns them. */
  uid: number;
  /** True for what is left of closed connections: no process holds them, and they end by themselves. */
  timeWait: boolean;
  /** IPV6_V6ONLY, where it was told. */
  v6only?: boolean;
  /** SO_REUSEADDR, where it was told. */
  reuseAddress?: boolean;
  /** SO_REUSEPORT, where it was told. */
  reusePort?: boolean;
  /** Where they were read from. */
  source: 'netlink' | 'procfs';
  /** The local ports, ascending, each once. */
  ports: number[];
}
