import type { NftFamily } from '../../../model/firewall.js';
import type { HostState } from '../../../model/host-state.js';
import type { NftExpression, NftRule } from '../../../model/ruleset.js';
import type { LegacyChain, LegacyRule } from '../../../model/xtables.js';
import type { RuleTool } from '../../verdict.js';
import { legacyMatch, type Match, nftExpressions } from './match.js';

/** A place in a chain, and the program that the chain is changed with. */
export interface Place {
  readonly tool: RuleTool;
  readonly family: NftFamily;
  readonly table: string;
  readonly chain: string;
  /** The rule that the new one stands before, by its place counted from one; `null`: at the end. */
  readonly line: number | null;
  /** Its handle; `null` for a legacy table, and at the end. */
  readonly handle: number | null;
}

export type Judgement = 'accept' | 'drop';

/** The state with a rule for each match at that place. */
export function withRules(
  state: HostState,
  place: Place,
  matches: readonly Match[],
  judgement: Judgement,
): HostState {
  return isLegacy(place)
    ? withLegacyRules(
        state,
        place,
        matches.map((match) => ({
          input: null,
          output: null,
          fragment: null,
          ...legacyMatch(match),
          target: { verdict: { code: judgement } },
        })),
      )
    : withNftRules(
        state,
        place,
        matches.map((match) => [...nftExpressions(match), says(judgement)]),
      );
}

function isLegacy({ tool }: Place): boolean {
  return tool === 'iptables-legacy' || tool === 'ip6tables-legacy';
}

function says(code: Judgement): NftExpression {
  return { kind: 'immediate', destination: 'verdict', data: { verdict: { code } } };
}

function withNftRules(
  state: HostState,
  { family, table, chain, line }: Place,
  rules: readonly NftExpression[][],
): HostState {
  const { firewall } = state;
  const { nftables } = firewall;
  if (!nftables) return state;
  const chains = nftables.chains.map((one) => {
    if (one.family !== family || one.table !== table || one.name !== chain) return one;
    const handles = nftables.chains.flatMap((other) => other.rules.map(({ handle }) => handle));
    const next = handles.reduce((largest, handle) => Math.max(largest, handle), 0) + 1;
    const added = rules.map(
      (expressions, index): NftRule => ({ handle: next + index, expressions, comment: null }),
    );
    return { ...one, rules: inserted(one.rules, line, added) };
  });
  return { ...state, firewall: { ...firewall, nftables: { ...nftables, chains } } };
}

function withLegacyRules(
  state: HostState,
  { family, table, chain, line }: Place,
  rules: readonly LegacyRule[],
): HostState {
  const { firewall } = state;
  const { legacy } = firewall;
  if (!legacy) return state;
  const version = family === 'ip6' ? 'ipv6' : 'ipv4';
  const inChain = (one: LegacyChain): LegacyChain =>
    one.name === chain ? { ...one, rules: inserted(one.rules, line, rules) } : one;
  const tables = legacy[version].map((one) =>
    one.name === table && one.chains ? { ...one, chains: one.chains.map(inChain) } : one,
  );
  return { ...state, firewall: { ...firewall, legacy: { ...legacy, [version]: tables } } };
}

function inserted<Rule>(
  rules: readonly Rule[],
  line: number | null,
  added: readonly Rule[],
): Rule[] {
  const at = line === null ? rules.length : line - 1;
  return [...rules.slice(0, at), ...added, ...rules.slice(at)];
}

/** Without one rule of a chain. */
export function withoutRuleAt(
  state: HostState,
  place: Place & { readonly line: number },
): HostState {
  const { firewall } = state;
  const { family, table, chain, line } = place;
  const rest = <Rule>(rules: readonly Rule[]) => rules.filter((_, index) => index !== line - 1);
  if (isLegacy(place)) {
    const { legacy } = firewall;
    if (!legacy) return state;
    const version = family === 'ip6' ? 'ipv6' : 'ipv4';
    const tables = legacy[version].map((one) => ({
      ...one,
      chains:
        one.name === table && one.chains
          ? one.chains.map((each) =>
              each.name === chain ? { ...each, rules: rest(each.rules) } : each,
            )
          : one.chains,
    }));
    return { ...state, firewall: { ...firewall, legacy: { ...legacy, [version]: tables } } };
  }
  const { nftables } = firewall;
  if (!nftables) return state;
  const chains = nftables.chains.map((one) =>
    one.family === family && one.table === table && one.name === chain
      ? { ...one, rules: rest(one.rules) }
      : one,
  );
  return { ...state, firewall: { ...firewall, nftables: { ...nftables, chains } } };
}
