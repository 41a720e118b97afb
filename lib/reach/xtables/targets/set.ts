import { option, options, type Reader } from '../extension.js';
import { questionOf, sidesOf } from '../matches/set.js';

const nothing = 65535; // IPSET_INVALID_ID
const sizes = [0, 8, 16, 20];

const uses = ['--add-set', '--del-set', '--map-set'] as const;

/** struct xt_set_info_target_v1 to v3: later packets of the flow find another set. */
export const set: Reader = (info, revision, { sets }) => {
  const size = sizes[revision];
  if (!size || !info.isSized(size)) return null;
  const named = uses.slice(0, revision === 3 ? 3 : 2).flatMap((use, place) => {
    const at = place * 4;
    const index = info.u16(at);
    return index === nothing
      ? []
      : [{ use, index, question: questionOf(info.u8(at + 2), info.u8(at + 3)) }];
  });
  const changed = named.filter(({ use }) => use !== '--map-set').map(({ index }) => sets.at(index));
  const maps = named.some(({ use }) => use === '--map-set');
  return {
    evaluate: ({ touched }) => {
      if (maps || changed.includes(null)) return 'unknown';
      for (const one of changed) touched.add(one!);
      return 'continue';
    },
    text: options(
      ...named.map(({ use, index, question }) =>
        option(use, `${sets.at(index)?.set.name ?? `#${index}`} ${sidesOf(question)}`),
      ),
    ),
  };
};
