import { table } from '../attributes.js';
import { expression } from '../expression-decoder.js';

/** enum nft_counter_attributes */
const NFTA_COUNTER = table('NFTA_COUNTER', 'BYTES', 'PACKETS', 'PAD');

/** nft_counter.c */
export const counter = expression(NFTA_COUNTER, () => ({ kind: 'counter' }));

/** enum nft_last_attributes */
const NFTA_LAST = table('NFTA_LAST', 'SET', 'MSECS', 'PAD');

/** nft_last.c */
export const last = expression(NFTA_LAST, () => ({ kind: 'last' }));

/** enum nft_limit_attributes */
const NFTA_LIMIT = table('NFTA_LIMIT', 'RATE', 'UNIT', 'BURST', 'TYPE', 'FLAGS', 'PAD');

const NFT_LIMIT_F_INV = 1;

/** nft_limit.c */
export const limit = expression(NFTA_LIMIT, (a) => ({
  kind: 'limit',
  rate: a.amount('RATE'),
  unitSeconds: a.amount('UNIT'),
  burst: a.u32Or('BURST', 0),
  bytes: a.choice('TYPE', ['packets', 'bytes'], 0) === 'bytes',
  invert: a.flag('FLAGS', NFT_LIMIT_F_INV),
}));

/** enum nft_quota_attributes */
const NFTA_QUOTA = table('NFTA_QUOTA', 'BYTES', 'FLAGS', 'PAD', 'CONSUMED');

const NFT_QUOTA_F_INV = 1;
const NFT_QUOTA_F_MASK = 3;

/** nft_quota.c; NFT_QUOTA_F_DEPLETED says only that it was told when the quota ran out. */
export const quota = expression(NFTA_QUOTA, (a) => {
  a.flag('FLAGS', NFT_QUOTA_F_MASK);
  return {
    kind: 'quota',
    bytes: a.amount('BYTES'),
    consumed: a.has('CONSUMED') ? a.amount('CONSUMED') : 0,
    invert: (a.u32Or('FLAGS', 0) & NFT_QUOTA_F_INV) !== 0,
  };
});

/** enum nft_connlimit_attributes */
const NFTA_CONNLIMIT = table('NFTA_CONNLIMIT', 'COUNT', 'FLAGS');

const NFT_CONNLIMIT_F_INV = 1;

/** nft_connlimit.c */
export const connlimit = expression(NFTA_CONNLIMIT, (a) => ({
  kind: 'connlimit',
  count: a.u32('COUNT'),
  invert: a.flag('FLAGS', NFT_CONNLIMIT_F_INV),
}));
