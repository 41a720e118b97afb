import type { CongestionState, TcpInfo, TcpNumber, TcpOption } from '../model/extended.js';
import type { Bytes } from './netlink-message.js';

/*
 * struct tcp_info (linux/tcp.h), which has only ever grown at its end. A field is told where the bytes
 * reach behind it, so that a kernel of any age is understood as far as it goes.
 */

/** Where a number is, its bytes, and by what it is divided; `none` is what stands for "there is none". */
type Field = readonly [offset: number, width: 1 | 2 | 4 | 8, divisor?: number, none?: number];

/** Microseconds to milliseconds. */
const US = 1000;
const MAX32 = 0xffffffff;
/** TCP_INFINITE_SSTHRESH */
const INFINITE = 0x7fffffff;

const FIELDS: Readonly<Record<Exclude<TcpNumber, keyof typeof SCALES>, Field>> = {
  retransmits: [2, 1],
  probes: [3, 1],
  backoff: [4, 1],
  rto: [8, 4, US],
  ato: [12, 4, US],
  sendMss: [16, 4],
  receiveMss: [20, 4],
  unacked: [24, 4],
  sacked: [28, 4],
  lost: [32, 4],
  retransmitted: [36, 4],
  sinceDataSent: [44, 4],
  sinceDataReceived: [52, 4],
  sinceAckReceived: [56, 4],
  pathMtu: [60, 4],
  receiveThreshold: [64, 4],
  rtt: [68, 4, US],
  rttVariation: [72, 4, US],
  sendThreshold: [76, 4, 1, INFINITE],
  congestionWindow: [80, 4],
  advertisedMss: [84, 4],
  reordering: [88, 4],
  receiveRtt: [92, 4, US],
  receiveSpace: [96, 4],
  totalRetransmits: [100, 4],
  pacingRate: [104, 8],
  maxPacingRate: [112, 8],
  bytesAcked: [120, 8],
  bytesReceived: [128, 8],
  segmentsSent: [136, 4],
  segmentsReceived: [140, 4],
  notSentBytes: [144, 4],
  minRtt: [148, 4, US, MAX32],
  dataSegmentsReceived: [152, 4],
  dataSegmentsSent: [156, 4],
  deliveryRate: [160, 8],
  busyTime: [168, 8, US],
  receiveWindowLimited: [176, 8, US],
  sendBufferLimited: [184, 8, US],
  delivered: [192, 4],
  deliveredCe: [196, 4],
  bytesSent: [200, 8],
  bytesRetransmitted: [208, 8],
  duplicateSacks: [216, 4],
  reorderingsSeen: [220, 4],
  outOfOrderReceived: [224, 4],
  sendWindow: [228, 4],
  receiveWindow: [232, 4],
  rehashes: [236, 4],
  totalTimeouts: [240, 2],
  totalTimeoutRecoveries: [242, 2],
  totalTimeoutTime: [244, 4],
};
const NAMES = Object.keys(FIELDS) as (keyof typeof FIELDS)[];

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
  const [offset, width, divisor = 1, none] = FIELDS[name];
  if (info.length < offset + width) return null;
  const value = unsigned(info, offset, width);
  // Without a limit a rate has every bit set, more than a number can hold exactly.
  if (value === none || value > Number.MAX_SAFE_INTEGER) return null;
  return value / divisor;
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

/** A struct tcp_info of any length. */
export function tcpInfo(info: Bytes): TcpInfo {
  const byte = (offset: number): number | null => (offset < info.length ? info.u8(offset) : null);
  const [state, options, bits] = [byte(1), byte(OPTIONS_AT), byte(7)];
  const numbers = TCP_NUMBERS.map((name) => [name, tcpNumber(info, name)]);
  return {
    ...(Object.fromEntries(numbers) as Record<TcpNumber, number | null>),
    congestionState: state === null ? null : (CONGESTION_STATES[state] ?? null),
    options: options === null ? null : OPTIONS.filter((_, bit) => (options >> bit) & 1),
    deliveryRateAppLimited: bits === null ? null : bitField(info, bits, 0, 1) === 1,
  };
}

/** A bit field of C: it begins at the lowest bit of a byte, or at the highest where the order is big-endian. */
export function bitField(of: Bytes, byte: number, skip: number, width: number): number {
  const shift = of.littleEndian ? skip : 8 - skip - width;
  return (byte >> shift) & ((1 << width) - 1);
}
