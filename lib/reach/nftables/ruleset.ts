import type { Firewall, Hook, Nftables, NftChain, NftFamily } from '../../model/firewall.js';
import type { NftExpression, NftRule, NftSet } from '../../model/ruleset.js';
import type { Family } from '../../model/socket.js';
import { compileExtension, type XtExpression } from '../xtables/compile.js';
import { IpSets } from '../xtables/ipset/sets.js';
import { chainsOf } from '../xtables/legacy.js';
import { printRule as printIptables } from '../xtables/print/rule.js';
import { type RuleTool, toolOf } from '../xtables/tool.js';
import { changesPacket, compile, hasEffect, type Names } from './compile.js';
import {
  type Condition,
  type ConditionTable,
  leadingConditions,
  sourcesAskedFor,
} from './conditions.js';
import { Fields } from './field.js';
import { printRule } from './print/rule.js';
import { loadsWhatItReads } from './reads.js';
import { RuleIndex } from './rule-index.js';
import type { Evaluate } from './run.js';
import { CompiledSet } from './sets.js';
import { trackedFamilies } from './tracking.js';

/** Where conntrack sees a packet first (NF_IP_PRI_CONNTRACK). */
const CONNTRACK_PRIORITY = -200;

/** Where NAT acts, whatever priority its chains have (NF_IP_PRI_NAT_DST, NF_IP_PRI_NAT_SRC). */
const natPriority: Partial<Record<Hook, number>> = {
  prerouting: -100,
  output: -100,
  input: 100,
  postrouting: 100,
};

/** A rule in its chain, ready to be asked. */
export class CompiledRule {
  /** Its expressions up to the last one that can do anything. */
  readonly expressions: readonly NftExpression[];
  readonly steps: readonly Evaluate[];
  /** It may change what rules behind it see of the packet. */
  readonly changesPacket: boolean;
  #text: string | null = null;

  constructor(
    readonly chain: CompiledChain,
    readonly rule: NftRule,
    private readonly tables: TableNames,
    /** Its place in the chain, counted from one. */
    readonly line: number,
  ) {
    const { expressions } = rule;
    let length = expressions.length;
    while (length > 0 && !hasEffect(expressions[length - 1]!)) length--;
    this.expressions = expressions.slice(0, length);
    this.steps = this.expressions.map((expression) => compile(expression, tables));
    this.changesPacket = this.expressions.some(changesPacket);
  }

  /** As the tool prints it that it was written with: nft(8), or iptables(8). */
  get text(): string {
    this.#text ??= this.#asIptables() ?? this.#asNft();
    return this.#text;
  }

  #asIptables(): string | null {
    const { tables, chain } = this;
    return tables.tool === 'nft' ? null : printIptables(this.rule, chain.chain, tables.ipsets);
  }

  #asNft(): string {
    return printRule(
      this.rule,
      this.chain.chain.family,
      (name) => this.tables.set(name)?.set ?? null,
      this.tables.interfaceOf,
    );
  }
}

/** Chains with fewer rules than these are gone through. */
const leastIndexed = 8;

/** So often a chain is gone through first: who asks once does not wait for an index. */
const leastAsked = 8;

/** A chain, whose rules are made ready when it is first asked. */
export class CompiledChain {
  #rules: readonly CompiledRule[] | null = null;
  #index: RuleIndex | null | undefined;
  #indexBesidePeers: RuleIndex | null | undefined;
  #name: string | null = null;
  #asked = 0;

  constructor(
    readonly chain: NftChain,
    readonly tables: TableNames,
  ) {}

  get rules(): readonly CompiledRule[] {
    this.#rules ??= this.chain.rules.map(
      (rule, place) => new CompiledRule(this, rule, this.tables, place + 1),
    );
    return this.#rules;
  }

  /** Its index, once it is asked often; who watches peers asks for many. */
  whenAsked(watchesPeer: boolean): RuleIndex | null {
    if (watchesPeer) return this.indexBesidePeers;
    return ++this.#asked <= leastAsked ? null : this.index;
  }

  /** Which rules to hold a packet against; `null` where it has to be all of them. */
  get index(): RuleIndex | null {
    if (this.#index === undefined) {
      const conditions = this.#leading();
      this.#index = conditions && new RuleIndex(conditions);
    }
    return this.#index;
  }

  /** The same, but that every rule which asks only for addresses is held against the packet. */
  get indexBesidePeers(): RuleIndex | null {
    if (this.#indexBesidePeers === undefined) {
      const conditions = this.#leading();
      const others = conditions?.map(
        (all) => all?.filter(({ field }) => !field.mayBePeers) ?? null,
      );
      const sources = conditions?.map((all) => sourcesAskedFor(all ?? []));
      this.#indexBesidePeers = others ? new RuleIndex(others, sources) : null;
    }
    return this.#indexBesidePeers;
  }

  /** The conditions that each rule begins with; `null` for a chain that is gone through. */
  #leading(): (Condition[] | null)[] | null {
    const { rules, tables } = this;
    if (rules.length < leastIndexed || !tables.loadsWhatItReads) return null;
    return rules.map(({ steps, expressions }) =>
      steps.length === 0 ? null : leadingConditions(expressions, tables),
    );
  }

  /** `inet filter input`, `iptables-legacy filter INPUT`. */
  get name(): string {
    const { family, table, name } = this.chain;
    const { tool } = this.tables;
    this.#name ??= `${tool === 'nft' ? family : tool} ${table} ${name}`;
    return this.#name;
  }
}

/** What stands at a hook, in the order in which a packet meets it. */
export type HookEntry =
  | { readonly kind: 'chain'; readonly priority: number; readonly chain: CompiledChain }
  | { readonly kind: 'conntrack'; readonly priority: number }
  | {
      readonly kind: 'nat';
      readonly priority: number;
      readonly chains: readonly CompiledChain[];
    };

type EntriesByHook = Partial<Record<Hook, readonly HookEntry[]>>;

/** The names of one table: chains, sets, objects. */
export class TableNames implements Names, ConditionTable {
  readonly chains = new Map<string, CompiledChain>();
  readonly fields = new Fields((expression) => compile(expression, this));
  #loadsWhatItReads: boolean | null = null;
  #changedSets: ReadonlySet<string> | null = null;
  readonly #sets = new Map<string, CompiledSet | null>();
  #byName: Map<string, NftSet> | null = null;
  #chainList: CompiledChain[] | null = null;
  #tool: RuleTool | null = null;

  constructor(
    private readonly nftables: Nftables,
    private readonly family: NftFamily,
    private readonly table: string,
    readonly interfaceOf: (index: number) => string | null,
    readonly ipsets: IpSets,
    private readonly isLegacy: boolean,
  ) {}

  get chainList(): readonly CompiledChain[] {
    this.#chainList ??= [...this.chains.values()];
    return this.#chainList;
  }

  get tool(): RuleTool {
    this.#tool ??= this.isLegacy
      ? this.family === 'ip'
        ? 'iptables-legacy'
        : 'ip6tables-legacy'
      : toolOf(this.chainList.map(({ chain }) => chain));
    return this.#tool;
  }

  extension(expression: XtExpression): Evaluate {
    return compileExtension(expression, this.family, this.ipsets);
  }

  set(name: string): CompiledSet | null {
    const known = this.#sets.get(name);
    if (known !== undefined) return known;
    const found = this.#mySets().get(name);
    const made = found ? new CompiledSet(found) : null;
    this.#sets.set(name, made);
    return made;
  }

  /** A table may have a set for each of ten thousand rules. */
  #mySets(): ReadonlyMap<string, NftSet> {
    if (!this.#byName) {
      this.#byName = new Map();
      for (const set of this.nftables.sets) {
        if (this.#isMine(set) && !this.#byName.has(set.name)) this.#byName.set(set.name, set);
      }
    }
    return this.#byName;
  }

  object(type: number | null, name: string): NftExpression | null | undefined {
    return this.nftables.objects.find(
      (object) =>
        object.name === name && (type === null || object.type === type) && this.#isMine(object),
    )?.expression;
  }

  /** No rule reads what another one has left in a register. */
  get loadsWhatItReads(): boolean {
    this.#loadsWhatItReads ??= this.#allRules().every(({ expressions }) =>
      loadsWhatItReads(
        expressions,
        (set) => this.set(set)?.keyLength ?? 0,
        (set) => this.set(set)?.set.dataLength ?? 0,
      ),
    );
    return this.#loadsWhatItReads;
  }

  isFixed(name: string): boolean {
    this.#changedSets ??= new Set(
      this.#allRules().flatMap(({ expressions }) =>
        expressions.flatMap((one) => (one.kind === 'dynset' ? [one.set] : [])),
      ),
    );
    return !this.#changedSets.has(name);
  }

  #allRules(): NftRule[] {
    return [...this.chains.values()].flatMap(({ chain }) => chain.rules);
  }

  #isMine({ family, table }: { family: NftFamily; table: string }): boolean {
    return family === this.family && table === this.table;
  }
}

/** All rules of a state, made ready once. */
export class Ruleset {
  /** No chain can do anything to any packet. */
  readonly idle: boolean;
  readonly #bases: CompiledChain[] = [];
  readonly #legacy: NftChain[] = [];
  #tracked: ReadonlySet<Family> | null = null;
  #guardsDevices: boolean | null = null;
  #hasUnevaluated: boolean | null = null;
  readonly #nftables: Nftables;
  /** By the name of the device, or '' for none. */
  readonly #entries: Readonly<Record<Family, Map<string, EntriesByHook>>> = {
    ipv4: new Map(),
    ipv6: new Map(),
  };

  constructor(
    { nftables, legacy, ipsets }: Firewall & { nftables: Nftables },
    interfaceOf: (index: number) => string | null = () => null,
  ) {
    this.#nftables = nftables;
    const sets = new IpSets(ipsets);
    const tables = new Map<string, TableNames>();
    const order = new Map<string, number>();
    const dormant = new Set<string>();
    for (const { family, name, handle, flags } of nftables.tables) {
      const key = `${family} ${name}`;
      order.set(key, handle);
      if (flags.includes('dormant')) dormant.add(key);
    }
    for (const chain of nftables.chains) {
      const key = `${chain.family} ${chain.table}`;
      const names =
        tables.get(key) ??
        new TableNames(nftables, chain.family, chain.table, interfaceOf, sets, false);
      tables.set(key, names);
      const compiled = new CompiledChain(chain, names);
      names.chains.set(chain.name, compiled);
      if (chain.base && !dormant.has(key)) this.#bases.push(compiled);
    }
    // Of equal priority, the hook that was registered last is asked first (nf_hook_entries_grow).
    const age = ({ chain }: CompiledChain) => order.get(`${chain.family} ${chain.table}`) ?? 0;
    this.#bases.sort(
      (one, other) =>
        one.chain.base!.priority - other.chain.base!.priority ||
        age(other) - age(one) ||
        other.chain.handle - one.chain.handle,
    );
    for (const family of ['ipv4', 'ipv6'] as const) {
      for (const table of legacy?.[family] ?? [])
        this.#addLegacy(chainsOf(table, family), nftables, interfaceOf, sets);
    }
    this.#bases.sort((one, other) => one.chain.base!.priority - other.chain.base!.priority);
    this.idle = this.#bases.every(isIdle);
  }

  #addLegacy(
    chains: readonly NftChain[],
    nftables: Nftables,
    interfaceOf: (index: number) => string | null,
    sets: IpSets,
  ): void {
    this.#legacy.push(...chains);
    const [first] = chains;
    if (!first) return;
    const names = new TableNames(nftables, first.family, first.table, interfaceOf, sets, true);
    for (const chain of chains) {
      const compiled = new CompiledChain(chain, names);
      names.chains.set(chain.name, compiled);
      if (chain.base) this.#bases.push(compiled);
    }
  }

  /** What a packet of a family meets at a hook; for ingress and egress, on that device. */
  at(hook: Hook, family: Family, device: string | null): readonly HookEntry[] {
    const name = device ?? '';
    const known = this.#entries[family].get(name)?.[hook];
    if (known) return known;
    const made = this.#entriesAt(hook, family, device);
    this.#entries[family].set(name, { ...this.#entries[family].get(name), [hook]: made });
    return made;
  }

  /** The chains of a family whose rules are not evaluated. */
  unevaluated(family: 'bridge' | 'arp', hook: Hook): CompiledChain[] {
    return this.#bases.filter(
      (base) => base.chain.family === family && base.chain.base!.hook === hook && !isIdle(base),
    );
  }

  /** Is there a chain of a family whose rules are not evaluated? */
  get hasUnevaluated(): boolean {
    this.#hasUnevaluated ??= this.#bases.some(
      (base) => (base.chain.family === 'bridge' || base.chain.family === 'arp') && !isIdle(base),
    );
    return this.#hasUnevaluated;
  }

  /** Is there a chain at the hooks of devices, which packets of every protocol pass? */
  get guardsDevices(): boolean {
    this.#guardsDevices ??= this.#bases.some(
      (base) =>
        (base.chain.base!.hook === 'ingress' || base.chain.base!.hook === 'egress') &&
        !isIdle(base),
    );
    return this.#guardsDevices;
  }

  /** The first chain of type nat makes NAT act at all its hooks (nf_nat_register_fn). */
  #hasNat(family: Family): boolean {
    const own = family === 'ipv4' ? 'ip' : 'ip6';
    return this.#bases.some(
      ({ chain }) =>
        chain.base!.type === 'nat' && (chain.family === own || chain.family === 'inet'),
    );
  }

  #tracks(family: Family): boolean {
    this.#tracked ??= trackedFamilies(this.#nftables, this.#legacy);
    return this.#tracked.has(family);
  }

  #entriesAt(hook: Hook, family: Family, device: string | null): HookEntry[] {
    const onDevice = hook === 'ingress' || hook === 'egress';
    const here = this.#bases.filter(({ chain }) => {
      const base = chain.base!;
      if (base.hook !== hook) return false;
      if (onDevice) return hooksInto(base.devices, device ?? '');
      if (chain.family === 'inet') return true;
      return chain.family === (family === 'ipv4' ? 'ip' : 'ip6');
    });
    const nats = here.filter(({ chain }) => chain.base!.type === 'nat');
    const entries: HookEntry[] = here
      .filter((base) => !nats.includes(base) && !isIdle(base))
      .map((chain) => ({ kind: 'chain', priority: chain.chain.base!.priority, chain }));
    if (hook === 'prerouting' || hook === 'output')
      entries.push({ kind: 'conntrack', priority: CONNTRACK_PRIORITY });
    const priority = natPriority[hook];
    if (priority !== undefined && this.#hasNat(family) && this.#tracks(family))
      entries.push({ kind: 'nat', priority, chains: nats });
    // What conntrack and NAT share their priority with came earlier, and is asked later.
    const rank = ({ kind }: HookEntry) => (kind === 'chain' ? 1 : 0);
    return entries
      .map((entry, index) => ({ entry, index }))
      .sort(
        (one, other) =>
          one.entry.priority - other.entry.priority ||
          rank(one.entry) - rank(other.entry) ||
          one.index - other.index,
      )
      .map(({ entry }) => entry);
  }
}

/** A star ends a name that stands for all that begin so (Linux 6.16). */
function hooksInto(devices: readonly string[], name: string): boolean {
  return devices.some((one) =>
    one.endsWith('*') ? name.startsWith(one.slice(0, -1)) : one === name,
  );
}

/** A base chain without rules does what its policy says; accept is nothing. */
function isIdle({ chain }: CompiledChain): boolean {
  return chain.rules.length === 0 && chain.base?.policy !== 'drop';
}
