import { type Answer, holds, not, option, options, type Reader } from '../extension.js';
import type { Question } from '../ipset/sets.js';

const INVERT = 1; // IPSET_INV_MATCH
const RETURN_NOMATCH = 128;
const mostFields = 6; // IPSET_DIM_MAX

const sizes = [0, 4, 4, 48, 48];

/** struct xt_set_info: which set, by how many fields, and for each whether it is the source's. */
export function questionOf(dimension: number, flags: number, commandFlags = flags): Question {
  const bySource = Array.from({ length: dimension }, (_, place) => (flags & (2 << place)) !== 0);
  return { dimension, bySource, returnsNomatch: (commandFlags & RETURN_NOMATCH) !== 0 };
}

/** `src,dst`. */
export function sidesOf({ bySource }: Question): string {
  return bySource.map((source) => (source ? 'src' : 'dst')).join(',');
}

/** struct xt_set_info_match_v1 to v4; set_match_v1 to _v4. */
export const set: Reader = (info, revision, { sets }) => {
  const size = sizes[revision];
  if (!size || !info.isSized(size)) return null;
  const index = info.u16(0);
  const flags = info.u8(3);
  const dimension = info.u8(2);
  if (dimension > mostFields) return null;
  // Flags of the question have had a place of their own since revision 3.
  const question = questionOf(dimension, flags, revision < 3 ? flags : info.u32(40));
  const ready = sets.at(index);
  const invert = (flags & INVERT) !== 0;
  // The first form of a counter's comparison has its kind before the value, the later behind it.
  const kinds = revision === 3 ? [8, 24] : revision === 4 ? [16, 32] : [];
  const counted = kinds.some((at) => info.u8(at) !== 0);
  return {
    evaluate: (run) => {
      const answer: Answer = ready ? not(ready.test(run, question), invert) : 'may';
      return holds(counted && answer === true ? 'may' : answer);
    },
    text: options(
      option('--match-set', `${ready?.set.name ?? `#${index}`} ${sidesOf(question)}`, invert),
      option('--return-nomatch', question.returnsNomatch ? '' : null),
    ),
  };
};
