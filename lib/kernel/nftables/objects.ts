import type { NftExpression, NftFlowtable, NftObject } from '../../model/ruleset.js';
import type { NetlinkRequest } from '../../native.js';
import type { Bytes } from '../netlink-message.js';
import { Attributes, table } from './attributes.js';
import { decodeDevices } from './chains.js';
import { hex } from './data.js';
import { decodeAs } from './expression.js';
import { answers, dumpRequest, familyOf, NFT_MSG } from './messages.js';

/** enum nft_object_attributes */
const NFTA_OBJ = table(
  'NFTA_OBJ',
  'TABLE',
  'NAME',
  'TYPE',
  'DATA',
  'USE',
  'HANDLE',
  'PAD',
  'USERDATA',
);

/** NFT_OBJECT_*: the expression that an object acts as, `null` where it lets every packet on. */
const NFT_OBJECTS: readonly (string | null | undefined)[] = [
  undefined,
  null, // COUNTER
  'quota',
  null, // CT_HELPER
  'limit',
  'connlimit',
  null, // TUNNEL
  null, // CT_TIMEOUT
  null, // SECMARK
  null, // CT_EXPECT
  'synproxy',
];

/** enum nft_flowtable_attributes */
const NFTA_FLOWTABLE = table(
  'NFTA_FLOWTABLE',
  'TABLE',
  'NAME',
  'HOOK',
  'USE',
  'HANDLE',
  'PAD',
  'FLAGS',
);

/** enum nft_flowtable_hook_attributes */
const NFTA_FLOWTABLE_HOOK = table('NFTA_FLOWTABLE_HOOK', 'NUM', 'PRIORITY', 'DEVS');

/** Asks for the named objects of all tables. */
export const objectsRequest = (): NetlinkRequest => dumpRequest(NFT_MSG.GETOBJ);
/** Asks for the flowtables of all tables. */
export const flowtablesRequest = (): NetlinkRequest => dumpRequest(NFT_MSG.GETFLOWTABLE);

/** The objects in the answer to `objectsRequest`. */
export function decodeObjects(bytes: Uint8Array, littleEndian?: boolean): NftObject[] {
  const objects: NftObject[] = [];
  for (const { payload, attributes } of answers(
    bytes,
    NFT_MSG.NEWOBJ,
    'nftables objects',
    NFTA_OBJ,
    littleEndian,
  )) {
    const type = attributes.u32('TYPE');
    objects.push({
      family: familyOf(payload),
      table: attributes.text('TABLE'),
      name: attributes.text('NAME'),
      type,
      expression: expressionOf(type, attributes.optional('DATA') ?? payload.slice(payload.length)),
    });
  }
  return objects;
}

function expressionOf(type: number, data: Bytes): NftExpression | null {
  const name = NFT_OBJECTS[type];
  if (name === null) return null;
  if (name !== undefined) return decodeAs(name, data);
  return { kind: 'unknown', name: `object of type ${type}`, data: hex(data) };
}

/** The flowtables in the answer to `flowtablesRequest`. */
export function decodeFlowtables(bytes: Uint8Array, littleEndian?: boolean): NftFlowtable[] {
  const flowtables: NftFlowtable[] = [];
  for (const { payload, attributes } of answers(
    bytes,
    NFT_MSG.NEWFLOWTABLE,
    'nftables flowtables',
    NFTA_FLOWTABLE,
    littleEndian,
  )) {
    const hook = new Attributes(attributes.bytes('HOOK'), NFTA_FLOWTABLE_HOOK);
    const devices = hook.optional('DEVS');
    flowtables.push({
      family: familyOf(payload),
      table: attributes.text('TABLE'),
      name: attributes.text('NAME'),
      priority: hook.i32('PRIORITY'),
      devices: devices ? decodeDevices(devices) : [],
    });
  }
  return flowtables;
}
