import { table } from '../attributes.js';
import { decodeValue } from '../data.js';
import { expression } from '../expression-decoder.js';

/** enum nft_cmp_attributes */
const NFTA_CMP = table('NFTA_CMP', 'SREG', 'OP', 'DATA');

/** nft_cmp.c */
export const cmp = expression(NFTA_CMP, (a) => ({
  kind: 'cmp',
  source: a.register('SREG'),
  op: a.choice('OP', ['eq', 'neq', 'lt', 'lte', 'gt', 'gte']),
  data: decodeValue(a.bytes('DATA')),
}));

/** enum nft_range_attributes */
const NFTA_RANGE = table('NFTA_RANGE', 'SREG', 'OP', 'FROM_DATA', 'TO_DATA');

/** nft_range.c */
export const range = expression(NFTA_RANGE, (a) => ({
  kind: 'range',
  source: a.register('SREG'),
  op: a.choice('OP', ['eq', 'neq']),
  from: decodeValue(a.bytes('FROM_DATA')),
  to: decodeValue(a.bytes('TO_DATA')),
}));
