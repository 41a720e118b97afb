import type { Hook, NftChain } from '../../model/firewall.js';

/** What a rule was written with, and is shown by. */
export type RuleTool =
  | 'nft'
  | 'iptables-nft'
  | 'ip6tables-nft'
  | 'iptables-legacy'
  | 'ip6tables-legacy';

const hookOf: Readonly<Record<string, Hook>> = {
  PREROUTING: 'prerouting',
  INPUT: 'input',
  FORWARD: 'forward',
  OUTPUT: 'output',
  POSTROUTING: 'postrouting',
};

const priorities: Readonly<Record<string, readonly number[]>> = {
  raw: [-300],
  mangle: [-150],
  nat: [-100, 100],
  filter: [0],
  security: [50],
};

/**
 * Who keeps a table of nftables: iptables-nft where it is one of the five that iptables(8) has, with
 * no base chain but those.
 */
export function toolOf(chains: readonly NftChain[]): RuleTool {
  const [first] = chains;
  if (!first || (first.family !== 'ip' && first.family !== 'ip6')) return 'nft';
  const allowed = priorities[first.table];
  const standard = chains.every(
    ({ name, base }) =>
      base === null || (hookOf[name] === base.hook && allowed?.includes(base.priority)),
  );
  if (!allowed || !standard) return 'nft';
  return first.family === 'ip' ? 'iptables-nft' : 'ip6tables-nft';
}
