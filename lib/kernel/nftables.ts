import type { Hook, NftChain, NftFamily, NftTable } from '../model/firewall.js';
import type { NetlinkRequest } from '../native.js';
import { type Bytes, messages, namesOfBits } from './netlink-message.js';

/*
 * nftables speaks nfnetlink: after the message header comes struct nfgenmsg (family:u8, version:u8,
 * resource:be16), and numbers inside attributes are in network byte order.
 */
const NFGENMSG_SIZE = 4;
const NLM_F_DUMP = 0x300;

/** NFNL_SUBSYS_NFTABLES, the high byte of each message type. */
const SUBSYSTEM = 10 << 8;
const NFT_MSG_NEWTABLE = SUBSYSTEM | 0;
const NFT_MSG_GETTABLE = SUBSYSTEM | 1;
const NFT_MSG_NEWCHAIN = SUBSYSTEM | 3;
const NFT_MSG_GETCHAIN = SUBSYSTEM | 4;
const NFT_MSG_NEWRULE = SUBSYSTEM | 6;
const NFT_MSG_GETRULE = SUBSYSTEM | 7;
const NFT_MSG_NEWGEN = SUBSYSTEM | 15;
const NFT_MSG_GETGEN = SUBSYSTEM | 16;

const NFTA_GEN_ID = 1;

const NFTA_TABLE_NAME = 1;
const NFTA_TABLE_FLAGS = 2;
const NFTA_TABLE_HANDLE = 4;

const NFTA_CHAIN_TABLE = 1;
const NFTA_CHAIN_HANDLE = 2;
const NFTA_CHAIN_NAME = 3;
const NFTA_CHAIN_HOOK = 4;
const NFTA_CHAIN_POLICY = 5;
const NFTA_CHAIN_TYPE = 7;

const NFTA_HOOK_HOOKNUM = 1;
const NFTA_HOOK_PRIORITY = 2;
const NFTA_HOOK_DEV = 3;
const NFTA_HOOK_DEVS = 4;
const NFTA_DEVICE_NAME = 1;
const NFTA_DEVICE_PREFIX = 2;

const NFTA_RULE_TABLE = 1;
const NFTA_RULE_CHAIN = 2;

/** NF_DROP as the policy of a base chain. */
const NF_DROP = 0;

/** NFT_TABLE_F_* */
const TABLE_FLAGS = [
  [1, 'dormant'],
  [2, 'owner'],
  [4, 'persist'],
] as const;

/** NFPROTO_*, by number. */
const FAMILIES: Record<number, NftFamily> = {
  1: 'inet',
  2: 'ip',
  3: 'arp',
  5: 'netdev',
  7: 'bridge',
  10: 'ip6',
};

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

function request(type: number, flags: number): NetlinkRequest {
  return { type, flags, payload: new Uint8Array(NFGENMSG_SIZE) };
}

/** Asks for the number of the rule set's generation: it grows with each change. */
export const generationRequest = (): NetlinkRequest => request(NFT_MSG_GETGEN, 0);
/** Asks for the tables of all families. */
export const tablesRequest = (): NetlinkRequest => request(NFT_MSG_GETTABLE, NLM_F_DUMP);
/** Asks for the chains of all tables. */
export const chainsRequest = (): NetlinkRequest => request(NFT_MSG_GETCHAIN, NLM_F_DUMP);
/** Asks for the rules of all chains. */
export const rulesRequest = (): NetlinkRequest => request(NFT_MSG_GETRULE, NLM_F_DUMP);

/** The generation in the answer to `generationRequest`. */
export function decodeGeneration(bytes: Uint8Array, littleEndian?: boolean): number {
  for (const { type, payload } of messages(bytes, 'the nftables generation', littleEndian)) {
    if (type !== NFT_MSG_NEWGEN) continue;
    return required(payload, payload.attributeMap(NFGENMSG_SIZE), NFTA_GEN_ID).be32(0);
  }
  return 0;
}

/** The tables in the answer to `tablesRequest`. */
export function decodeTables(bytes: Uint8Array, littleEndian?: boolean): NftTable[] {
  const tables: NftTable[] = [];
  for (const { type, payload } of messages(bytes, 'nftables tables', littleEndian)) {
    if (type !== NFT_MSG_NEWTABLE) continue;
    const attributes = payload.attributeMap(NFGENMSG_SIZE);
    tables.push({
      family: familyOf(payload),
      name: required(payload, attributes, NFTA_TABLE_NAME).text(),
      handle: attributes.get(NFTA_TABLE_HANDLE)?.be64(0) ?? 0,
      flags: namesOfBits(attributes.get(NFTA_TABLE_FLAGS)?.be32(0) ?? 0, TABLE_FLAGS),
    });
  }
  return tables;
}

/** The chains in the answer to `chainsRequest`, with the number of their rules from that to `rulesRequest`. */
export function decodeChains(
  bytes: Uint8Array,
  rules: Uint8Array,
  littleEndian?: boolean,
): NftChain[] {
  const counts = countRules(rules, littleEndian);
  const chains: NftChain[] = [];
  for (const { type, payload } of messages(bytes, 'nftables chains', littleEndian)) {
    if (type !== NFT_MSG_NEWCHAIN) continue;
    const attributes = payload.attributeMap(NFGENMSG_SIZE);
    const family = familyOf(payload);
    const table = required(payload, attributes, NFTA_CHAIN_TABLE).text();
    const name = required(payload, attributes, NFTA_CHAIN_NAME).text();
    chains.push({
      family,
      table,
      name,
      handle: attributes.get(NFTA_CHAIN_HANDLE)?.be64(0) ?? 0,
      base: baseOf(payload, attributes, family),
      rules: counts.get(JSON.stringify([family, table, name])) ?? 0,
    });
  }
  return chains;
}

function countRules(bytes: Uint8Array, littleEndian?: boolean): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { type, payload } of messages(bytes, 'nftables rules', littleEndian)) {
    if (type !== NFT_MSG_NEWRULE) continue;
    const attributes = payload.attributeMap(NFGENMSG_SIZE);
    const key = JSON.stringify([
      familyOf(payload),
      required(payload, attributes, NFTA_RULE_TABLE).text(),
      required(payload, attributes, NFTA_RULE_CHAIN).text(),
    ]);
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  return counts;
}

function baseOf(
  payload: Bytes,
  attributes: ReadonlyMap<number, Bytes>,
  family: NftFamily,
): NftChain['base'] {
  const nested = attributes.get(NFTA_CHAIN_HOOK);
  if (!nested) return null;
  const values = nested.attributeMap();
  const number = required(nested, values, NFTA_HOOK_HOOKNUM).be32(0);
  const hook = HOOKS[family][number];
  if (!hook) throw nested.malformed(0, `${number} is no hook of the family ${family}`);
  return {
    hook,
    priority: required(nested, values, NFTA_HOOK_PRIORITY).beI32(0),
    policy: attributes.get(NFTA_CHAIN_POLICY)?.be32(0) === NF_DROP ? 'drop' : 'accept',
    type: required(payload, attributes, NFTA_CHAIN_TYPE).text(),
    devices: devicesOf(values),
  };
}

/** One device is told by itself too; a prefix (`eth*`, Linux 6.16) keeps its star. */
function devicesOf(hook: ReadonlyMap<number, Bytes>): string[] {
  const list = hook.get(NFTA_HOOK_DEVS);
  if (list) {
    return Array.from(list.attributes())
      .filter(([type]) => type === NFTA_DEVICE_NAME || type === NFTA_DEVICE_PREFIX)
      .map(([type, value]) => (type === NFTA_DEVICE_PREFIX ? `${value.text()}*` : value.text()));
  }
  const single = hook.get(NFTA_HOOK_DEV);
  return single ? [single.text()] : [];
}

function familyOf(payload: Bytes): NftFamily {
  const family = FAMILIES[payload.u8(0)];
  if (!family) throw payload.malformed(0, `${payload.u8(0)} is no family of nftables`);
  return family;
}

function required(payload: Bytes, attributes: ReadonlyMap<number, Bytes>, type: number): Bytes {
  const value = attributes.get(type);
  if (!value) throw payload.malformed(0, `attribute ${type} is not there`);
  return value;
}
