import { NotUnderstood, table } from '../attributes.js';
import { expression } from '../expression-decoder.js';

/** enum nft_payload_attributes */
const NFTA_PAYLOAD = table(
  'NFTA_PAYLOAD',
  'DREG',
  'BASE',
  'OFFSET',
  'LEN',
  'SREG',
  'CSUM_TYPE',
  'CSUM_OFFSET',
  'CSUM_FLAGS',
);

/** enum nft_payload_bases */
const NFT_PAYLOAD_BASES = ['link', 'network', 'transport', 'inner', 'tunnel'] as const;

/** nft_payload.c */
export const payload = expression(NFTA_PAYLOAD, (a) => {
  const where = {
    base: a.choice('BASE', NFT_PAYLOAD_BASES),
    offset: a.u32('OFFSET'),
    length: a.u32('LEN'),
  };
  if (!a.has('SREG')) return { kind: 'payload', destination: a.register('DREG'), ...where };
  return {
    kind: 'payload-set',
    source: a.register('SREG'),
    ...where,
    checksumType: a.u32Or('CSUM_TYPE', 0),
    checksumOffset: a.u32Or('CSUM_OFFSET', 0),
    checksumFlags: a.u32Or('CSUM_FLAGS', 0),
  };
});

/** enum nft_exthdr_attributes */
const NFTA_EXTHDR = table('NFTA_EXTHDR', 'DREG', 'TYPE', 'OFFSET', 'LEN', 'FLAGS', 'OP', 'SREG');

/** enum nft_exthdr_op; IPv6 alone, and no attribute for it, before Linux 4.11. */
const NFT_EXTHDR_OPS = ['ipv6', 'tcpopt', 'ipv4', 'sctp', 'dccp'] as const;

/** nft_exthdr.c. With neither register it takes an option out (nft_exthdr_tcp_strip_eval). */
export const exthdr = expression(NFTA_EXTHDR, (a) => {
  const where = {
    protocol: a.choice('OP', NFT_EXTHDR_OPS, 0),
    type: a.u8('TYPE'),
    offset: a.u32('OFFSET'),
    length: a.u32('LEN'),
  };
  if (a.has('SREG')) return { kind: 'exthdr-set', source: a.register('SREG'), ...where };
  if (!a.has('DREG')) throw new NotUnderstood('an option is taken out');
  return {
    kind: 'exthdr',
    destination: a.register('DREG'),
    ...where,
    flags: a.u32Or('FLAGS', 0),
  };
});
