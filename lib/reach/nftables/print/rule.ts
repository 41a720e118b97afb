import type { NftFamily } from '../../../model/firewall.js';
import type { NftRule, NftSet } from '../../../model/ruleset.js';
import { RuleText } from './rule-text.js';

/**
 * A rule in the syntax of nft(8), as a person recognises it. What has no printer is shown as the
 * netlink expression it is, in brackets.
 */
export function printRule(
  { expressions, comment }: NftRule,
  family: NftFamily,
  setOf: (name: string) => NftSet | null,
  interfaceOf: (index: number) => string | null = () => null,
): string {
  const text = new RuleText(family, setOf, interfaceOf);
  for (const expression of expressions) text.add(expression);
  return text.finish(comment);
}
