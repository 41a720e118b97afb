import { holds, option, type Reader } from '../extension.js';

const names = ['unicast', 'broadcast', 'multicast'];

/** struct xt_pkttype_info, pkttype_mt. */
export const pkttype: Reader = (info, revision) => {
  if (revision !== 0 || !info.isSized(8)) return null;
  const type = info.u32(0);
  const invert = info.u32(4) !== 0;
  return {
    evaluate: ({ frame }) => holds(frame.packetType === type, invert),
    text: option('--pkt-type', names[type] ?? type, invert),
  };
};
