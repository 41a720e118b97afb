import type { NftExpression } from '../../../model/ruleset.js';
import type { Evaluate } from '../run.js';

/** Codes of `icmpx` (NFT_REJECT_ICMPX_*) as each family says them (nft_reject_icmp_code, _icmpv6_code). */
const icmpx = { ipv4: [0, 3, 1, 13], ipv6: [0, 4, 3, 1] } as const;

/** nft_reject_eval: the packet is dropped, and its sender is told. */
export function reject({ type, code }: Extract<NftExpression, { kind: 'reject' }>): Evaluate {
  return (run) => {
    const { frame } = run;
    if (type === 'tcp-reset') {
      // nf_send_reset answers TCP alone, and no reset.
      const answers = frame.protocol === 6 && frame.kind !== 'reset';
      run.refusal = answers ? { with: 'tcp-reset', code: 0 } : null;
    } else {
      const own = type === 'icmpx' ? icmpx[frame.family][code] : code;
      if (own === undefined) return 'unknown';
      run.refusal = frame.kind === 'icmp-error' ? null : { with: 'icmp', code: own };
    }
    run.verdict = { code: 'drop' };
    return 'verdict';
  };
}
