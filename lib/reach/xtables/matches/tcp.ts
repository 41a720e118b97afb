import type { Frame } from '../../nftables/frame.js';
import { type Answer, all, holds, not, option, options, type Reader } from '../extension.js';
import { byteIs, within } from '../packet.js';

const TCP = 6;
const INVERT = { source: 1, destination: 2, flags: 4, option: 8 } as const;

/** struct xt_tcp, tcp_mt. */
export const tcp: Reader = (info, revision) => {
  if (revision !== 0 || !info.isSized(12)) return null;
  const [fromSource, toSource, fromDestination, toDestination] = [0, 2, 4, 6].map((at) =>
    info.u16(at),
  ) as [number, number, number, number];
  const [kind, mask, flags, inverse] = [8, 9, 10, 11].map((at) => info.u8(at)) as [
    number,
    number,
    number,
    number,
  ];
  const has = (bit: number) => (inverse & bit) !== 0;
  return {
    evaluate: ({ frame }) => {
      if (frame.protocol !== TCP) return 'break';
      const { sourcePort, destinationPort } = frame.tuple;
      return holds(
        all(
          not(within(sourcePort, fromSource, toSource), has(INVERT.source)),
          not(within(destinationPort, fromDestination, toDestination), has(INVERT.destination)),
          not(byteIs(frame, frame.transport + 13, mask, flags), has(INVERT.flags)),
          kind === 0 || not(hasOption(frame, kind), has(INVERT.option)),
        ),
      );
    },
    text: options(
      ports('--sport', fromSource, toSource, has(INVERT.source)),
      ports('--dport', fromDestination, toDestination, has(INVERT.destination)),
      mask === 0 && flags === 0
        ? ''
        : option('--tcp-flags', `${flagNames(mask)} ${flagNames(flags)}`, has(INVERT.flags)),
      option('--tcp-option', kind === 0 ? null : kind, has(INVERT.option)),
    ),
  };
};

/** Ports as an option; all of them are none. */
export function ports(name: string, from: number, to: number, invert: boolean): string {
  if (from === 0 && to === 65535 && !invert) return '';
  return option(name, from === to ? from : `${from}:${to}`, invert);
}

const names = ['FIN', 'SYN', 'RST', 'PSH', 'ACK', 'URG'];

/** `SYN,ACK`, as iptables(8) names TCP's flags. */
export function flagNames(flags: number): string {
  const set = names.filter((_, bit) => (flags & (1 << bit)) !== 0);
  return set.length > 0 ? set.join(',') : 'NONE';
}

/** tcp_find_option. */
function hasOption({ bytes, unknown, transport }: Frame, kind: number): Answer {
  const end = Math.min(transport + (bytes[transport + 12]! >>> 4) * 4, bytes.length);
  for (let at = transport + 20; at < end; ) {
    if (unknown[at] !== 0) return 'may';
    if (bytes[at] === kind) return true;
    const length = bytes[at]! < 2 ? 1 : (bytes[at + 1] ?? 0);
    at += Math.max(length, 1);
  }
  return false;
}
