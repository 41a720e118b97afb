import type { Frame } from '../../nftables/frame.js';
import { type Answer, all, holds, not, option, options, type Reader } from '../extension.js';
import { within } from '../packet.js';

const FLAG = { uid: 1, gid: 2, socket: 4 } as const;

/** struct xt_owner_match_info, owner_mt. */
export const owner: Reader = (info, revision) => {
  if (revision !== 1 || !info.isSized(18)) return null;
  const [uidFrom, uidTo, gidFrom, gidTo] = [0, 4, 8, 12].map((at) => info.u32(at)) as [
    number,
    number,
    number,
    number,
  ];
  const match = info.u8(16);
  const invert = info.u8(17);
  const asks = (flag: number) => (match & flag) !== 0;
  const inverted = (flag: number) => (invert & flag) !== 0;
  const range = (from: number, to: number) => (from === to ? from : `${from}-${to}`);
  return {
    evaluate: ({ frame }) => {
      if (frame.owner === 'none') return holds(ofNobody(frame, match ^ invert));
      if ((match & invert & FLAG.socket) !== 0) return 'break';
      return holds(
        all(
          !asks(FLAG.uid) || not(isUser(frame, uidFrom, uidTo), inverted(FLAG.uid)),
          asks(FLAG.gid) ? 'may' : true,
        ),
      );
    },
    text: options(
      option('--socket-exists', asks(FLAG.socket) ? '' : null, inverted(FLAG.socket)),
      option('--uid-owner', asks(FLAG.uid) ? range(uidFrom, uidTo) : null, inverted(FLAG.uid)),
      option('--gid-owner', asks(FLAG.gid) ? range(gidFrom, gidTo) : null, inverted(FLAG.gid)),
    ),
  };
};

/**
 * Without a socket only what is not asked for can hold. The kernel's own answers may have one of the
 * kernel's, which is no user's.
 */
function ofNobody({ kind, family, isReply }: Frame, asked: number): Answer {
  const mayHaveSocket =
    isReply && (kind === 'icmp-error' || (kind === 'reset' && family === 'ipv4'));
  return asked === FLAG.socket && mayHaveSocket ? 'may' : asked === 0;
}

function isUser({ owner: user }: Frame, from: number, to: number): Answer {
  return typeof user === 'number' ? within(user, from, to) : 'may';
}
