import type {
  CongestionFacts,
  ExtendedFacts,
  SocketFlag,
  SocketMemory,
  SocketTimer,
} from '../model/extended.js';
import { Bytes } from './netlink-message.js';
import { bitField, tcpInfo } from './tcp-info.js';

/*
 * struct inet_diag_msg and what follows it (linux/inet_diag.h):
 *
 *   family:u8 state:u8 timer:u8 retransmissions:u8   ends 48   expires:u32 …   attributes from 72 on
 */

const AT = { state: 1, timer: 2, retransmissions: 3, expires: 52, attributes: 72 } as const;

/** INET_DIAG_* */
const Attribute = {
  info: 2,
  vegas: 3,
  algorithm: 4,
  tos: 5,
  trafficClass: 6,
  memory: 7,
  shutdown: 8,
  dctcp: 9,
  bbr: 16,
  classId: 17,
  cgroupId: 21,
  options: 22,
} as const;

const TCP_LISTEN = 10;

/** By number (inet_sk_diag_fill); 0 is none. */
const TIMERS: readonly (SocketTimer['kind'] | undefined)[] = [
  undefined,
  'retransmit',
  'keepalive',
  'time-wait',
  'zero-window-probe',
];

/** struct inet_diag_sockopt, bit by bit; the second is the kernel's own ("has a connection socket"). */
const FLAGS: readonly (readonly (SocketFlag | null)[])[] = [
  [
    'IP_RECVERR',
    null,
    'IP_FREEBIND',
    'IP_HDRINCL',
    'IP_MULTICAST_LOOP',
    'IP_TRANSPARENT',
    'IP_MULTICAST_ALL',
    'IP_NODEFRAG',
  ],
  ['IP_BIND_ADDRESS_NO_PORT', 'IP_RECVERR_RFC4884', 'TCP_FASTOPEN_CONNECT'],
];

/** The messages of a table that were kept: row by row, one after the other. */
export interface KeptMessages {
  bytes: Uint8Array;
  /** Where that of each row ends; rows behind have none. */
  ends: Uint32Array;
}

/** What the kernel told of one row, without netlink's header; `null` for a row of /proc/net. */
export function messageOf(
  { bytes, ends }: KeptMessages,
  row: number,
  littleEndian?: boolean,
): Bytes | null {
  const [from, to] = [row === 0 ? 0 : ends[row - 1], ends[row]];
  if (from === undefined || to === undefined || from === to) return null;
  return Bytes.of(bytes.subarray(from, to), 'a socket', littleEndian);
}

/** The attributes of a message by type; no message is shorter than its fixed part. */
const attributesOf = (message: Bytes) => message.attributeMap(AT.attributes);

/** The struct tcp_info of a message; a listener's holds next to nothing (tcp_get_info). */
export function tcpInfoBytes(message: Bytes, attributes = attributesOf(message)): Bytes | null {
  const info = attributes.get(Attribute.info);
  return info && info.length > 0 && message.u8(AT.state) !== TCP_LISTEN ? info : null;
}

/** All that a message tells. Throws `ERR_KERNEL` where it is not of its form. */
export function extendedFacts(message: Bytes): ExtendedFacts {
  const attributes = attributesOf(message);
  const number = (type: number, width: 1 | 4): number | null => {
    const value = attributes.get(type);
    if (!value || value.length < width) return null;
    return width === 1 ? value.u8(0) : value.u32(0);
  };
  const info = tcpInfoBytes(message, attributes);
  const shutdown = number(Attribute.shutdown, 1);
  const algorithm = attributes.get(Attribute.algorithm)?.text();
  return {
    tcp: info && tcpInfo(info),
    memory: memoryOf(attributes.get(Attribute.memory)),
    congestionControl: algorithm ? { name: algorithm, facts: congestionFacts(attributes) } : null,
    timer: timerOf(message),
    typeOfService: number(Attribute.tos, 1),
    trafficClass: number(Attribute.trafficClass, 1),
    classId: number(Attribute.classId, 4),
    cgroupId: exactly(attributes.get(Attribute.cgroupId)),
    shutdown:
      shutdown === null ? null : { receive: (shutdown & 1) !== 0, send: (shutdown & 2) !== 0 },
    flags: flagsOf(attributes.get(Attribute.options)),
  };
}

/** SK_MEMINFO_*, words in this order. */
function memoryOf(words: Bytes | undefined): SocketMemory | null {
  if (!words) return null;
  const word = (at: number): number | null =>
    4 * at + 4 <= words.length ? words.u32(4 * at) : null;
  return {
    receiveAllocated: word(0),
    receiveBuffer: word(1),
    sendAllocated: word(2),
    sendBuffer: word(3),
    forwardAllocated: word(4),
    sendQueued: word(5),
    optionMemory: word(6),
    backlog: word(7),
    drops: word(8),
  };
}

function timerOf(message: Bytes): SocketTimer | null {
  const kind = TIMERS[message.u8(AT.timer)];
  if (!kind) return null;
  return { kind, expires: message.u32(AT.expires), count: message.u8(AT.retransmissions) };
}

/** Whichever is told: all are asked for by the bit of Vegas. */
function congestionFacts(attributes: ReadonlyMap<number, Bytes>): CongestionFacts | null {
  const vegas = attributes.get(Attribute.vegas);
  if (vegas && vegas.length >= 16) {
    const time = (offset: number): number | null => {
      const microseconds = vegas.u32(offset);
      return microseconds === 0x7fffffff ? null : microseconds / 1000;
    };
    const [enabled, rounds] = [vegas.u32(0) !== 0, vegas.u32(4)];
    return { kind: 'vegas', enabled, rounds, rtt: time(8), minRtt: time(12) };
  }
  const bbr = attributes.get(Attribute.bbr);
  if (bbr && bbr.length >= 20) {
    return {
      kind: 'bbr',
      bandwidth: bbr.u32(4) * 2 ** 32 + bbr.u32(0),
      minRtt: bbr.u32(8) / 1000,
      pacingGain: bbr.u32(12) / 256,
      windowGain: bbr.u32(16) / 256,
    };
  }
  const dctcp = attributes.get(Attribute.dctcp);
  if (dctcp && dctcp.length >= 8) {
    const [enabled, congested] = [dctcp.u16(0) !== 0, dctcp.u16(2) !== 0];
    return { kind: 'dctcp', enabled, congested, alpha: dctcp.u32(4) / 1024 };
  }
  return null;
}

function exactly(id: Bytes | undefined): number | null {
  if (!id || id.length < 8) return null;
  const value = id.u64(0);
  return Number.isSafeInteger(value) ? value : null;
}

function flagsOf(options: Bytes | undefined): SocketFlag[] | null {
  if (!options || options.length === 0) return null;
  return FLAGS.flatMap((names, at) => {
    if (at >= options.length) return [];
    const byte = options.u8(at);
    return names.filter((name, bit) => name !== null && bitField(options, byte, bit, 1) === 1);
  }) as SocketFlag[];
}
