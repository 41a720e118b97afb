/** How a TCP connection judges the path: Linux's congestion states. */
export type CongestionState = 'open' | 'disorder' | 'cwr' | 'recovery' | 'loss';

/** What both ends of a TCP connection agreed on, and what came of it. */
export type TcpOption =
  | 'timestamps'
  | 'sack'
  | 'window-scaling'
  | 'ecn'
  /** A packet with ECN came in. */
  | 'ecn-seen'
  /** The SYN carried data, and that was acknowledged (TCP Fast Open). */
  | 'syn-data'
  | 'microsecond-timestamps'
  /** It was accepted with data in its SYN. */
  | 'fast-open-child';

/**
 * TCP_INFO (tcp_get_info() of the kernel). Times are in milliseconds, where the kernel has microseconds
 * with three digits behind the point; rates in bytes a second; windows and sizes in bytes, but those
 * in segments say so. Counts are since the connection began. `null` is what the running kernel does not
 * tell: each release has added to the end.
 */
export interface TcpInfo {
  /** How it judges the path. */
  congestionState: CongestionState | null;
  /** Timeouts one after the other, by which the oldest unacknowledged segment was sent again. */
  retransmits: number | null;
  /** Probes of a window of zero, or of keepalive, that were not answered. */
  probes: number | null;
  /** How often the timeout has been doubled. */
  backoff: number | null;
  /** What was agreed on. */
  options: TcpOption[] | null;
  /** The peer's window scale (a shift); `null` also where none was agreed on. */
  sendWindowScale: number | null;
  /** Its own window scale (a shift); `null` also where none was agreed on. */
  receiveWindowScale: number | null;
  /** `deliveryRate` was measured while the program had nothing to send: the path may do better. */
  deliveryRateAppLimited: boolean | null;
  /** Retransmission timeout, ms. */
  rto: number | null;
  /** Timeout of a delayed acknowledgement, ms. */
  ato: number | null;
  /** Largest segment sent, bytes. */
  sendMss: number | null;
  /** Largest segment received, bytes (an estimate). */
  receiveMss: number | null;
  /** Segments sent and not acknowledged. */
  unacked: number | null;
  /** Of these, those that the peer has by SACK. */
  sacked: number | null;
  /** Of these, those taken for lost. */
  lost: number | null;
  /** Of these, those sent again. */
  retransmitted: number | null;
  /** Since data was sent last, ms. */
  sinceDataSent: number | null;
  /** Since data came last, ms. */
  sinceDataReceived: number | null;
  /** Since an acknowledgement came last, ms. */
  sinceAckReceived: number | null;
  /** Path MTU, bytes. */
  pathMtu: number | null;
  /** What the receive window may grow to as things stand (`rcv_ssthresh`), bytes. */
  receiveThreshold: number | null;
  /** Smoothed round-trip time, ms; 0 before the first. */
  rtt: number | null;
  /** Its mean deviation, ms. */
  rttVariation: number | null;
  /** Slow-start threshold, segments; `null` also as long as there is none. */
  sendThreshold: number | null;
  /** Congestion window, segments. */
  congestionWindow: number | null;
  /** Largest segment announced to the peer, bytes. */
  advertisedMss: number | null;
  /** How many segments may arrive out of order before loss is presumed. */
  reordering: number | null;
  /** Round-trip time as the receiver sees it, ms; 0 before the first. */
  receiveRtt: number | null;
  /** What the program takes in a round trip, bytes, by which the receive buffer is sized. */
  receiveSpace: number | null;
  /** Segments that were sent again. */
  totalRetransmits: number | null;
  /** Pace of sending, bytes a second; `null` also without a limit. */
  pacingRate: number | null;
  /** SO_MAX_PACING_RATE, bytes a second; `null` also without a limit. */
  maxPacingRate: number | null;
  /** Bytes that the peer has acknowledged (RFC 4898). */
  bytesAcked: number | null;
  /** Bytes received in order (RFC 4898). */
  bytesReceived: number | null;
  /** Segments sent, those without data too. */
  segmentsSent: number | null;
  /** Segments received, those without data too. */
  segmentsReceived: number | null;
  /** Bytes that wait to be sent for the first time. */
  notSentBytes: number | null;
  /** Least round-trip time lately, ms; `null` also before the first. */
  minRtt: number | null;
  /** Segments with data received. */
  dataSegmentsReceived: number | null;
  /** Segments with data sent. */
  dataSegmentsSent: number | null;
  /** What arrived at the peer lately, bytes a second. */
  deliveryRate: number | null;
  /** Time spent with data to send, ms. */
  busyTime: number | null;
  /** Of it, limited by the peer's window, ms. */
  receiveWindowLimited: number | null;
  /** Of it, limited by the send buffer, ms. */
  sendBufferLimited: number | null;
  /** Segments delivered. */
  delivered: number | null;
  /** Of these, those that the peer said met congestion (ECN). */
  deliveredCe: number | null;
  /** Bytes sent, those sent again too. */
  bytesSent: number | null;
  /** Bytes sent again. */
  bytesRetransmitted: number | null;
  /** Segments that the peer said it had twice (DSACK). */
  duplicateSacks: number | null;
  /** How often segments came out of order. */
  reorderingsSeen: number | null;
  /** Segments received out of order. */
  outOfOrderReceived: number | null;
  /** The peer's window, bytes. */
  sendWindow: number | null;
  /** Its own window, bytes. */
  receiveWindow: number | null;
  /** How often another path was tried by another flow label. */
  rehashes: number | null;
  /** Retransmission timeouts. */
  totalTimeouts: number | null;
  /** Times that it recovered from such. */
  totalTimeoutRecoveries: number | null;
  /** Time spent in such, ms. */
  totalTimeoutTime: number | null;
}

/** The names of the numbers of TCP_INFO. */
export type TcpNumber = {
  [Key in keyof TcpInfo]: TcpInfo[Key] extends number | null ? Key : never;
}[keyof TcpInfo];

/** INET_DIAG_SKMEMINFO: how a socket uses memory, in bytes. `null` is what the kernel does not tell. */
export interface SocketMemory {
  /** Held by what was received, as buffers count it. */
  receiveAllocated: number | null;
  /** SO_RCVBUF. */
  receiveBuffer: number | null;
  /** Held by what waits for the device. */
  sendAllocated: number | null;
  /** SO_SNDBUF. */
  sendBuffer: number | null;
  /** Reserved and not yet used. */
  forwardAllocated: number | null;
  /** Held by what waits to be sent or acknowledged. */
  sendQueued: number | null;
  /** Held by options and filters. */
  optionMemory: number | null;
  /** Held by what came while the socket was in use. */
  backlog: number | null;
  /** Packets that were dropped for want of room (SO_RXQ_OVFL). */
  drops: number | null;
}

/** What drives a socket next. */
export interface SocketTimer {
  /** A segment is sent again, a peer that is silent is asked, a window of zero is asked, TIME-WAIT ends. */
  kind: 'retransmit' | 'keepalive' | 'zero-window-probe' | 'time-wait';
  /** In so many milliseconds. */
  expires: number;
  /** How often it ran out in vain. */
  count: number;
}

/**
 * What a congestion control algorithm tells of itself. Times are milliseconds and bandwidths bytes a
 * second; gains are factors, and `alpha` is the share of bytes that were marked, from 0 to 1. `rounds` is how
 * many round-trip times were measured.
 */
export type CongestionFacts =
  | { kind: 'vegas'; enabled: boolean; rounds: number; rtt: number | null; minRtt: number | null }
  | { kind: 'bbr'; bandwidth: number; minRtt: number; pacingGain: number; windowGain: number }
  | { kind: 'dctcp'; enabled: boolean; congested: boolean; alpha: number };

/** Options that are on (INET_DIAG_SOCKOPT). */
export type SocketFlag =
  | 'IP_RECVERR'
  | 'IP_FREEBIND'
  | 'IP_HDRINCL'
  | 'IP_MULTICAST_LOOP'
  | 'IP_TRANSPARENT'
  | 'IP_MULTICAST_ALL'
  | 'IP_NODEFRAG'
  | 'IP_BIND_ADDRESS_NO_PORT'
  | 'IP_RECVERR_RFC4884'
  | 'TCP_FASTOPEN_CONNECT';

/**
 * What sock_diag(7) tells of a socket only when it is asked for. `null` is what is not told: by an older
 * kernel, or of such a socket.
 */
export interface ExtendedFacts {
  /** TCP_INFO; `null` for UDP, for a listener, and in `syn-received` and `time-wait`. */
  tcp: TcpInfo | null;
  /** How it uses memory. */
  memory: SocketMemory | null;
  /** TCP: the algorithm's name (`'cubic'`), and what it tells: Vegas and its kin, BBR and DCTCP do. */
  congestionControl: { name: string; facts: CongestionFacts | null } | null;
  /** TCP: what drives it next; `null` also where nothing does. */
  timer: SocketTimer | null;
  /** IP_TOS of an IPv4 socket, or of an IPv6 one that speaks IPv4: 8 bits. */
  typeOfService: number | null;
  /** IPV6_TCLASS, 8 bits. */
  trafficClass: number | null;
  /** The net_cls class, or without one SO_PRIORITY. */
  classId: number | null;
  /** The id of its cgroup v2, which lasts where the path does not; `null` also where it is above 2^53. */
  cgroupId: number | null;
  /** Which ways shutdown(2) has closed. */
  shutdown: { receive: boolean; send: boolean } | null;
  /** Options that are on. */
  flags: SocketFlag[] | null;
}
