import { type Address, parseAddress, parsePrefix, unspecified } from '../model/address.js';
import type { HostState } from '../model/host-state.js';
import type { NextHop, Route, RouteType } from '../model/route.js';
import { impliedRules, type Rule, takesEveryPacket } from '../model/rule.js';
import type { Family } from '../model/socket.js';
import { type Device, LOOPBACK_INDEX } from './device.js';
import { Fib, type Found, type RouteError, type RouteKey } from './fib.js';
import { matches, type ReadyRule } from './ready-rule.js';
import { SharedNextHops } from './shared-nexthops.js';

const localTable = 255;
const mainTable = 254;
const defaultTable = 253;

/** What routing says: a way, or a refusal and who spoke it. */
export type RoutingAnswer =
  | { readonly kind: 'found'; readonly found: Found; readonly rule: Rule | null }
  | {
      readonly kind: 'refused';
      readonly error: RouteError;
      /** The route that refuses; null where a rule does, or where there simply is no route. */
      readonly route: Route | null;
      readonly rule: Rule | null;
    }
  /** What it depends on that is not known here. */
  | { readonly kind: 'unknown'; readonly what: string };

interface Merged {
  readonly main: Fib;
  readonly fallback: Fib | undefined;
}

/** The policy rules and routing tables of one family. */
export class Policy {
  readonly #tables = new Map<number, Fib>();
  readonly #rules: ReadyRule[];
  /** IPv4 without custom rules: local and main are one trie, see `lookup`. */
  readonly #merged: Merged | null;
  /** The rules are asked, or were once: see `HostState.customRules`. */
  readonly #asksRules: boolean;
  /** What a look-up that asks about an address alone leaves open. */
  readonly #anyPacket: RouteKey;
  /** The IPv4 addresses of all interfaces. */
  readonly #assigned: ReadonlySet<number>;
  /** True where a rule looks at the mark of a packet. */
  readonly looksAtMarks: boolean;
  /**
   * Ports of what comes in, and for IPv4 its protocol, are looked up for the rules at all
   * (fib_rule_requires_fldissect): not where only rules for packets of this host select by them.
   */
  readonly readsPorts: boolean;
  /** True where a rule or a route looks at the source of a packet. */
  readonly looksAtSources: boolean;
  /** IPv4: rules that there are or were, or local routes of somebody's own, make source validation look at the routes. */
  readonly validatesFully: boolean;
  /** The VRF of every interface that is one or a port of one, by index; null where there is none. */
  readonly #vrfs: ReadonlyMap<number, Device> | null;
  /** What results of IPv6 share; IPv4's are of the route itself. */
  readonly #shared: SharedNextHops | null;

  constructor(
    readonly family: Family,
    state: HostState,
    readonly devices: ReadonlyMap<string, Device>,
  ) {
    const routes = state.routes.filter((route) => route.family === family);
    const byTable = new Map<number, Route[]>();
    for (const route of routes) {
      const table = byTable.get(route.table);
      if (table) table.push(route);
      else byTable.set(route.table, [route]);
    }
    for (const [id, table] of byTable) this.#tables.set(id, new Fib(table, devices));
    this.#shared = family === 'ipv6' ? new SharedNextHops(routes) : null;
    this.#assigned = new Set(assignedIpv4(state));
    const none = unspecified(family);
    this.#anyPacket = { ...anyPacket, destination: none, source: none };
    this.#vrfs = vrfsByIndex(devices);
    const asked = state.customRules?.[family] ?? null;
    const listed = state.rules.filter((rule) => rule.family === family);
    const rules = family === 'ipv6' && asked === false ? impliedRules(family) : listed;
    this.#rules = rules.map((rule) => this.#ready(rule, rules));
    const custom = asked ?? !onlyDefaultRules(family, rules);
    this.#asksRules = custom;
    this.#merged =
      family === 'ipv4' && !custom
        ? {
            main: new Fib(
              [...(byTable.get(localTable) ?? []), ...(byTable.get(mainTable) ?? [])],
              devices,
            ),
            fallback: this.#tables.get(defaultTable),
          }
        : null;
    this.looksAtMarks = rules.some((rule) => rule.mark !== null);
    this.readsPorts = this.#rules.some(
      ({ rule: { ipProtocol, sourcePort, destinationPort }, input }) =>
        input !== LOOPBACK_INDEX &&
        (ipProtocol !== null || sourcePort !== null || destinationPort !== null),
    );
    this.looksAtSources =
      rules.some((rule) => rule.from !== null) || routes.some((one) => one.sourcePrefix !== null);
    const kernelMade = 2; // RTPROT_KERNEL
    this.validatesFully =
      custom || routes.some((route) => route.type === 'local' && route.protocol !== kernelMade);
  }

  /** fib_lookup and fib6_rule_lookup. `preferred` is the interface that IPv6 scores higher. */
  lookup(asked: RouteKey, wanted?: number, ignoreLinkState = false): RoutingAnswer {
    const key = this.#vrfs ? insideVrf(asked, this.#vrfs) : asked;
    const preferred = wanted ?? key.output;
    if (this.#merged) return lookupMerged(this.#merged, key, ignoreLinkState);
    for (let place = 0; place < this.#rules.length; place++) {
      let ready = this.#rules[place] as ReadyRule;
      let verdict = matches(ready, key);
      while (verdict === true && ready.rule.action === 'goto' && ready.target > place) {
        place = ready.target;
        ready = this.#rules[place] as ReadyRule;
        verdict = matches(ready, key);
      }
      if (verdict === 'unknown') {
        const what = `policy rule ${ready.rule.priority} selects by something that is not known here`;
        return { kind: 'unknown', what };
      }
      if (!verdict) continue;
      const answer = this.#act(ready.rule, key, preferred, ignoreLinkState);
      if (answer) return answer;
    }
    return { kind: 'refused', error: 'ENETUNREACH', route: null, rule: null };
  }

  /** What one matching rule makes of the look-up; null: go on with the next rule. */
  #act(
    rule: Rule,
    key: RouteKey,
    preferred: number,
    ignoreLinkState: boolean,
  ): RoutingAnswer | null {
    switch (rule.action) {
      case 'goto': // its target is gone
      case 'nop':
        return null;
      case 'unreachable':
        return { kind: 'refused', error: 'ENETUNREACH', route: null, rule };
      case 'prohibit':
        return { kind: 'refused', error: 'EACCES', route: null, rule };
      case 'blackhole':
        return { kind: 'refused', error: 'EINVAL', route: null, rule };
      case 'lookup':
    }
    const id = rule.l3mdev ? this.#vrfTable(key) : rule.table;
    const table = id === null ? undefined : this.#tables.get(id);
    if (!table) return null;
    const ipv4 = this.family === 'ipv4';
    const answer = ipv4 ? table.lookup4(key, ignoreLinkState) : table.lookup6(key, preferred);
    if (answer === 'again') return null;
    if ('refused' in answer)
      return { kind: 'refused', error: answer.refused, route: answer.route, rule };
    // Where rules are asked, a device that has lost its IPv6 is no way out (__fib6_rule_action).
    if (!ipv4 && this.#asksRules && answer.device?.link.ipv6 === null) return null;
    const suppressed = this.#isSuppressed(rule, answer);
    if (typeof suppressed === 'string') return { kind: 'unknown', what: suppressed };
    if (suppressed) return null;
    const { route } = answer;
    const types = this.#shared?.of(route)?.types.size ?? 1;
    if (types > 1) return { kind: 'unknown', what: cachedResult(route) };
    return { kind: 'found', found: answer, rule };
  }

  /** Does the rule pass a result over (fib4_rule_suppress, fib6_rule_suppress)? Or what decides that. */
  #isSuppressed(rule: Rule, found: Found): boolean | string {
    const length = rule.suppressPrefixLength;
    if (length !== null) {
      const { shortest, longest } = this.#shared?.of(found.route) ?? {
        shortest: found.prefixLength,
        longest: found.prefixLength,
      };
      if (longest <= length) return true;
      if (shortest <= length) return cachedResult(found.route);
    }
    const suppressed = this.#inSuppressedGroup(rule, found);
    if (suppressed !== 'unknown') return suppressed;
    return `which way of ${found.route.destination} a hash chooses: policy rule ${rule.priority} passes some over`;
  }

  /**
   * Does the result leave by an interface of the group that the rule passes over? fib4_rule_suppress
   * looks at the first way of a route, fib6_rule_suppress at the one chosen by a hash of the flow.
   */
  #inSuppressedGroup(rule: Rule, { route, device }: Found): boolean | 'unknown' {
    const group = rule.suppressInterfaceGroup;
    if (group === null) return false;
    const isIn = ({ interface: name }: NextHop) =>
      this.devices.get(name ?? '')?.link.group === group;
    const ways = route.nexthops;
    if (ways.length < 2) return device?.link.group === group;
    if (this.family === 'ipv4') return isIn(ways[0]!);
    return ways.every(isIn) || (ways.some(isIn) ? 'unknown' : false);
  }

  /** The preferred sources that a result may name, `null` for none: of more than one the cache decides. */
  preferredSources({ route }: Found): readonly (string | null)[] {
    const shared = this.#shared?.of(route);
    return shared ? [...shared.preferredSources] : [route.preferredSource];
  }

  /** Is it an address of this host (inet_addr_type)? One in another table than `local` is not. */
  isLocal(address: Address): boolean {
    return this.localEntry(address)?.route.type === 'local';
  }

  /** The route that the table `local` has for an address; null where it has none. */
  localEntry(address: Address): Found | null {
    return this.#entryIn(this.#localTable, address);
  }

  /**
   * The type of the route to an address in the local table, or in that of a VRF (inet_addr_type_table);
   * `null` where it holds none to it that is a way, and `'no-table'` where it holds none at all.
   */
  addressType(address: Address, vrfTable?: number): RouteType | 'no-table' | null {
    const table = vrfTable === undefined ? this.#localTable : this.#tables.get(vrfTable);
    if (!table || table.isEmpty) return 'no-table';
    return this.#entryIn(table, address)?.route.type ?? null;
  }

  get #localTable(): Fib | undefined {
    return this.#merged?.main ?? this.#tables.get(localTable);
  }

  #entryIn(table: Fib | undefined, address: Address): Found | null {
    if (!table) return null;
    const key = this.#anyPacket;
    key.destination = address;
    const answer = this.family === 'ipv4' ? table.lookup4(key, false) : table.lookup6(key, 0);
    return answer !== 'again' && 'prefixLength' in answer ? answer : null;
  }

  /**
   * May it be the source of a packet (__ip_dev_find in net/ipv4/devinet.c)? An address of an
   * interface that is down may, though it is not local then.
   */
  mayBeSource(address: Address): boolean {
    return (address.family === 'ipv4' && this.#assigned.has(address.a)) || this.isLocal(address);
  }

  #vrfTable(key: RouteKey): number | null {
    return this.#vrfs?.get(key.l3mdev ?? 0)?.link.vrfTable ?? null;
  }

  #isVrf(name: string | null): boolean {
    return name !== null && this.devices.get(name)?.link.vrfTable != null;
  }

  #ready(rule: Rule, all: readonly Rule[]): ReadyRule {
    const indexOf = (name: string | null, detached: boolean) =>
      name === null ? 0 : detached ? -1 : (this.devices.get(name)?.index ?? -1);
    return {
      rule,
      from: rule.from === null ? null : parsePrefix(rule.from),
      to: rule.to === null ? null : parsePrefix(rule.to),
      input: indexOf(rule.inputInterface, rule.inputDetached),
      output: indexOf(rule.outputInterface, rule.outputDetached),
      inputIsVrf: this.#isVrf(rule.inputInterface),
      outputIsVrf: this.#isVrf(rule.outputInterface),
      target: rule.goto === null ? -1 : all.findIndex((other) => other.priority === rule.goto),
    };
  }
}

/** What a result of a shared nexthop object is, in words. */
export function cachedResult({ nexthopId }: Route): string {
  return `which of the routes by nexthop object ${nexthopId} was looked up first: the kernel keeps its result for all of them`;
}

function assignedIpv4({ interfaces }: HostState): number[] {
  return interfaces
    .flatMap(({ addresses }) => addresses.map((entry) => parseAddress(entry.address)))
    .flatMap((address) => (address?.family === 'ipv4' ? [address.a] : []));
}

const anyPacket = {
  input: 0,
  output: 0,
  strict: false,
  mark: 0,
  tos: 0,
  protocol: 0,
  sourcePort: 0,
  destinationPort: 0,
  uid: 0,
} as const;

/** What may be known of a packet that this host sends, besides whom it is for. */
type Known = Partial<Pick<RouteKey, 'source' | 'output' | 'strict' | 'mark' | 'uid'>>;

/** A key for what this host sends to an address, of which nothing is known but what is said besides. */
export function keyTo(destination: Address, known: Known = {}): RouteKey {
  // Every key has its fields in one order: look-ups are many, and quick with objects of one shape.
  return {
    destination,
    source: known.source ?? unspecified(destination.family),
    input: LOOPBACK_INDEX,
    output: known.output ?? 0,
    strict: known.strict ?? false,
    mark: known.mark ?? 0,
    tos: 0,
    protocol: 0,
    sourcePort: 0,
    destinationPort: 0,
    uid: known.uid ?? 0,
  };
}

function vrfsByIndex(devices: ReadonlyMap<string, Device>): ReadonlyMap<number, Device> | null {
  const vrfs = new Map<number, Device>();
  for (const device of devices.values()) {
    const vrf = device.link.vrfTable === null ? device.vrf : device;
    if (vrf) vrfs.set(device.index, vrf);
  }
  return vrfs.size > 0 ? vrfs : null;
}

/**
 * Which VRF's table is asked, by the interface that the packet leaves by or came in on; the VRF
 * itself is no way out, any of its ports is (l3mdev_update_flow in net/l3mdev/l3mdev.c).
 */
function insideVrf(key: RouteKey, vrfs: ReadonlyMap<number, Device>): RouteKey {
  if (key.output !== 0) {
    const vrf = vrfs.get(key.output);
    if (!vrf) return key;
    const output = vrf.index === key.output ? 0 : key.output;
    return key.l3mdev
      ? { ...key, output }
      : { ...key, output, l3mdev: vrf.index, l3mdevByOutput: true };
  }
  const vrf = key.l3mdev ? undefined : vrfs.get(key.input);
  return vrf ? { ...key, l3mdev: vrf.index } : key;
}

/** The rules that a namespace starts with, and nothing else. */
function onlyDefaultRules(family: Family, rules: readonly Rule[]): boolean {
  const expected = [
    [0, localTable],
    [32766, mainTable],
    ...(family === 'ipv4' ? [[32767, defaultTable] as const] : []),
  ] as const;
  return (
    rules.length === expected.length &&
    expected.every(([priority, table], place) => {
      const rule = rules[place] as Rule;
      return rule.priority === priority && rule.table === table && takesEveryPacket(rule);
    })
  );
}

/**
 * Until there are custom rules the kernel keeps IPv4's local and main tables in one trie and asks no rules
 * (fib_lookup in include/net/ip_fib.h): a longer prefix in main beats a local route.
 */
function lookupMerged(merged: Merged, key: RouteKey, ignoreLinkState: boolean): RoutingAnswer {
  const { main, fallback } = merged;
  let answer = main.lookup4(key, ignoreLinkState);
  if (answer === 'again' && fallback) answer = fallback.lookup4(key, ignoreLinkState);
  if (answer === 'again') return { kind: 'refused', error: 'ENETUNREACH', route: null, rule: null };
  if ('refused' in answer)
    return { kind: 'refused', error: answer.refused, route: answer.route, rule: null };
  return { kind: 'found', found: answer, rule: null };
}
