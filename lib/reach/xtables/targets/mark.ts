import type { Run } from '../../nftables/run.js';
import { option, options, type Reader } from '../extension.js';

const hex = (value: number): string => `0x${value.toString(16)}`;

/** struct xt_mark_tginfo2, mark_tg. */
export const mark: Reader = (info, revision) => {
  if (revision !== 2 || !info.isSized(8)) return null;
  const [value, mask] = [info.u32(0), info.u32(4)];
  return {
    evaluate: ({ frame }) => {
      if (mask === 0xffffffff) frame.mark = value;
      else if (frame.mark !== null) frame.mark = ((frame.mark & ~mask) ^ value) >>> 0;
      return 'continue';
    },
    text: option('--set-xmark', `${hex(value)}/${hex(mask)}`),
  };
};

const SET = 0;
const SAVE = 1;
const RESTORE = 2;

/** struct xt_connmark_tginfo1 and 2; connmark_tg_shift. */
export const connmark: Reader = (info, revision) => {
  if (revision !== 1 && revision !== 2) return null;
  if (!info.isSized(revision === 1 ? 13 : 15)) return null;
  const [value, ctMask, nfMask] = [info.u32(0), info.u32(4), info.u32(8)] as [
    number,
    number,
    number,
  ];
  const right = revision === 2 && info.u8(12) !== 0;
  const bits = revision === 2 ? info.u8(13) : 0;
  const mode = info.u8(revision === 1 ? 12 : 14);
  if (mode > RESTORE || bits > 31) return null;
  const shift = (mark: number) => (right ? mark >>> bits : mark << bits) >>> 0;
  const masks = options(option('--nfmask', hex(nfMask)), option('--ctmask', hex(ctMask)));
  return {
    evaluate: (run) => {
      if (mode === SET) return onConnection(run, (own) => shift((own & ~ctMask) ^ value));
      if (mode === SAVE) {
        const { mark } = run.frame;
        if (mark === null && run.frame.tracking !== null) return 'unknown';
        return onConnection(run, (own) => (own & ~ctMask) ^ shift((mark ?? 0) & nfMask));
      }
      return restore(run, nfMask, (own) => shift(own & ctMask));
    },
    text:
      mode === SET
        ? option('--set-xmark', `${hex(value)}/${hex(ctMask)}`)
        : options(mode === SAVE ? '--save-mark' : '--restore-mark', masks),
  };
};

function onConnection({ frame: { tracking } }: Run, change: (mark: number) => number): 'continue' {
  if (tracking !== null && tracking !== 'untracked')
    tracking.connection.mark = change(tracking.connection.mark) >>> 0;
  return 'continue';
}

function restore({ frame }: Run, mask: number, of: (mark: number) => number): 'continue' {
  const { tracking } = frame;
  if (tracking === null || tracking === 'untracked') return 'continue';
  const restored = of(tracking.connection.mark);
  if (mask === 0xffffffff) frame.mark = restored;
  else if (frame.mark !== null) frame.mark = ((frame.mark & ~mask) ^ restored) >>> 0;
  return 'continue';
}
