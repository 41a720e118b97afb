import type { Frame } from '../../nftables/frame.js';
import type { Run } from '../../nftables/run.js';
import { option, options, type Reader } from '../extension.js';

const NOTRACK = 1;
const ALIAS = 2; // XT_CT_NOTRACK_ALIAS
const DIRECTED = 4 | 8 | 16; // a zone for one direction, or by the mark

/** What conntrack has seen, or has been prepared for, stays as it is. */
function isSeen({ tracking, hasTemplate, speaksOfUntracked }: Frame): boolean {
  return tracking !== null || hasTemplate || speaksOfUntracked;
}

function leaveUntracked({ frame }: Run): 'continue' {
  if (!isSeen(frame)) frame.tracking = 'untracked';
  return 'continue';
}

/** NOTRACK has no options. */
export const notrack: Reader = (_, revision) =>
  revision === 0 ? { evaluate: leaveUntracked, text: '' } : null;

/** struct xt_ct_target_info and _v1; xt_ct_target_v0 and _v1. */
export const ct: Reader = (info, revision) => {
  if (revision > 2) return null;
  const sized =
    revision === 0 ? info.isSized(40) || info.isSized(32) : info.isSized(72) || info.isSized(64);
  const flags = info.u16(0);
  if (!sized || flags > 31) return null;
  const zone = info.u16(2);
  const untracked = (flags & (NOTRACK | ALIAS)) !== 0;
  const directed = (flags & DIRECTED) !== 0;
  const helper = info.text(12, 16);
  const timeout = revision === 0 ? '' : info.text(28, 32);
  return {
    evaluate: (run) => {
      if (untracked) return leaveUntracked(run);
      if (isSeen(run.frame)) return 'continue';
      if (directed) return 'unknown';
      run.frame.zone = zone;
      run.frame.hasTemplate = true;
      return 'continue';
    },
    text: options(
      untracked ? '--notrack' : '',
      option('--helper', helper === '' ? null : helper),
      option('--timeout', timeout === '' ? null : timeout),
      option('--zone', zone === 0 ? null : zone),
    ),
  };
};
