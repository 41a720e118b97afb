import { type Answer, holds, option, type Reader } from '../extension.js';
import { within } from '../packet.js';

/** struct xt_length_info; length_mt, length_mt6. */
export const length: Reader = (info, revision) => {
  if (revision !== 0 || !info.isSized(6)) return null;
  const [from, to] = [info.u16(0), info.u16(2)];
  const invert = info.u8(4) !== 0;
  return {
    evaluate: ({ frame }) => {
      const answer: Answer = frame.length === null ? 'may' : within(frame.length, from, to);
      return holds(answer, invert);
    },
    text: option('--length', from === to ? from : `${from}:${to}`, invert),
  };
};
