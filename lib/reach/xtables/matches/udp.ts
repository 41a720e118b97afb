import { all, holds, not, options, type Reader } from '../extension.js';
import { within } from '../packet.js';
import { ports } from './tcp.js';

const UDP = 17;
const INVERT = { source: 1, destination: 2 } as const;

/** struct xt_udp, udp_mt. */
export const udp: Reader = (info, revision) => {
  if (revision !== 0 || !info.isSized(10)) return null;
  const [fromSource, toSource, fromDestination, toDestination] = [0, 2, 4, 6].map((at) =>
    info.u16(at),
  ) as [number, number, number, number];
  const notSource = (info.u8(8) & INVERT.source) !== 0;
  const notDestination = (info.u8(8) & INVERT.destination) !== 0;
  return {
    evaluate: ({ frame: { protocol, tuple } }) => {
      if (protocol !== UDP) return 'break';
      return holds(
        all(
          not(within(tuple.sourcePort, fromSource, toSource), notSource),
          not(within(tuple.destinationPort, fromDestination, toDestination), notDestination),
        ),
      );
    },
    text: options(
      ports('--sport', fromSource, toSource, notSource),
      ports('--dport', fromDestination, toDestination, notDestination),
    ),
  };
};
