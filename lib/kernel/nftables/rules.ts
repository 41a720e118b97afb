import type { NftRule } from '../../model/ruleset.js';
import type { NetlinkRequest } from '../../native.js';
import type { Bytes } from '../netlink-message.js';
import { table } from './attributes.js';
import type { RulesOf } from './chains.js';
import { expressionReader } from './expression.js';
import { answers, dumpRequest, familyOf, NFT_MSG } from './messages.js';

/** enum nft_rule_attributes */
const NFTA_RULE = table(
  'NFTA_RULE',
  'TABLE',
  'CHAIN',
  'HANDLE',
  'EXPRESSIONS',
  'COMPAT',
  'POSITION',
  'USERDATA',
  'PAD',
  'ID',
  'POSITION_ID',
  'CHAIN_ID',
);

/** NFTNL_UDATA_RULE_COMMENT of libnftnl, whose user data are type:u8, length:u8, value. */
const UDATA_RULE_COMMENT = 0;

/** Asks for the rules of all chains; a chain's come in the order in which they are asked. */
export const rulesRequest = (): NetlinkRequest => dumpRequest(NFT_MSG.GETRULE);

/** The rules in the answer to `rulesRequest`, by their chain. */
export function decodeRules(bytes: Uint8Array, littleEndian?: boolean): RulesOf {
  const chains = new Map<string, NftRule[]>();
  const decodeExpressions = expressionReader();
  const keyOf = (...names: string[]): string => names.join('\0'); // no name holds a NUL
  for (const { payload, attributes } of answers(
    bytes,
    NFT_MSG.NEWRULE,
    'nftables rules',
    NFTA_RULE,
    littleEndian,
  )) {
    const key = keyOf(familyOf(payload), attributes.text('TABLE'), attributes.text('CHAIN'));
    const rules = chains.get(key) ?? [];
    if (rules.length === 0) chains.set(key, rules);
    const expressions = attributes.optional('EXPRESSIONS');
    const userData = attributes.optional('USERDATA');
    rules.push({
      handle: attributes.u64('HANDLE'),
      expressions: expressions ? decodeExpressions(expressions) : [],
      comment: userData ? commentIn(userData) : null,
    });
  }
  return (family, table, chain) => chains.get(keyOf(family, table, chain)) ?? [];
}

/** User data are any program's own: what is not of nft's form has no comment. */
function commentIn(userData: Bytes): string | null {
  for (let at = 0; at + 2 <= userData.length; ) {
    const length = userData.u8(at + 1);
    if (at + 2 + length > userData.length) return null;
    if (userData.u8(at) === UDATA_RULE_COMMENT) return userData.slice(at + 2, length).text();
    at += 2 + length;
  }
  return null;
}
