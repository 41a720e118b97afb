import type { HostState } from '../../../model/host-state.js';
import type { NftVerdict } from '../../../model/ruleset.js';
import type { Place } from './place.js';

/**
 * Who keeps a chain: what is changed past that program is undone when it next writes its rules. It is
 * told by the names that each gives to its tables and chains.
 */
export type Owner =
  | { readonly program: 'ufw'; readonly chain: string }
  | { readonly program: 'firewalld'; readonly zones: readonly { name: string; chain: string }[] }
  | { readonly program: 'fail2ban'; readonly jail: string }
  /** nftables' own: the table belongs to a process, and nobody else may change it. */
  | { readonly program: 'another' }
  | { readonly program: null };

/** Who keeps the chain of this place. */
export function ownerOf(state: HostState, { tool, family, table, chain }: Place): Owner {
  const names = chainNames(state, { tool, family, table });
  if (tool === 'nft') {
    if (family === 'inet' && table === 'firewalld')
      return { program: 'firewalld', zones: zonesOf(names, /^filter_IN_(.+)_allow$/) };
    const flags =
      state.firewall.nftables?.tables.find((one) => one.family === family && one.name === table)
        ?.flags ?? [];
    return { program: flags.includes('owner') ? 'another' : null };
  }
  // Docker leaves this chain alone: it is for the administrator.
  if (chain === 'DOCKER-USER') return { program: null };
  if (chain.startsWith('f2b-')) return { program: 'fail2ban', jail: chain.slice('f2b-'.length) };
  const user = family === 'ip6' ? 'ufw6-user-input' : 'ufw-user-input';
  if (table === 'filter' && names.includes(user)) return { program: 'ufw', chain: user };
  if (names.includes('INPUT_ZONES')) {
    const isZone = new Set(jumpsOf(state, { tool, family, table, chain: 'INPUT_ZONES' }));
    const chains = names.filter((name) => isZone.has(name.replace(/_allow$/, '')));
    return { program: 'firewalld', zones: zonesOf(chains, /^IN_(.+)_allow$/) };
  }
  return { program: null };
}

function zonesOf(names: readonly string[], pattern: RegExp): { name: string; chain: string }[] {
  return names.flatMap((chain) => {
    const name = pattern.exec(chain)?.[1];
    return name === undefined || name.startsWith('policy_') ? [] : [{ name, chain }];
  });
}

/** The chains that the rules of a chain lead to: of policies there are chains that look like those of zones. */
function jumpsOf(
  { firewall }: HostState,
  { tool, family, table, chain }: Pick<Place, 'tool' | 'family' | 'table' | 'chain'>,
): string[] {
  const target = (verdict: NftVerdict) => ('chain' in verdict ? [verdict.chain] : []);
  if (isLegacyTool(tool)) {
    const tables = firewall.legacy?.[family === 'ip6' ? 'ipv6' : 'ipv4'] ?? [];
    const chains = tables.find(({ name }) => name === table)?.chains ?? [];
    const rules = chains.find(({ name }) => name === chain)?.rules ?? [];
    return rules.flatMap((rule) =>
      rule.target && 'verdict' in rule.target ? target(rule.target.verdict) : [],
    );
  }
  const found = firewall.nftables?.chains.find(
    (one) => one.family === family && one.table === table && one.name === chain,
  );
  return (found?.rules ?? []).flatMap(({ expressions }) =>
    expressions.flatMap((one) =>
      one.kind === 'immediate' && 'verdict' in one.data ? target(one.data.verdict) : [],
    ),
  );
}

function isLegacyTool(tool: Place['tool']): boolean {
  return tool === 'iptables-legacy' || tool === 'ip6tables-legacy';
}

/** The chains of a table. */
export function chainNames(
  { firewall }: HostState,
  { tool, family, table }: Pick<Place, 'tool' | 'family' | 'table'>,
): string[] {
  if (isLegacyTool(tool)) {
    const tables = firewall.legacy?.[family === 'ip6' ? 'ipv6' : 'ipv4'] ?? [];
    const found = tables.find(({ name }) => name === table);
    return found?.chains?.map(({ name }) => name) ?? [];
  }
  const chains = firewall.nftables?.chains ?? [];
  return chains.flatMap((one) => (one.family === family && one.table === table ? [one.name] : []));
}
