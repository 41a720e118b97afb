import { option, options, type Reader } from '../extension.js';

const FLAG = { type: 1, segments: 2, length: 4 } as const;

/** struct ip6t_rt, rt_mt6: the packets of a plain flow have no routing header, and then it is no match. */
export const rt: Reader = (info, revision, { family }) => {
  if (family !== 'ipv6' || revision !== 0 || !info.isSized(280)) return null;
  const flags = info.u8(16);
  const inverse = info.u8(17);
  const say = (bit: number, name: string, value: number | string) =>
    (flags & bit) === 0 ? '' : option(name, value, (inverse & bit) !== 0);
  const [from, to] = [info.u32(4), info.u32(8)];
  return {
    evaluate: () => 'break',
    text: options(
      say(FLAG.type, '--rt-type', info.u32(0)),
      say(FLAG.segments, '--rt-segsleft', from === to ? from : `${from}:${to}`),
      say(FLAG.length, '--rt-len', info.u32(12)),
    ),
  };
};
