import { table } from '../attributes.js';
import { expression } from '../expression-decoder.js';

/** enum nft_hash_attributes */
const NFTA_HASH = table(
  'NFTA_HASH',
  'SREG',
  'DREG',
  'LEN',
  'MODULUS',
  'SEED',
  'OFFSET',
  'TYPE',
  'SET_NAME',
  'SET_ID',
);

/** nft_hash.c */
export const hash = expression(NFTA_HASH, (a) => ({
  kind: 'hash',
  source: a.registerOrNull('SREG'),
  destination: a.register('DREG'),
  length: a.u32Or('LEN', 0),
  modulus: a.u32('MODULUS'),
  seed: a.u32Or('SEED', null),
  offset: a.u32Or('OFFSET', 0),
  type: a.choice('TYPE', ['jenkins', 'symmetric'], 0),
}));

/** enum nft_ng_attributes */
const NFTA_NG = table('NFTA_NG', 'DREG', 'MODULUS', 'TYPE', 'OFFSET', 'SET_NAME', 'SET_ID');

/** nft_numgen.c */
export const numgen = expression(NFTA_NG, (a) => ({
  kind: 'numgen',
  destination: a.register('DREG'),
  modulus: a.u32('MODULUS'),
  type: a.choice('TYPE', ['incremental', 'random']),
  offset: a.u32Or('OFFSET', 0),
}));
