import type { Hook, NftChain, NftFamily } from '../../model/firewall.js';
import type { NftRule } from '../../model/ruleset.js';
import type { NetlinkRequest } from '../../native.js';
import type { Bytes } from '../netlink-message.js';
import { Attributes, table } from './attributes.js';
import { answers, dumpRequest, familyOf, NFT_MSG } from './messages.js';

/** enum nft_chain_attributes */
const NFTA_CHAIN = table(
  'NFTA_CHAIN',
  'TABLE',
  'HANDLE',
  'NAME',
  'HOOK',
  'POLICY',
  'USE',
  'TYPE',
  'COUNTERS',
  'PAD',
  'FLAGS',
  'ID',
  'USERDATA',
);

/** enum nft_hook_attributes */
const NFTA_HOOK = table('NFTA_HOOK', 'HOOKNUM', 'PRIORITY', 'DEV', 'DEVS');

/** enum nft_devices_attributes */
const NFTA_DEVICE_NAME = 1;
const NFTA_DEVICE_PREFIX = 2;

/** NF_DROP as the policy of a base chain. */
const NF_DROP = 0;

/** The hooks of each family in the order of its NF_*_ numbers. */
const IP_HOOKS: Hook[] = ['prerouting', 'input', 'forward', 'output', 'postrouting'];
const HOOKS: Record<NftFamily, Hook[]> = {
  ip: IP_HOOKS,
  ip6: IP_HOOKS,
  inet: [...IP_HOOKS, 'ingress'], // NF_INET_INGRESS
  bridge: IP_HOOKS,
  arp: ['input', 'output', 'forward'], // NF_ARP_IN, NF_ARP_OUT, NF_ARP_FORWARD
  netdev: ['ingress', 'egress'], // NF_NETDEV_INGRESS, NF_NETDEV_EGRESS
};

/** Asks for the chains of all tables. */
export const chainsRequest = (): NetlinkRequest => dumpRequest(NFT_MSG.GETCHAIN);

/** Rules by the chain they are in, see `decodeRules`. */
export type RulesOf = (family: NftFamily, table: string, chain: string) => NftRule[];

/** The chains in the answer to `chainsRequest`, each with its rules. */
export function decodeChains(
  bytes: Uint8Array,
  rulesOf: RulesOf,
  littleEndian?: boolean,
): NftChain[] {
  const chains: NftChain[] = [];
  for (const { payload, attributes } of answers(
    bytes,
    NFT_MSG.NEWCHAIN,
    'nftables chains',
    NFTA_CHAIN,
    littleEndian,
  )) {
    const family = familyOf(payload);
    const table = attributes.text('TABLE');
    const name = attributes.text('NAME');
    chains.push({
      family,
      table,
      name,
      handle: attributes.has('HANDLE') ? attributes.u64('HANDLE') : 0,
      base: attributes.has('HOOK') ? baseOf(attributes, family) : null,
      rules: rulesOf(family, table, name),
    });
  }
  return chains;
}

function baseOf(
  chain: Attributes<'HOOK' | 'POLICY' | 'TYPE'>,
  family: NftFamily,
): NftChain['base'] {
  const nest = chain.bytes('HOOK');
  const values = new Attributes(nest, NFTA_HOOK);
  const number = values.u32('HOOKNUM');
  const hook = HOOKS[family][number];
  if (!hook) throw nest.malformed(0, `${number} is no hook of the family ${family}`);
  const list = values.optional('DEVS');
  const single = values.optional('DEV');
  return {
    hook,
    priority: values.i32('PRIORITY'),
    policy: chain.u32Or('POLICY', null) === NF_DROP ? 'drop' : 'accept',
    type: chain.text('TYPE'),
    devices: list ? decodeDevices(list) : single ? [single.text()] : [],
  };
}

/** A list of devices; a prefix (`eth*`, Linux 6.16) keeps its star. */
export function decodeDevices(list: Bytes): string[] {
  return Array.from(list.attributes())
    .filter(([type]) => type === NFTA_DEVICE_NAME || type === NFTA_DEVICE_PREFIX)
    .map(([type, value]) => (type === NFTA_DEVICE_PREFIX ? `${value.text()}*` : value.text()));
}
