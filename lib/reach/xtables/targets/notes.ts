import { type Extension, option, options, type Reader } from '../extension.js';
import type { Info } from '../info.js';

/* Targets that note something about a packet, or change what no rule and no verdict depends on. */

function note(sizes: readonly number[], text: (info: Info) => string = () => ''): Reader {
  return (info, revision): Extension | null => {
    const size = sizes[revision];
    if (size === undefined || !info.isSized(size)) return null;
    return { evaluate: () => 'continue', text: text(info) };
  };
}

const quoted = (text: string): string => `"${text.replaceAll(/["\\]/g, '\\$&')}"`;

/** struct xt_log_info. */
export const log = note([32], (info) => {
  const prefix = info.text(2, 30);
  const level = info.u8(0);
  return options(
    option('--log-prefix', prefix === '' ? null : quoted(prefix)),
    option('--log-level', level === 4 ? null : level),
  );
});

/** struct xt_nflog_info. */
export const nflog = note([76], (info) => {
  const prefix = info.text(12, 64);
  return options(
    option('--nflog-prefix', prefix === '' ? null : quoted(prefix)),
    option('--nflog-group', info.u16(4)),
  );
});

/** struct xt_CHECKSUM_info. */
export const checksum = note([1], () => '--checksum-fill');

/** struct xt_AUDIT_info. */
export const audit = note([1]);

/** struct xt_classify_target_info. */
export const classify = note([4]);

export const trace = note([0]);

const clamp = 0xffff; // XT_TCPMSS_CLAMP_PMTU

/** struct xt_tcpmss_info, tcpmss_tg4: only rules that look at the option see another size then. */
export const tcpmss: Reader = (info, revision) => {
  if (revision !== 0 || !info.isSized(2)) return null;
  const mss = info.u16(0);
  return {
    evaluate: ({ frame }) => {
      // The segment size of what Linux sends stands first among the options of a SYN.
      if (frame.kind === 'syn' || frame.kind === 'syn-ack') {
        const at = frame.transport + 22;
        frame.leaveOpen(at, 2);
      }
      return 'continue';
    },
    text: mss === clamp ? '--clamp-mss-to-pmtu' : option('--set-mss', mss),
  };
};

/** struct xt_NFQ_info and its successors: a program says accept or drop; without one it is dropped. */
export const nfqueue: Reader = (info, revision) => {
  if (revision > 3 || info.bytes.length === 0) return null;
  return {
    evaluate: (run) => {
      run.verdict = { code: run.choose(2) === 0 ? 'accept' : 'drop' };
      return 'verdict';
    },
    text: option('--queue-num', info.u16(0)),
  };
};
