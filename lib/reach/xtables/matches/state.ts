import { holds, option, type Reader } from '../extension.js';
import { namesOf, stateOf } from './conntrack.js';

const UNTRACKED = 1 << 6; // XT_STATE_UNTRACKED
const STATES = { INVALID: 1, NEW: 8, RELATED: 4, ESTABLISHED: 2, UNTRACKED } as const;
const any = 15;

/** struct xt_state_info, state_mt. */
export const state: Reader = (info, revision) => {
  if (revision !== 0 || !info.isSized(4)) return null;
  const wanted = info.u32(0);
  return {
    evaluate: ({ frame }) => {
      if (frame.hasTemplate) return 'may';
      const own = frame.tracking === 'untracked' ? UNTRACKED : stateOf(frame) & any;
      return holds((wanted & own) !== 0);
    },
    text: option('--state', namesOf(wanted, STATES)),
  };
};
