import { option, type Reader } from '../extension.js';

/** struct xt_comment_info: it matches everything. */
export const comment: Reader = (info, revision) => {
  if (revision !== 0 || !info.isSized(256)) return null;
  const text = info.text(0, 256);
  const plain = /^[A-Za-z0-9_.:/-]+$/.test(text);
  return {
    evaluate: () => 'continue',
    text: option('--comment', plain ? text : `"${text.replaceAll(/["\\]/g, '\\$&')}"`),
  };
};
