import type { NftFamily } from '../../model/firewall.js';
import type { NftExpression } from '../../model/ruleset.js';
import type { Evaluate } from '../nftables/run.js';
import type { Extension } from './extension.js';
import { Info } from './info.js';
import type { IpSets } from './ipset/sets.js';
import { matches } from './matches.js';
import { targets } from './targets.js';

/** An xtables match or target, wherever it stands: in a legacy table, or carried by nftables. */
export type XtExpression = Extract<NftExpression, { kind: 'match' | 'target' }>;

/** Reads a match or target; `null` for one, or a revision of one, that this version does not know. */
export function readExtension(
  { kind, name, revision, info }: XtExpression,
  family: NftFamily,
  sets: IpSets,
): Extension | null {
  if (family !== 'ip' && family !== 'ip6') return null;
  const reader = kind === 'match' ? matches.get(name) : targets.get(name)?.read;
  const context = { family: family === 'ip' ? ('ipv4' as const) : ('ipv6' as const), sets };
  return reader?.(new Info(info), revision, context) ?? null;
}

/** A match that is not known may hold or not, for it changes nothing; a target may do anything. */
export function compileExtension(
  expression: XtExpression,
  family: NftFamily,
  sets: IpSets,
): Evaluate {
  const extension = readExtension(expression, family, sets);
  if (extension) {
    const { evaluate } = extension;
    if (knowsPorts(expression)) return evaluate;
    return (run) => {
      run.peer?.port?.blur();
      return evaluate(run);
    };
  }
  return expression.kind === 'match' ? () => 'may' : () => 'unknown';
}

/** What it asks of a port it notes itself, or it asks nothing. */
function knowsPorts({ kind, name }: XtExpression): boolean {
  return kind === 'match' ? asksNoPort.has(name) : !exchangingPorts.has(name);
}

/** Those that ask for no port, or note it. */
const asksNoPort: ReadonlySet<string> = new Set([
  'addrtype',
  'comment',
  'connmark',
  'conntrack',
  'dscp',
  'hl',
  'icmp',
  'icmp6',
  'iprange',
  'length',
  'limit',
  'mac',
  'mark',
  'multiport',
  'owner',
  'physdev',
  'pkttype',
  'rpfilter',
  'set',
  'state',
  'statistic',
  'time',
  'tos',
  'ttl',
]);

const exchangingPorts: ReadonlySet<string> = new Set([
  'DNAT',
  'MASQUERADE',
  'NETMAP',
  'REDIRECT',
  'SET',
  'SNAT',
]);

/** What a target can do; one that is not known can do anything. */
export function effectOf(name: string): 'nothing' | 'speaks' | 'changes' {
  return targets.get(name)?.does ?? 'changes';
}
