import { all, holds, not, option, type Reader } from '../extension.js';
import { byteIs, byteWithin } from '../packet.js';

const anyType = 255;

/** struct ipt_icmp and ip6t_icmp, icmp_match and icmp6_match. */
function reader(protocol: number, name: string): Reader {
  return (info, revision) => {
    if (revision !== 0 || !info.isSized(4)) return null;
    const [type, from, to] = [info.u8(0), info.u8(1), info.u8(2)];
    const invert = (info.u8(3) & 1) !== 0;
    // IPv4 alone has a type that stands for all (icmp_type_code_match).
    const any = protocol === 1 && type === anyType;
    const code = from === 0 && to === 255 ? '' : `/${from === to ? from : `${from}-${to}`}`;
    return {
      evaluate: ({ frame }) => {
        if (frame.protocol !== protocol) return 'break';
        const { transport } = frame;
        const fits =
          any ||
          all(byteIs(frame, transport, 0xff, type), byteWithin(frame, transport + 1, from, to));
        return holds(not(fits, invert));
      },
      text: option(name, any ? 'any' : `${type}${code}`, invert),
    };
  };
}

export const icmp = reader(1, '--icmp-type');
export const icmp6 = reader(58, '--icmpv6-type');
