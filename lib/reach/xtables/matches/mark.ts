import { type Answer, holds, option, type Reader } from '../extension.js';

/** A mark as iptables-save writes it: the mask is left out where it is all of it. */
export function markText(mark: number, mask: number): string {
  const hex = (value: number) => `0x${value.toString(16)}`;
  return mask === 0xffffffff ? hex(mark) : `${hex(mark)}/${hex(mask)}`;
}

function isMark(own: number, mark: number, mask: number): boolean {
  return (own & mask) >>> 0 === mark;
}

/** struct xt_mark_mtinfo1, mark_mt. */
export const mark: Reader = (info, revision) => {
  if (revision !== 1 || !info.isSized(9)) return null;
  const wanted = info.u32(0);
  const mask = info.u32(4);
  const invert = info.u8(8) !== 0;
  return {
    evaluate: ({ frame }) => {
      const answer: Answer = frame.mark === null ? 'may' : isMark(frame.mark, wanted, mask);
      return holds(mask === 0 ? wanted === 0 : answer, invert);
    },
    text: option('--mark', markText(wanted, mask), invert),
  };
};

/** struct xt_connmark_mtinfo1, connmark_mt: what is not tracked has no mark, not even another one. */
export const connmark: Reader = (info, revision) => {
  if (revision !== 1 || !info.isSized(9)) return null;
  const wanted = info.u32(0);
  const mask = info.u32(4);
  const invert = info.u8(8) !== 0;
  return {
    evaluate: ({ frame: { tracking, hasTemplate } }) => {
      if (hasTemplate) return 'may';
      if (tracking === null || tracking === 'untracked') return 'break';
      return holds(isMark(tracking.connection.mark, wanted, mask), invert);
    },
    text: option('--mark', markText(wanted, mask), invert),
  };
};
