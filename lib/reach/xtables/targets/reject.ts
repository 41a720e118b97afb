import { reject as refuse } from '../../nftables/expressions/reject.js';
import { option, type Reader } from '../extension.js';

/** What the kinds of each family answer: an ICMP code, a reset, or nothing at all. */
type Answer = readonly [name: string, code: number | 'reset' | 'nothing'];

/** enum ipt_reject_with. */
const ipv4: readonly Answer[] = [
  ['icmp-net-unreachable', 0],
  ['icmp-host-unreachable', 1],
  ['icmp-proto-unreachable', 2],
  ['icmp-port-unreachable', 3],
  ['echo-reply', 'nothing'],
  ['icmp-net-prohibited', 9],
  ['icmp-host-prohibited', 10],
  ['tcp-reset', 'reset'],
  ['icmp-admin-prohibited', 13],
];

/** enum ip6t_reject_with. */
const ipv6: readonly Answer[] = [
  ['icmp6-no-route', 0],
  ['icmp6-adm-prohibited', 1],
  ['icmp6-not-neighbour', 2],
  ['icmp6-addr-unreachable', 3],
  ['icmp6-port-unreachable', 4],
  ['icmp6-echo-reply', 'nothing'],
  ['tcp-reset', 'reset'],
  ['icmp6-policy-fail', 5],
  ['icmp6-reject-route', 6],
];

/** struct ipt_reject_info and ip6t_reject_info; reject_tg, reject_tg6. */
export const reject: Reader = (info, revision, { family }) => {
  const answer = (family === 'ipv4' ? ipv4 : ipv6)[info.u32(0)];
  if (revision !== 0 || !info.isSized(4) || !answer) return null;
  const [name, code] = answer;
  const text = option('--reject-with', name);
  if (code === 'nothing') {
    const drop = { code: 'drop' } as const;
    return {
      evaluate: (run) => {
        run.verdict = drop;
        return 'verdict';
      },
      text,
    };
  }
  const type = code === 'reset' ? 'tcp-reset' : 'icmp';
  const evaluate = refuse({ kind: 'reject', type, code: code === 'reset' ? 0 : code });
  return { evaluate, text };
};
