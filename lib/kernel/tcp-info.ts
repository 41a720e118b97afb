import type { CongestionState, TcpInfo, TcpNumber, TcpOption } from '../model/extended.js';
import type { Bytes } from './netlink-message.js';

/*
 * struct tcp_info (linux/tcp.h), which has only ever grown at its end. A field is told where the bytes
 * reach behind it, so that a kernel of any age is understood as far as it goes.
 */

/** Where a number is, its bytes, and by what it is divided; `none` is what stands for "there is none". */
interface Field {
  offset: number;
  width: 1 | 2 | 4 | 8;
  divisor: number;
  none: number;
}

/** A rate without a limit has every bit set; no number else comes near. */
const field = (offset: number, width: Field['width'], divisor = 1, none = 2 ** 64): Field => {
  return { offset, width, divisor, none };
};

/** Microseconds to milliseconds. */
const US = 1000;
const MAX32 = 0xffffffff;
/** TCP_INFINITE_SSTHRESH */
const INFINITE = 0x7fffffff;

const FIELDS: Readonly<Record<Exclude<TcpNumber, keyof typeof SCALES>, Field>> = {
  retransmits: field(2, 1),
  probes: field(3, 1),
  backoff: field(4, 1),
  rto: field(8, 4, US),
  ato: field(12, 4, US),
  sendMss: field(16, 4),
  receiveMss: field(20, 4),
  unacked: field(24, 4),
  sacked: field(28, 4),
  lost: field(32, 4),
  retransmitted: field(36, 4),
  sinceDataSent: field(44, 4),
  sinceDataReceived: field(52, 4),
  sinceAckReceived: field(56, 4),
  pathMtu: field(60, 4),
  receiveThreshold: field(64, 4),
  rtt: field(68, 4, US),
  rttVariation: field(72, 4, US),
  sendThreshold: field(76, 4, 1, INFINITE),
  congestionWindow: field(80, 4),
  advertisedMss: field(84, 4),
  reordering: field(88, 4),
  receiveRtt: field(92, 4, US),
  receiveSpace: field(96, 4),
  totalRetransmits: field(100, 4),
  pacingRate: field(104, 8),
  maxPacingRate: field(112, 8),
  bytesAcked: field(120, 8),
  bytesReceived: field(128, 8),
  segmentsSent: field(136, 4),
  segmentsReceived: field(140, 4),
  notSentBytes: field(144, 4),
  minRtt: field(148, 4, US, MAX32),
  dataSegmentsReceived: field(152, 4),
  dataSegmentsSent: field(156, 4),
  deliveryRate: field(160, 8),
  busyTime: field(168, 8, US),
  receiveWindowLimited: field(176, 8, US),
  sendBufferLimited: field(184, 8, US),
  delivered: field(192, 4),
  deliveredCe: field(196, 4),
  bytesSent: field(200, 8),
  bytesRetransmitted: field(208, 8),
  duplicateSacks: field(216, 4),
  reorderingsSeen: field(220, 4),
  outOfOrderReceived: field(224, 4),
  sendWindow: field(228, 4),
  receiveWindow: field(232, 4),
  rehashes: field(236, 4),
  totalTimeouts: field(240, 2),
  totalTimeoutRecoveries: field(242, 2),
  totalTimeoutTime: field(244, 4),
};
const NAMES = Object.keys(FIELDS) as (keyof typeof FIELDS)[];

const PLACES = Object.values(FIELDS);

/** The numbers that are a bit field, and where it begins: both only where they were agreed on. */
const SCALES = { sendWindowScale: 0, receiveWindowScale: 4 } as const;
const SCALES_AT = 6;

/** TCP_CA_* by number. */
const CONGESTION_STATES: readonly CongestionState[] = [
  'open',
  'disorder',
  'cwr',
  'recovery',
  'loss',
];

/** TCPI_OPT_* by bit. */
const OPTIONS: readonly TcpOption[] = [
  'timestamps',
  'sack',
  'window-scaling',
  'ecn',
  'ecn-seen',
  'syn-data',
  'microsecond-timestamps',
  'fast-open-child',
];
const OPTIONS_AT = 5;
const WINDOW_SCALING = 4;

export const TCP_NUMBERS = [...NAMES, ...Object.keys(SCALES)] as readonly TcpNumber[];

/** One number of a struct tcp_info, `null` where that ends before it. */
export function tcpNumber(info: Bytes, name: TcpNumber): number | null {
  if (name === 'sendWindowScale' || name === 'receiveWindowScale') return scaleOf(info, name);
  return told(info, FIELDS[name]);
}

function told(info: Bytes, { offset, width, divisor, none }: Field): number | null {
  if (info.length < offset + width) return null;
  const value = unsigned(info, offset, width);
  return value === none || value > Number.MAX_SAFE_INTEGER ? null : value / divisor;
}

function scaleOf(info: Bytes, name: keyof typeof SCALES): number | null {
  if (info.length <= SCALES_AT || (info.u8(OPTIONS_AT) & WINDOW_SCALING) === 0) return null;
  return bitField(info, info.u8(SCALES_AT), SCALES[name], 4);
}

function unsigned(info: Bytes, offset: number, width: 1 | 2 | 4 | 8): number {
  if (width === 1) return info.u8(offset);
  if (width === 2) return info.u16(offset);
  return width === 4 ? info.u32(offset) : info.u64(offset);
}

/** One of its form: that of an object which gets its keys one by one is a dictionary, ten times as large. */
const EMPTY: TcpInfo = JSON.parse(
  `{${['congestionState', 'options', 'deliveryRateAppLimited', ...TCP_NUMBERS].map((name) => `"${name}":null`)}}`,
);

/** A struct tcp_info of any length. */
export function tcpInfo(info: Bytes): TcpInfo {
  const byte = (offset: number): number | null => (offset < info.length ? info.u8(offset) : null);
  const [state, options, bits] = [byte(1), byte(OPTIONS_AT), byte(7)];
  const facts = { ...EMPTY };
  for (let at = 0; at < NAMES.length; at++) facts[NAMES[at]!] = told(info, PLACES[at]!);
  facts.sendWindowScale = scaleOf(info, 'sendWindowScale');
  facts.receiveWindowScale = scaleOf(info, 'receiveWindowScale');
  facts.congestionState = state === null ? null : (CONGESTION_STATES[state] ?? null);
  facts.options = options === null ? null : OPTIONS.filter((_, bit) => (options >> bit) & 1);
  facts.deliveryRateAppLimited = bits === null ? null : bitField(info, bits, 0, 1) === 1;
  return facts;
}

/** A bit field of C: it begins at the lowest bit of a byte, or at the highest where the order is big-endian. */
export function bitField(of: Bytes, byte: number, skip: number, width: number): number {
  const shift = of.littleEndian ? skip : 8 - skip - width;
  return (byte >> shift) & ((1 << width) - 1);
}
