import type { PortQuestion } from '../../nftables/port-watch.js';
import { holds, option, type Reader } from '../extension.js';
import { within } from '../packet.js';

const most = 15; // XT_MULTI_PORTS
const names = ['--sports', '--dports', '--ports'] as const;

/** struct xt_multiport_v1, ports_match_v1; and the older one without ranges. */
export const multiport: Reader = (info, revision) => {
  if (revision !== 0 && revision !== 1) return null;
  if (!info.isSized(revision === 0 ? 32 : 48)) return null;
  const side = info.u8(0);
  const count = info.u8(1);
  const name = names[side];
  if (name === undefined || count > most) return null;
  const invert = revision === 1 && info.u8(47) !== 0;
  const ranges: { from: number; to: number }[] = [];
  for (let place = 0; place < count; place++) {
    const from = info.u16(2 + place * 2);
    // The port behind one that is so marked ends its range.
    const open = revision === 1 && info.u8(32 + place) !== 0;
    if (open) place++;
    ranges.push({ from, to: open ? info.u16(2 + place * 2) : from });
  }
  const has = (port: number) => ranges.some(({ from, to }) => within(port, from, to));
  const question: PortQuestion = { answer: has };
  return {
    evaluate: (run) => {
      const { hasPorts, tuple } = run.frame;
      if (!hasPorts) return 'break';
      run.peer?.port?.asks(question);
      const source = side !== 1 && has(tuple.sourcePort);
      const destination = side !== 0 && has(tuple.destinationPort);
      return holds(source || destination, invert);
    },
    text: option(
      name,
      ranges.map(({ from, to }) => (from === to ? from : `${from}:${to}`)).join(','),
      invert,
    ),
  };
};
