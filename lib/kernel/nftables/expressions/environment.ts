import { choose, table } from '../attributes.js';
import { expression } from '../expression-decoder.js';

/** enum nft_meta_attributes */
const NFTA_META = table('NFTA_META', 'DREG', 'KEY', 'SREG');

/** nft_meta.c */
export const meta = expression(NFTA_META, (a) =>
  a.has('SREG')
    ? { kind: 'meta-set', source: a.register('SREG'), key: a.u32('KEY') }
    : { kind: 'meta', destination: a.register('DREG'), key: a.u32('KEY') },
);

/** enum nft_ct_attributes */
const NFTA_CT = table('NFTA_CT', 'DREG', 'KEY', 'DIRECTION', 'SREG');

/** nft_ct.c; the direction is an enum ip_conntrack_dir in one byte. */
export const ct = expression(NFTA_CT, (a) => {
  const key = a.u32('KEY');
  const direction = a.has('DIRECTION')
    ? choose('NFTA_CT_DIRECTION', a.u8('DIRECTION'), ['original', 'reply'])
    : null;
  return a.has('SREG')
    ? { kind: 'ct-set', source: a.register('SREG'), key, direction }
    : { kind: 'ct', destination: a.register('DREG'), key, direction };
});

/** enum nft_rt_attributes */
const NFTA_RT = table('NFTA_RT', 'DREG', 'KEY');

/** nft_rt.c */
export const rt = expression(NFTA_RT, (a) => ({
  kind: 'rt',
  destination: a.register('DREG'),
  key: a.u32('KEY'),
}));

/** enum nft_socket_attributes */
const NFTA_SOCKET = table('NFTA_SOCKET', 'KEY', 'DREG', 'LEVEL');

/** nft_socket.c */
export const socket = expression(NFTA_SOCKET, (a) => ({
  kind: 'socket',
  destination: a.register('DREG'),
  key: a.u32('KEY'),
  level: a.u32Or('LEVEL', 0),
}));

/** enum nft_fib_attributes */
const NFTA_FIB = table('NFTA_FIB', 'DREG', 'RESULT', 'FLAGS');

/** nft_fib.c */
export const fib = expression(NFTA_FIB, (a) => ({
  kind: 'fib',
  destination: a.register('DREG'),
  result: a.u32('RESULT'),
  flags: a.u32('FLAGS'),
}));
