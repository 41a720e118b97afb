import { holds, option, type Reader } from '../extension.js';
import { bytesAre } from '../packet.js';

const ETHERNET = 1; // ARPHRD_ETHER
const sourceAt = 6;

/** struct xt_mac_info, mac_mt: what has no Ethernet header has no other address either. */
export const mac: Reader = (info, revision) => {
  if (revision !== 0 || !info.isSized(12)) return null;
  const address = info.bytes.subarray(0, 6);
  const invert = info.u32(8) !== 0;
  return {
    evaluate: ({ frame: { link, input } }) => {
      if (!link || input?.link.hardwareType !== ETHERNET) return 'break';
      return holds(bytesAre(link, sourceAt, address), invert);
    },
    text: option('--mac-source', [...address].map(twoDigits).join(':'), invert),
  };
};

function twoDigits(byte: number): string {
  return byte.toString(16).padStart(2, '0');
}
