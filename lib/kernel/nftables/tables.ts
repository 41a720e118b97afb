import type { NftTable } from '../../model/firewall.js';
import type { NetlinkRequest } from '../../native.js';
import { namesOfBits } from '../netlink-message.js';
import { table } from './attributes.js';
import { answers, dumpRequest, familyOf, NFT_MSG, request } from './messages.js';

/** enum nft_gen_attributes */
const NFTA_GEN = table('NFTA_GEN', 'ID', 'PROC_PID', 'PROC_NAME');

/** enum nft_table_attributes */
const NFTA_TABLE = table(
  'NFTA_TABLE',
  'NAME',
  'FLAGS',
  'USE',
  'HANDLE',
  'PAD',
  'USERDATA',
  'OWNER',
);

/** NFT_TABLE_F_* */
const TABLE_FLAGS = [
  [1, 'dormant'],
  [2, 'owner'],
  [4, 'persist'],
] as const;

/** Asks for the number of the rule set's generation: it grows with each change. */
export const generationRequest = (): NetlinkRequest => request(NFT_MSG.GETGEN);
/** Asks for the tables of all families. */
export const tablesRequest = (): NetlinkRequest => dumpRequest(NFT_MSG.GETTABLE);

/** The generation in the answer to `generationRequest`. */
export function decodeGeneration(bytes: Uint8Array, littleEndian?: boolean): number {
  const what = 'the nftables generation';
  for (const { attributes } of answers(bytes, NFT_MSG.NEWGEN, what, NFTA_GEN, littleEndian)) {
    return attributes.u32('ID');
  }
  return 0;
}

/** The tables in the answer to `tablesRequest`. */
export function decodeTables(bytes: Uint8Array, littleEndian?: boolean): NftTable[] {
  const tables: NftTable[] = [];
  for (const { payload, attributes } of answers(
    bytes,
    NFT_MSG.NEWTABLE,
    'nftables tables',
    NFTA_TABLE,
    littleEndian,
  )) {
    tables.push({
      family: familyOf(payload),
      name: attributes.text('NAME'),
      handle: attributes.has('HANDLE') ? attributes.u64('HANDLE') : 0,
      flags: namesOfBits(attributes.u32Or('FLAGS', 0), TABLE_FLAGS),
    });
  }
  return tables;
}
