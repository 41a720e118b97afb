import type { NftChain } from '../../../model/firewall.js';
import type { HostState } from '../../../model/host-state.js';
import { IpSets } from '../../xtables/ipset/sets.js';
import { chainsOf } from '../../xtables/legacy.js';
import { printRule } from '../../xtables/print/rule.js';
import { type Match, shortPrefix } from './match.js';
import type { Place } from './place.js';

/**
 * The line of the user's rule that asks for the very same: ufw(8) changes what that says, where it
 * stands, and adds no other. `null` where there is none.
 */
export function sameRuleAt(
  state: HostState,
  { tool, family, table, chain }: Place,
  { source, destination, protocol, port }: Match,
): number | null {
  const asks = [
    ...(source === null ? [] : [`-s ${withLength(source)}`]),
    ...(destination === null ? [] : [`-d ${withLength(destination)}`]),
    `-p ${protocol} -m ${protocol} --dport ${port}`,
  ].join(' ');
  const sets = new IpSets(null);
  const legacy = tool === 'iptables-legacy' || tool === 'ip6tables-legacy';
  const found = (
    legacy ? legacyChains(state, family, table) : state.firewall.nftables?.chains
  )?.find((one) => one.family === family && one.table === table && one.name === chain);
  const place = found?.rules.findIndex((rule) => {
    const text = printRule(rule, found, sets) ?? '';
    return text.replace(/^.* -A \S+ /, '').replace(/ -j .*$/, '') === asks;
  });
  return place === undefined || place < 0 ? null : place + 1;
}

function legacyChains({ firewall }: HostState, family: Place['family'], table: string): NftChain[] {
  const version = family === 'ip6' ? 'ipv6' : 'ipv4';
  const found = firewall.legacy?.[version].find(({ name }) => name === table);
  return found ? chainsOf(found, version) : [];
}

function withLength(text: string): string {
  return shortPrefix(text) === text
    ? text
    : `${shortPrefix(text)}/${text.includes(':') ? 128 : 32}`;
}
