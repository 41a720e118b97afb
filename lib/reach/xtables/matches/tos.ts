import type { Frame } from '../../nftables/frame.js';
import { type Answer, holds, option, type Reader } from '../extension.js';
import { tosOf } from '../packet.js';

function isTos(frame: Frame, mask: number, wanted: number): Answer {
  const { value, unknown } = tosOf(frame);
  if (((value & mask) ^ wanted) & ~(unknown & mask)) return false;
  return (unknown & mask) === 0 ? true : 'may';
}

/** struct xt_tos_match_info, tos_mt. */
export const tos: Reader = (info, revision) => {
  if (revision !== 1 || !info.isSized(3)) return null;
  const [mask, value] = [info.u8(0), info.u8(1)];
  const invert = info.u8(2) !== 0;
  const hex = (byte: number) => `0x${byte.toString(16).padStart(2, '0')}`;
  return {
    evaluate: ({ frame }) => holds(isTos(frame, mask, value), invert),
    text: option('--tos', `${hex(value)}/${hex(mask)}`, invert),
  };
};

const shift = 2; // XT_DSCP_SHIFT

/** struct xt_dscp_info; dscp_mt, dscp_mt6. */
export const dscp: Reader = (info, revision) => {
  if (revision !== 0 || !info.isSized(2)) return null;
  const value = info.u8(0);
  const invert = info.u8(1) !== 0;
  return {
    evaluate: ({ frame }) => holds(isTos(frame, 0xfc, value << shift), invert),
    text: option('--dscp', `0x${value.toString(16).padStart(2, '0')}`, invert),
  };
};
