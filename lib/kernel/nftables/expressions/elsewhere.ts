import { table } from '../attributes.js';
import { expression } from '../expression-decoder.js';

/** enum nft_dup_attributes */
const NFTA_DUP = table('NFTA_DUP', 'SREG_ADDR', 'SREG_DEV');

/** nft_dup_ipv4.c, nft_dup_ipv6.c, nft_dup_netdev.c: a copy goes elsewhere. */
export const dup = expression(NFTA_DUP, (a) => ({
  kind: 'dup',
  address: a.registerOrNull('SREG_ADDR'),
  device: a.registerOrNull('SREG_DEV'),
}));

/** enum nft_fwd_attributes */
const NFTA_FWD = table('NFTA_FWD', 'SREG_DEV', 'SREG_ADDR', 'NFPROTO');

/** nft_fwd_netdev.c: the packet itself goes elsewhere, by a neighbour where an address is given. */
export const fwd = expression(NFTA_FWD, (a) => ({
  kind: 'fwd',
  device: a.register('SREG_DEV'),
  address: a.registerOrNull('SREG_ADDR'),
}));

/** enum nft_offload_attributes */
const NFTA_FLOW = table('NFTA_FLOW', 'TABLE_NAME');

/** nft_flow_offload.c */
export const flowOffload = expression(NFTA_FLOW, (a) => ({
  kind: 'flow-offload',
  table: a.text('TABLE_NAME'),
}));
