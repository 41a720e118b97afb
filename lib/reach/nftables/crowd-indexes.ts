import { type AddressRange, commonRanges } from '../../model/prefix-set.js';
import type { Family } from '../../model/socket.js';
import { addressesOf, type Side } from './address-condition.js';
import type { Condition } from './conditions.js';
import { META } from './expressions/meta.js';
import type { Crowd } from './peer-watch.js';
import type { RuleIndex } from './rule-index.js';

/** The comparisons that a rule begins with; `null` for a rule that does nothing. */
export type RuleConditions = readonly Condition[] | null;

/** A comparison that a rule begins with: nobody outside of these addresses passes it. */
interface AddressTest {
  readonly rule: number;
  readonly addresses: readonly AddressRange[];
}

/** NFPROTO_IPV4, NFPROTO_IPV6. */
const protocolFamily = { ipv4: 2, ipv6: 10 } as const;

/**
 * A chain as those see it who stand behind one interface: its rules without those that begin with a
 * comparison of their address, or its family, which nobody of them passes. Such rules tell none of them apart, nor the
 * ports that they name.
 */
export class CrowdIndexes {
  readonly #tests = new Map<string, readonly AddressTest[]>();
  readonly #byCrowd = new WeakMap<Crowd, Map<string, RuleIndex>>();
  /** Many a crowd is left the same rules. */
  readonly #byRules = new Map<string, RuleIndex>();

  constructor(
    private readonly rules: readonly RuleConditions[],
    /** Of which rules the address does not decide whether they are asked. */
    private readonly beside: (rules: readonly RuleConditions[]) => RuleIndex,
  ) {}

  /** `side`: where in packets of this family the address of one of the crowd stands. */
  of(crowd: Crowd, family: Family, side: Side): RuleIndex {
    const name = `${family} ${side}`;
    const bySide = this.#byCrowd.get(crowd) ?? new Map<string, RuleIndex>();
    this.#byCrowd.set(crowd, bySide);
    const known = bySide.get(name);
    if (known) return known;
    const made = this.#make(crowd, family, side);
    bySide.set(name, made);
    return made;
  }

  #make({ everybody }: Crowd, family: Family, side: Side): RuleIndex {
    const idle = new Set<number>();
    for (const { rule, addresses } of this.#testsOf(family, side))
      if (!idle.has(rule) && commonRanges(addresses, everybody).length === 0) idle.add(rule);
    const name = [...idle].join();
    const known = this.#byRules.get(name);
    if (known) return known;
    const made = this.beside(this.rules.map((one, place) => (idle.has(place) ? null : one)));
    this.#byRules.set(name, made);
    return made;
  }

  #testsOf(family: Family, side: Side): readonly AddressTest[] {
    const name = `${family} ${side}`;
    const known = this.#tests.get(name);
    if (known) return known;
    const tests: AddressTest[] = [];
    for (const [rule, conditions] of this.rules.entries()) {
      for (const condition of conditions ?? []) {
        const addresses = asksForOther(condition, family)
          ? []
          : addressesOf(condition, family, side);
        if (addresses) tests.push({ rule, addresses });
      }
    }
    this.#tests.set(name, tests);
    return tests;
  }
}

/** Is it a comparison with the other protocol family? */
function asksForOther({ field: { recipe }, spans }: Condition, family: Family): boolean {
  const [load, ...more] = recipe;
  if (load?.kind !== 'meta' || load.key !== META.nfproto || more.length > 0) return false;
  return spans.every(({ from, to }) => from === to && from !== protocolFamily[family]);
}
