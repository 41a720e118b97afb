import type { Nftables, NftChain, NftFamily } from '../../model/firewall.js';
import type { NftExpression } from '../../model/ruleset.js';
import type { Family } from '../../model/socket.js';

/*
 * Connections are tracked in a namespace only where something there has asked for it, and for the
 * families that it was asked for (nf_ct_netns_get, which what is listed here calls when it is made; a
 * dormant table, or a chain that nobody jumps to, counts too). Where they are not, chains of type nat
 * are asked about no packet. What asks besides, and no rule tells of, is left out of account: IPVS,
 * Open vSwitch, and a nf_conntrack that was loaded with enable_hooks.
 */

const asking: ReadonlySet<NftExpression['kind']> = new Set([
  'ct',
  'ct-set',
  'masquerade',
  'redirect',
  'connlimit',
  'synproxy',
  'flow-offload',
  'unknown', // it may
]);

/** Those of xtables that do; CT does unless all it says is that nothing be tracked. */
const askingExtensions: ReadonlySet<string> = new Set([
  'cluster',
  'connbytes',
  'connlabel',
  'connlimit',
  'connmark',
  'conntrack',
  'helper',
  'state',
  'CONNMARK',
  'CONNSECMARK',
  'DNAT',
  'MASQUERADE',
  'NETMAP',
  'REDIRECT',
  'SNAT',
  'SYNPROXY',
]);

const NOTRACK = 1; // XT_CT_NOTRACK

/** NFT_OBJECT_CT_HELPER, _CONNLIMIT, _CT_TIMEOUT, _CT_EXPECT, _SYNPROXY. */
const askingObjects: ReadonlySet<number> = new Set([3, 5, 7, 9, 10]);

/** The families of a namespace whose connections are tracked. */
export function trackedFamilies(
  { chains, sets, objects, byteOrder }: Nftables,
  legacy: readonly NftChain[],
): ReadonlySet<Family> {
  const found = new Set<Family>();
  const add = (family: NftFamily) => {
    if (family !== 'ip6') found.add('ipv4');
    if (family !== 'ip') found.add('ipv6');
  };
  // The flags of CT are a half word, and fit into its lower byte.
  const flagsAt = byteOrder === 'little' ? 0 : 2;
  const asks = (expression: NftExpression): boolean => {
    switch (expression.kind) {
      case 'dynset':
        return expression.expressions.some(asks);
      case 'match':
      case 'target':
        if (expression.name !== 'CT') return askingExtensions.has(expression.name);
        return (Number.parseInt(expression.info.slice(flagsAt, flagsAt + 2), 16) & NOTRACK) === 0;
      default:
        return asking.has(expression.kind);
    }
  };
  for (const { family, rules } of [...chains, ...legacy]) {
    for (const { expressions } of rules) {
      if (expressions.some(asks)) add(family);
      for (const one of expressions) {
        // In a table of the family inet it says itself which family it is for (nft_nat_init).
        if (one.kind === 'nat' && one.family) found.add(one.family);
        else if (one.kind === 'nat') add('inet');
      }
    }
  }
  for (const { family, expressions } of sets) if (expressions.some(asks)) add(family);
  for (const { family, type } of objects) if (askingObjects.has(type)) add(family);
  return found;
}
