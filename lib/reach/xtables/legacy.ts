import type { Hook, NftChain } from '../../model/firewall.js';
import type { NftExpression, NftRule } from '../../model/ruleset.js';
import type { Family } from '../../model/socket.js';
import type {
  InterfaceName,
  LegacyRule,
  LegacyTable,
  XtablesExtension,
} from '../../model/xtables.js';
import { hexFromBytes, paddedName } from '../nftables/bytes.js';
import { META } from '../nftables/expressions/meta.js';
import {
  addressAt,
  addressIs,
  compare,
  hexPort,
  masked,
  payload,
} from '../nftables/make-expression.js';
import { Info } from './info.js';

/*
 * Legacy tables as chains of nftables: what a rule says by itself becomes comparisons, as
 * iptables-nft writes it, and its matches and targets are carried as they are. So one evaluator
 * serves both, and sorts the rules of both by what they compare.
 */

/** NF_IP_PRI_*; where NAT acts is told apart by hook. */
const priorities: Readonly<Record<string, number>> = {
  raw: -300,
  mangle: -150,
  filter: 0,
  security: 50,
};

const sourceNat: ReadonlySet<Hook> = new Set(['input', 'postrouting']);

/** The chains of a table that could be read. */
export function chainsOf({ name, chains }: LegacyTable, family: Family): NftChain[] {
  return (chains ?? []).map((chain) => ({
    family: family === 'ipv4' ? 'ip' : 'ip6',
    table: name,
    name: chain.name,
    handle: 0,
    base: chain.base && {
      ...chain.base,
      priority:
        name === 'nat' ? (sourceNat.has(chain.base.hook) ? 100 : -100) : (priorities[name] ?? 0),
      // ipt_mangle_out and ip6t_mangle_out have what they changed routed once more.
      type:
        name === 'nat'
          ? 'nat'
          : name === 'mangle' && chain.base.hook === 'output'
            ? 'route'
            : 'filter',
      devices: [],
    },
    rules: chain.rules.map((rule, place) => ruleOf(rule, family, place + 1)),
  }));
}

function ruleOf(rule: LegacyRule, family: Family, handle: number): NftRule {
  const { source, destination } = addressAt[family];
  const expressions: NftExpression[] = [
    ...interfaceIs(rule.input, META.iifname),
    ...interfaceIs(rule.output, META.oifname),
    ...protocolIs(rule.protocol),
    ...addressIs(rule.source, source),
    ...addressIs(rule.destination, destination),
    ...fragmentIs(rule.fragment),
    ...rule.matches.flatMap(
      (match) => portsOf(match, rule) ?? [{ kind: 'match' as const, ...match }],
    ),
  ];
  const { target } = rule;
  if (target && 'verdict' in target)
    expressions.push({
      kind: 'immediate',
      destination: 'verdict',
      data: { verdict: target.verdict },
    });
  else if (target) expressions.push({ kind: 'target', ...target.extension });
  return { handle, expressions, comment: null };
}

/** ifname_compare_aligned: all of the name, or its beginning. */
function interfaceIs(wanted: InterfaceName | null, key: number): NftExpression[] {
  if (!wanted) return [];
  const { name, isPrefix, invert } = wanted;
  const bytes = isPrefix ? new TextEncoder().encode(name) : paddedName(name);
  return [{ kind: 'meta', destination: 0, key }, compare(hexFromBytes(bytes), invert)];
}

function protocolIs(wanted: LegacyRule['protocol']): NftExpression[] {
  if (!wanted) return [];
  const { number, invert } = wanted;
  return [
    { kind: 'meta', destination: 0, key: META.l4proto },
    compare(hexFromBytes(Uint8Array.of(number)), invert),
  ];
}

/** Later fragments have an offset. */
function fragmentIs(wanted: LegacyRule['fragment']): NftExpression[] {
  if (!wanted) return [];
  return [payload('network', 6, 2), masked(2, '1fff'), compare('0000', !wanted.invert)];
}

/** A match of TCP or UDP that asks for ports alone, of a rule for that protocol; else `null`. */
function portsOf(
  { name, revision, info }: XtablesExtension,
  { protocol }: LegacyRule,
): NftExpression[] | null {
  const number = { tcp: 6, udp: 17 }[name];
  if (number === undefined || revision !== 0 || protocol?.number !== number || protocol.invert)
    return null;
  const told = new Info(info);
  const isTcp = name === 'tcp';
  if (!told.isSized(isTcp ? 12 : 10)) return null;
  // Neither an option nor flags.
  if (isTcp && (told.u8(8) | told.u8(9) | told.u8(10)) !== 0) return null;
  const inverse = told.u8(isTcp ? 11 : 8);
  if (inverse > 3) return null;
  return [
    ...portIs(told.u16(0), told.u16(2), 0, (inverse & 1) !== 0),
    ...portIs(told.u16(4), told.u16(6), 2, (inverse & 2) !== 0),
  ];
}

function portIs(from: number, to: number, offset: number, invert: boolean): NftExpression[] {
  if (from === 0 && to === 65535 && !invert) return [];
  const load = payload('transport', offset, 2);
  if (from === to) return [load, compare(hexPort(from), invert)];
  return [
    load,
    { kind: 'range', source: 0, op: invert ? 'neq' : 'eq', from: hexPort(from), to: hexPort(to) },
  ];
}
