import { table } from '../attributes.js';
import { decodeValue } from '../data.js';
import { expression } from '../expression-decoder.js';

/** enum nft_bitwise_attributes */
const NFTA_BITWISE = table(
  'NFTA_BITWISE',
  'SREG',
  'DREG',
  'LEN',
  'MASK',
  'XOR',
  'OP',
  'DATA',
  'SREG2',
);

/** enum nft_bitwise_ops; before Linux 5.6 there was the first one alone, and no attribute for it. */
const NFT_BITWISE = ['mask-xor', 'lshift', 'rshift', 'and', 'or', 'xor'] as const;

/** nft_bitwise.c */
export const bitwise = expression(NFTA_BITWISE, (a) => {
  const value = (name: 'MASK' | 'XOR' | 'DATA') => {
    const nest = a.optional(name);
    return nest ? decodeValue(nest) : null;
  };
  return {
    kind: 'bitwise',
    source: a.register('SREG'),
    source2: a.registerOrNull('SREG2'),
    destination: a.register('DREG'),
    length: a.u32('LEN'),
    op: a.choice('OP', NFT_BITWISE, 0),
    mask: value('MASK'),
    xor: value('XOR'),
    data: value('DATA'),
  };
});

/** enum nft_byteorder_attributes */
const NFTA_BYTEORDER = table('NFTA_BYTEORDER', 'SREG', 'DREG', 'OP', 'LEN', 'SIZE');

/** nft_byteorder.c */
export const byteorder = expression(NFTA_BYTEORDER, (a) => ({
  kind: 'byteorder',
  source: a.register('SREG'),
  destination: a.register('DREG'),
  op: a.choice('OP', ['ntoh', 'hton']),
  length: a.u32('LEN'),
  size: a.u32('SIZE'),
}));
