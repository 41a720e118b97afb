import { table } from '../attributes.js';
import { hex } from '../data.js';
import { expression } from '../expression-decoder.js';

/** enum nft_match_attributes */
const NFTA_MATCH = table('NFTA_MATCH', 'NAME', 'REV', 'INFO');

/** nft_compat.c: `info` is the match's own structure, as in a legacy table. */
export const match = expression(NFTA_MATCH, (a) => ({
  kind: 'match',
  name: a.text('NAME'),
  revision: a.u32('REV'),
  info: hex(a.bytes('INFO')),
}));

/** enum nft_target_attributes */
const NFTA_TARGET = table('NFTA_TARGET', 'NAME', 'REV', 'INFO');

/** nft_compat.c */
export const target = expression(NFTA_TARGET, (a) => ({
  kind: 'target',
  name: a.text('NAME'),
  revision: a.u32('REV'),
  info: hex(a.bytes('INFO')),
}));
