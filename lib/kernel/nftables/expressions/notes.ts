import { table } from '../attributes.js';
import { expression } from '../expression-decoder.js';

/** enum nft_log_attributes */
const NFTA_LOG = table('NFTA_LOG', 'GROUP', 'PREFIX', 'SNAPLEN', 'QTHRESHOLD', 'LEVEL', 'FLAGS');

/** nft_log.c */
export const log = expression(NFTA_LOG, (a) => ({
  kind: 'log',
  prefix: a.has('PREFIX') ? a.text('PREFIX') : '',
  group: a.has('GROUP') ? a.u16('GROUP') : null,
  level: a.u32Or('LEVEL', null),
}));

/** nft_ct.c, nft_notrack_type: it has no attributes. */
export const notrack = expression(table('NFTA_NOTRACK'), () => ({ kind: 'notrack' }));
