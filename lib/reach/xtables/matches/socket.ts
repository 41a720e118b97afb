import { option, options, type Reader } from '../extension.js';

const FLAG = { transparent: 1, noWildcard: 2, restoreMark: 4 } as const;
const sizes = [0, 1, 1, 1];

/** struct xt_socket_mtinfo1 to 3: which socket the kernel finds for a packet here is not followed. */
export const socket: Reader = (info, revision) => {
  if (revision === 0) return { evaluate: () => 'may', text: '' };
  const size = sizes[revision];
  if (size === undefined || !info.isSized(size)) return null;
  const flags = info.u8(0);
  // It may give the packet the socket's mark.
  const sets = (flags & FLAG.restoreMark) !== 0;
  const say = (flag: number, name: string) => option(name, (flags & flag) !== 0 ? '' : null);
  return {
    evaluate: () => (sets ? 'unknown' : 'may'),
    text: options(
      say(FLAG.transparent, '--transparent'),
      say(FLAG.noWildcard, '--nowildcard'),
      say(FLAG.restoreMark, '--restore-skmark'),
    ),
  };
};
