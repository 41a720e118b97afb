import type { NftExpression } from '../../../model/ruleset.js';
import { type Attributes, listOf, table } from '../attributes.js';
import { type DecodeNested, expression } from '../expression-decoder.js';

/** enum nft_lookup_attributes */
const NFTA_LOOKUP = table('NFTA_LOOKUP', 'SET', 'SREG', 'DREG', 'SET_ID', 'FLAGS');

const NFT_LOOKUP_F_INV = 1;

/** nft_lookup.c */
export const lookup = expression(NFTA_LOOKUP, (a) => ({
  kind: 'lookup',
  set: a.text('SET'),
  source: a.register('SREG'),
  destination: a.has('DREG') ? a.destination('DREG') : null,
  invert: a.flag('FLAGS', NFT_LOOKUP_F_INV),
}));

/** enum nft_dynset_attributes */
const NFTA_DYNSET = table(
  'NFTA_DYNSET',
  'SET_NAME',
  'SET_ID',
  'OP',
  'SREG_KEY',
  'SREG_DATA',
  'TIMEOUT',
  'EXPR',
  'PAD',
  'FLAGS',
  'EXPRESSIONS',
);

/** nft_dynset.c: one expression is told by itself, more as a list. */
export const dynset = expression(NFTA_DYNSET, (a, nested) => ({
  kind: 'dynset',
  set: a.text('SET_NAME'),
  op: a.choice('OP', ['add', 'update', 'delete']),
  key: a.register('SREG_KEY'),
  data: a.registerOrNull('SREG_DATA'),
  timeout: a.has('TIMEOUT') ? a.amount('TIMEOUT') : 0,
  flags: a.u32Or('FLAGS', 0),
  expressions: nestedIn(a, nested),
}));

function nestedIn(a: Attributes<'EXPR' | 'EXPRESSIONS'>, nested: DecodeNested): NftExpression[] {
  const list = a.optional('EXPRESSIONS');
  if (list) return listOf(list, nested);
  const single = a.optional('EXPR');
  return single ? [nested(single)] : [];
}

/** enum nft_objref_attributes */
const NFTA_OBJREF = table('NFTA_OBJREF', 'IMM_TYPE', 'IMM_NAME', 'SET_SREG', 'SET_NAME', 'SET_ID');

/** nft_objref.c: an object by its name, or by what a map says of a register. */
export const objref = expression(NFTA_OBJREF, (a) =>
  a.has('SET_SREG')
    ? { kind: 'objref-map', set: a.text('SET_NAME'), source: a.register('SET_SREG') }
    : { kind: 'objref', objectType: a.u32('IMM_TYPE'), name: a.text('IMM_NAME') },
);
