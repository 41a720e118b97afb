import { NotUnderstood, table } from '../attributes.js';
import { expression } from '../expression-decoder.js';

const NFPROTO_UNSPEC = 0;
const NFPROTO_INET = 1;
const NFPROTO_IPV4 = 2;
const NFPROTO_IPV6 = 10;

function familyOf(number: number): 'ipv4' | 'ipv6' {
  if (number === NFPROTO_IPV4) return 'ipv4';
  if (number === NFPROTO_IPV6) return 'ipv6';
  throw new NotUnderstood(`NFPROTO_* ${number}`);
}

/** enum nft_nat_attributes */
const NFTA_NAT = table(
  'NFTA_NAT',
  'TYPE',
  'FAMILY',
  'REG_ADDR_MIN',
  'REG_ADDR_MAX',
  'REG_PROTO_MIN',
  'REG_PROTO_MAX',
  'FLAGS',
);

/** nft_nat.c; a table of the family inet may change ports for both families (NFPROTO_INET). */
export const nat = expression(NFTA_NAT, (a) => ({
  kind: 'nat',
  type: a.choice('TYPE', ['snat', 'dnat']),
  family: a.u32('FAMILY') === NFPROTO_INET ? null : familyOf(a.u32('FAMILY')),
  addressMin: a.registerOrNull('REG_ADDR_MIN'),
  addressMax: a.registerOrNull('REG_ADDR_MAX'),
  portMin: a.registerOrNull('REG_PROTO_MIN'),
  portMax: a.registerOrNull('REG_PROTO_MAX'),
  flags: a.u32Or('FLAGS', 0),
}));

/** enum nft_masq_attributes */
const NFTA_MASQ = table('NFTA_MASQ', 'FLAGS', 'REG_PROTO_MIN', 'REG_PROTO_MAX');

/** nft_masq.c */
export const masq = expression(NFTA_MASQ, (a) => ({
  kind: 'masquerade',
  portMin: a.registerOrNull('REG_PROTO_MIN'),
  portMax: a.registerOrNull('REG_PROTO_MAX'),
  flags: a.u32Or('FLAGS', 0),
}));

/** enum nft_redir_attributes */
const NFTA_REDIR = table('NFTA_REDIR', 'REG_PROTO_MIN', 'REG_PROTO_MAX', 'FLAGS');

/** nft_redir.c */
export const redir = expression(NFTA_REDIR, (a) => ({
  kind: 'redirect',
  portMin: a.registerOrNull('REG_PROTO_MIN'),
  portMax: a.registerOrNull('REG_PROTO_MAX'),
  flags: a.u32Or('FLAGS', 0),
}));

/** enum nft_tproxy_attributes */
const NFTA_TPROXY = table('NFTA_TPROXY', 'FAMILY', 'REG_ADDR', 'REG_PORT');

/** nft_tproxy.c; family 0 is both. */
export const tproxy = expression(NFTA_TPROXY, (a) => {
  const family = a.u32('FAMILY');
  return {
    kind: 'tproxy',
    family: family === NFPROTO_UNSPEC ? null : familyOf(family),
    address: a.registerOrNull('REG_ADDR'),
    port: a.registerOrNull('REG_PORT'),
  };
});
