import type { Family } from '../../../model/socket.js';
import { holds, option, type Reader } from '../extension.js';
import { byteIs, byteWithin } from '../packet.js';

const NOT_EQUAL = 1;
const LESS = 2;
const GREATER = 3;

const ttlAt = { ipv4: 8, ipv6: 7 } as const;

/** struct ipt_ttl_info and ip6t_hl_info; ttl_mt and hl_mt6. */
function reader(of: Family, name: string): Reader {
  return (info, revision, { family }) => {
    if (family !== of || revision !== 0 || !info.isSized(2)) return null;
    const mode = info.u8(0);
    const value = info.u8(1);
    if (mode > GREATER) return null;
    return {
      evaluate: ({ frame }) => {
        const at = ttlAt[of];
        if (mode === LESS) return holds(byteWithin(frame, at, 0, value - 1));
        if (mode === GREATER) return holds(byteWithin(frame, at, value + 1, 255));
        return holds(byteIs(frame, at, 0xff, value), mode === NOT_EQUAL);
      },
      text: option(
        `--${name}-${mode === LESS ? 'lt' : mode === GREATER ? 'gt' : 'eq'}`,
        value,
        mode === NOT_EQUAL,
      ),
    };
  };
}

export const ttl = reader('ipv4', 'ttl');
export const hl = reader('ipv6', 'hl');
