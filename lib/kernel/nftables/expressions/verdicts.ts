import { table } from '../attributes.js';
import { decodeData } from '../data.js';
import { expression } from '../expression-decoder.js';

/** enum nft_immediate_attributes */
const NFTA_IMMEDIATE = table('NFTA_IMMEDIATE', 'DREG', 'DATA');

/** nft_immediate.c */
export const immediate = expression(NFTA_IMMEDIATE, (a) => ({
  kind: 'immediate',
  destination: a.destination('DREG'),
  data: decodeData(a.bytes('DATA')),
}));

/** enum nft_reject_attributes */
const NFTA_REJECT = table('NFTA_REJECT', 'TYPE', 'ICMP_CODE');

/** enum nft_reject_types */
const NFT_REJECT_TYPES = ['icmp', 'tcp-reset', 'icmpx'] as const;

/** nft_reject.c; a reset has no code. */
export const reject = expression(NFTA_REJECT, (a) => ({
  kind: 'reject',
  type: a.choice('TYPE', NFT_REJECT_TYPES),
  code: a.has('ICMP_CODE') ? a.u8('ICMP_CODE') : 0,
}));

/** enum nft_queue_attributes */
const NFTA_QUEUE = table('NFTA_QUEUE', 'NUM', 'TOTAL', 'FLAGS', 'SREG_QNUM');

/** nft_queue.c; the number may come from a register. */
export const queue = expression(NFTA_QUEUE, (a) => ({
  kind: 'queue',
  number: a.has('NUM') ? a.u16('NUM') : 0,
  total: a.has('TOTAL') ? a.u16('TOTAL') : 1,
  flags: a.has('FLAGS') ? a.u16('FLAGS') : 0,
  source: a.registerOrNull('SREG_QNUM'),
}));

/** enum nft_synproxy_attributes */
const NFTA_SYNPROXY = table('NFTA_SYNPROXY', 'MSS', 'WSCALE', 'FLAGS');

/** nft_synproxy.c */
export const synproxy = expression(NFTA_SYNPROXY, () => ({ kind: 'synproxy' }));
