import { capture } from '#earshot/kernel/capture.js';
import type { NftChain } from '#earshot/model/firewall.js';
import { IpSets } from '#earshot/reach/xtables/ipset/sets.js';
import { chainsOf } from '#earshot/reach/xtables/legacy.js';
import { printRule } from '#earshot/reach/xtables/print/rule.js';
import type { Namespace } from '../namespaces.js';

/** The two that iptables(8) may be: rules in nftables, or in tables of its own. */
export const backends = ['nft', 'legacy'] as const;
export type Backend = (typeof backends)[number];

export const families = ['ipv4', 'ipv6'] as const;
export type IptablesFamily = (typeof families)[number];

/** What such tests run. */
export const iptablesTools = families.flatMap((family) =>
  backends.map((backend) => `${command(family)}-${backend}`),
);

export function command(family: IptablesFamily): string {
  return family === 'ipv4' ? 'iptables' : 'ip6tables';
}

/**
 * Rules by table: `{ filter: ['-A INPUT -j DROP'] }`, `-N` lines for chains. A line for one family
 * alone begins with `4: ` or `6: `.
 */
export type Rules = Readonly<Record<string, readonly string[]>>;

/** Loads rules of both families by iptables-restore. */
export async function loadRules(host: Namespace, backend: Backend, rules: Rules): Promise<void> {
  for (const family of families) {
    const input = inputOf(rules, family);
    if (input !== '') await host.run([`${command(family)}-${backend}-restore`, '-n'], input);
  }
}

function inputOf(rules: Rules, family: IptablesFamily): string {
  const own = family === 'ipv4' ? '4: ' : '6: ';
  const other = family === 'ipv4' ? '6: ' : '4: ';
  return Object.entries(rules)
    .map(([table, lines]) => {
      const mine = lines
        .filter((line) => !line.startsWith(other))
        .map((line) => (line.startsWith(own) ? line.slice(own.length) : line));
      return mine.length === 0 ? '' : `*${table}\n${mine.join('\n')}\nCOMMIT\n`;
    })
    .join('');
}

/** The rules as earshot prints them, and as iptables-save does: `table -A …`, sorted. */
export async function printed(
  host: Namespace,
  backend: Backend,
): Promise<{ ours: string[]; theirs: string[] }> {
  const { firewall } = await capture({ netns: host.path });
  const sets = new IpSets(firewall.ipsets);
  const theirs: string[] = [];
  for (const family of families) {
    let table = '';
    for (const line of (await host.run([`${command(family)}-${backend}-save`])).split('\n')) {
      if (line.startsWith('*')) table = line.slice(1);
      if (line.startsWith('-A')) theirs.push(`${command(family)} ${table} ${line}`);
    }
  }
  const chains: NftChain[] =
    backend === 'nft'
      ? firewall.nftables!.chains
      : families.flatMap((family) =>
          firewall.legacy![family].flatMap((table) => chainsOf(table, family)),
        );
  const ours = chains.flatMap((chain) =>
    chain.rules.map((rule) => {
      const text = printRule(rule, chain, sets) ?? `not printed: ${JSON.stringify(rule)}`;
      return text.replace(/^(\S+) (?:-t \S+ )?/, `$1 ${chain.table} `);
    }),
  );
  return { ours: ours.sort(), theirs: theirs.sort() };
}
