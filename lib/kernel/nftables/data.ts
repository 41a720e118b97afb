import type { Hex, NftData, NftVerdict } from '../../model/ruleset.js';
import type { Bytes } from '../netlink-message.js';
import { Attributes, NotUnderstood, table } from './attributes.js';

/** enum nft_data_attributes */
const NFTA_DATA = table('NFTA_DATA', 'VALUE', 'VERDICT');

/** enum nft_verdict_attributes */
const NFTA_VERDICT = table('NFTA_VERDICT', 'CODE', 'CHAIN', 'CHAIN_ID');

/** NFT_JUMP and NFT_GOTO */
const CHAIN_VERDICTS: Readonly<Record<number, 'jump' | 'goto'>> = { [-3]: 'jump', [-4]: 'goto' };

/** NF_* of netfilter, and enum nft_verdicts below zero. */
const VERDICTS: Readonly<Record<number, Exclude<NftVerdict, { chain: string }>['code']>> = {
  0: 'drop',
  1: 'accept',
  2: 'stolen',
  [-1]: 'continue',
  [-2]: 'break',
  [-5]: 'return',
};

/** NF_QUEUE, with the queue's number in the upper half. */
const NF_QUEUE = 3;
const NF_VERDICT_MASK = 0xff;

const HEX = Array.from({ length: 0x100 }, (_, byte) => byte.toString(16).padStart(2, '0'));

/** Bytes as the text that the model holds. Most are ports and addresses, too short for a Buffer. */
export function hex(bytes: Bytes): Hex {
  if (bytes.length <= 16) {
    let text = '';
    for (let at = 0; at < bytes.length; at++) text += HEX[bytes.u8(at)];
    return text;
  }
  const raw = bytes.raw();
  return Buffer.from(raw.buffer, raw.byteOffset, raw.byteLength).toString('hex');
}

/** A value, or a verdict, of nft_data_dump. */
export function decodeData(nest: Bytes): NftData {
  const attributes = new Attributes(nest, NFTA_DATA);
  const verdict = attributes.optional('VERDICT');
  return verdict ? { verdict: decodeVerdict(verdict) } : { value: hex(attributes.bytes('VALUE')) };
}

/** The bytes of what has to be a value. */
export function decodeValue(nest: Bytes): Hex {
  return hex(new Attributes(nest, NFTA_DATA).bytes('VALUE'));
}

/** nft_verdict_dump; a code that is not known is not understood. */
export function decodeVerdict(nest: Bytes): NftVerdict {
  const attributes = new Attributes(nest, NFTA_VERDICT);
  const number = attributes.i32('CODE');
  const jump = CHAIN_VERDICTS[number];
  if (jump) return { code: jump, chain: attributes.text('CHAIN') };
  const code = VERDICTS[number];
  if (code) return { code };
  if (number > 0 && (number & NF_VERDICT_MASK) === NF_QUEUE) return { code: 'queue' };
  throw new NotUnderstood(`NFTA_VERDICT_CODE ${number}`);
}
