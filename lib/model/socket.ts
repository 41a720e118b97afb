import type { ExtendedFacts } from './extended.js';

/** The transport protocol of a socket or a flow. */
export type Transport = 'tcp' | 'udp';

/** The address family of a socket: an IPv6 socket may also take IPv4 traffic (see `v6only`). */
export type Family = 'ipv4' | 'ipv6';

/**
 * The state of a socket: for TCP the states of RFC 9293 and the kernel's `bound` (bound, neither
 * listening nor connected); for UDP `unconnected` or `established` (after connect()).
 */
export type SocketState =
  | 'established'
  | 'syn-sent'
  | 'syn-received'
  | 'fin-wait-1'
  | 'fin-wait-2'
  | 'time-wait'
  | 'closed'
  | 'close-wait'
  | 'last-ack'
  | 'listen'
  | 'closing'
  | 'bound'
  | 'unconnected';

/** An address and a port of one end of a socket. */
export interface Endpoint {
  /** Canonical text (RFC 5952). */
  address: string;
  /** 0 to 65535. */
  port: number;
}

/** A process that holds a socket open. */
export interface Process {
  /** The process id, in this process's own PID namespace. */
  pid: number;
  /** The descriptor number in that process. */
  fd: number;
  /** The kernel's name of the process (`comm`, at most 15 bytes). */
  name: string;
  /** The arguments it was started with; empty for a kernel thread or a zombie. */
  command: string[];
  /** The real user id of the process. */
  uid: number;
}

/** One TCP or UDP socket of one network namespace, as the kernel tells it. */
export interface Socket {
  /** TCP or UDP. */
  protocol: Transport;
  /** The family of the socket itself: an `ipv6` one on `::` may take IPv4 too. */
  family: Family;
  /** What it does: `listen` and `unconnected` wait for peers. */
  state: SocketState;
  /** Where it is bound: `0.0.0.0` and `::` are every address. */
  local: Endpoint;
  /** `null` for a socket without a peer. */
  remote: Endpoint | null;
  /** The interfaces that own the local address; every one for a wildcard; the one for a bound device. */
  interfaces: string[];
  /** The device named by SO_BINDTODEVICE, `null` for none. */
  boundInterface: string | null;
  /** IPV6_V6ONLY; `null` where it does not apply or /proc cannot tell. */
  v6only: boolean | null;
  /** The inode of the socket, 0 where it has none any more (TIME-WAIT). */
  inode: number;
  /** The kernel's 64-bit cookie as 16 hexadecimal digits; `null` where /proc cannot tell. */
  cookie: string | null;
  /** The user that owns the socket. */
  uid: number;
  /** Bytes received and not yet read; for listening TCP see `backlog`. */
  receiveQueue: number;
  /** Bytes sent and not yet acknowledged (TCP) or not yet sent (UDP). */
  sendQueue: number;
  /** Listening TCP: connections waiting for accept(), and the most that may wait. `null` otherwise. */
  backlog: { length: number; limit: number } | null;
  /** SO_MARK; `null` where not told (it needs CAP_NET_ADMIN). */
  mark: number | null;
  /** The path of the socket's cgroup below the cgroup v2 mount; `null` where not told. */
  cgroup: string | null;
  /** IP_TRANSPARENT; `null` where not told. */
  transparent: boolean | null;
  /**
   * TCP in a capture: prefixes of the peers whose segments are taken only with an MD5 signature
   * (RFC 2385). Absent where there are none; they are told to CAP_NET_ADMIN alone.
   */
  keyedPeers?: string[];
  /**
   * SO_REUSEADDR. Only in captures, and only where the socket itself could be asked: sock_diag and
   * /proc/net tell it nobody. See `CaptureOptions.socketOptions`.
   */
  reuseAddress?: boolean;
  /** SO_REUSEPORT, told where `reuseAddress` is. */
  reusePort?: boolean;
  /**
   * What is told only when asked for (`SocketOptions.extended`): TCP_INFO, memory and more; `null` where
   * it was read from /proc/net.
   */
  extended?: ExtendedFacts | null;
  /** Where this record was read from. */
  source: 'netlink' | 'procfs';
  /** The processes that hold it, when asked for; `[]` means nobody visible to this user. */
  owners?: Process[];
}

/** A whole number range, both ends included. */
export interface PortRange {
  /** The first port, 0 to 65535. */
  from: number;
  /** The last port, not below `from`. */
  to: number;
}

/**
 * Which sockets to read: all given keys must hold. What the kernel can filter it filters, the rest
 * is filtered where it was read. An unknown key or a value that is not of its form is an error.
 */
export interface SocketFilter {
  /** One, or any of several. */
  protocol?: Transport | Transport[];
  /** One, or any of several. */
  family?: Family | Family[];
  /** One, or any of several. */
  state?: SocketState | SocketState[];
  /** 0 to 65535: one, a range, or a list. */
  localPort?: number | PortRange | number[];
  /** 0 to 65535: one, a range, or a list. */
  remotePort?: number | PortRange | number[];
  /** An address or a prefix in CIDR notation. An IPv4 one also matches its v4-mapped IPv6 form. */
  localAddress?: string;
  /** An address or a prefix in CIDR notation. An IPv4 one also matches its v4-mapped IPv6 form. */
  remoteAddress?: string;
  /**
   * The name of the device the socket is bound to (SO_BINDTODEVICE), `null` for bound to none. With both
   * its addresses and ports, a connection of this device, or of none, is looked up in a few microseconds;
   * without, the kernel must look through all where it has one, for another may have the same ends.
   */
  interface?: string | null;
  /** The user that owns the socket, by number. */
  uid?: number;
  /** SO_MARK, exactly; reading marks needs CAP_NET_ADMIN. */
  mark?: number;
  /**
   * The cgroup v2 in which the socket was made, and none below it: its path below the mount of cgroup v2,
   * as `'/system.slice/ssh.service'`, or its id (the inode number of that directory).
   */
  cgroup?: string | number;
}

/** How to read the kernel. */
export interface ReadOptions {
  /** Another network namespace: a path such as /run/netns/blue, or a process id. Default: this process's own. */
  netns?: string | number;
  /**
   * Where sockets are read from. `'auto'`, the default: netlink, and /proc/net where netlink is not
   * to be had; each record says which.
   */
  source?: 'auto' | 'netlink' | 'procfs';
  /** Also resolve the processes that hold each socket. Default false for tables, true for listeners(). */
  owners?: boolean;
}

/** How to read sockets. */
export interface SocketOptions extends Omit<ReadOptions, 'owners'> {
  /**
   * Also resolve the processes that hold each socket; with `'one'` the first that is found, by one of its
   * descriptors. Others may have the same socket, by inheritance or handed on, so all are known only when
   * every process was looked at: some milliseconds for each thousand descriptors on the host. One is found
   * sooner, and sooner still where it was asked for before. Default false for tables, true for listeners().
   */
  owners?: boolean | 'one';
  /**
   * Also read what a socket says of itself beyond its ends: TCP_INFO, memory, congestion control, timers,
   * options. It costs about twice the time and ten times the memory. Default false.
   */
  extended?: boolean;
}

/** How to make a capture. */
export interface CaptureOptions extends ReadOptions {
  /**
   * Also ask the sockets of other processes for SO_REUSEADDR and SO_REUSEPORT, which `checkBind`
   * needs and no list of the kernel has: each is duplicated for a moment (pidfd_getfd(2), Linux 5.6,
   * with the right to trace their processes). Default false: this process's own are asked, no other.
   */
  socketOptions?: boolean;
}
