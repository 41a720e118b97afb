import type { Run } from '../../nftables/run.js';
import { holds, option, options, type Reader } from '../extension.js';

const FLAG = { in: 1, out: 2, bridged: 4, isIn: 8, isOut: 16 } as const;

/** struct xt_physdev_info, physdev_mt. */
export const physdev: Reader = (info, revision) => {
  if (revision !== 0 || !info.isSized(66)) return null;
  const invert = info.u8(64);
  const match = info.u8(65);
  const say = (flag: number, name: string, value: string) =>
    (match & flag) === 0 ? '' : option(name, value, (invert & flag) !== 0);
  return {
    evaluate: (run) => {
      // A packet that no bridge has brought matches where all that is asked for is asked to be not so.
      if (!bridgesAskRules(run)) return holds((match & ~invert) === 0);
      return 'may';
    },
    text: options(
      say(FLAG.isIn, '--physdev-is-in', ''),
      say(FLAG.in, '--physdev-in', info.text(0, 16)),
      say(FLAG.isOut, '--physdev-is-out', ''),
      say(FLAG.out, '--physdev-out', info.text(32, 16)),
      say(FLAG.bridged, '--physdev-is-bridged', ''),
    ),
  };
};

/** br_netfilter is loaded, and a bridge is where the packet comes from or goes to. */
function bridgesAskRules({ host, frame }: Run): boolean {
  const bridges = [frame.input, frame.output].some((device) => device?.link.kind === 'bridge');
  const name = frame.family === 'ipv4' ? 'iptables' : 'ip6tables';
  return bridges && host.setting(`net.bridge.bridge-nf-call-${name}`, -1) >= 0;
}
