import type { Address } from '../../../model/address.js';
import { all, holds, not, option, options, type Reader } from '../extension.js';
import { isBetween } from '../packet.js';
import { askIfBetween } from '../peer-questions.js';

const FLAG = { source: 1, destination: 2, notSource: 16, notDestination: 32 } as const;

/** struct xt_iprange_mtinfo; iprange_mt4, iprange_mt6. */
export const iprange: Reader = (info, revision, { family }) => {
  if (revision !== 1 || !info.isSized(65)) return null;
  const flags = info.u8(64);
  const has = (flag: number) => (flags & flag) !== 0;
  const [firstSource, lastSource, first, last] = [0, 16, 32, 48].map((at) =>
    info.address(at, family),
  ) as [Address, Address, Address, Address];
  const between = (at: number) =>
    `${info.addressText(at, family)}-${info.addressText(at + 16, family)}`;
  return {
    evaluate: (run) => {
      const { source, destination } = run.frame.tuple;
      if (has(FLAG.source)) askIfBetween(run, source, firstSource, lastSource);
      if (has(FLAG.destination)) askIfBetween(run, destination, first, last);
      return holds(
        all(
          !has(FLAG.source) || not(isBetween(source, firstSource, lastSource), has(FLAG.notSource)),
          !has(FLAG.destination) ||
            not(isBetween(destination, first, last), has(FLAG.notDestination)),
        ),
      );
    },
    text: options(
      option('--src-range', has(FLAG.source) ? between(0) : null, has(FLAG.notSource)),
      option('--dst-range', has(FLAG.destination) ? between(32) : null, has(FLAG.notDestination)),
    ),
  };
};
