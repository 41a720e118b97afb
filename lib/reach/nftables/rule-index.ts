import type { Audience, RulesByPort, Sources, SourcesOf } from './audience.js';
import type { Condition, Span } from './conditions.js';
import { ABSENT, type Field, type FieldValues, type Key, UNCERTAIN } from './field.js';
import type { Run } from './run.js';

/** Fewer rules than these on one field are asked one by one. */
const leastRules = 4;

/** How many places a rule may have in a group of spans, taken over all of its rules. */
const mostPlaces = 16;

/** A run with what it knows of its packet. */
export interface IndexedRun extends Run {
  readonly values: FieldValues;
}

/**
 * Which rules of a chain a packet has to be held against. Most begin with a comparison that few
 * packets pass (`ip saddr …`, `tcp dport …`, `iifname …`): they are sorted by the values that they ask
 * for, and only those that ask for the packet's own are evaluated, in their order. All others would
 * have ended at that comparison, without a trace.
 */
export class RuleIndex {
  readonly #groups: readonly Group[];
  /** Rules that every packet is held against. */
  readonly #always: Int32Array;
  readonly #sourcesOf: SourcesOf;

  /**
   * The leading conditions of each rule, `null` for a rule that does nothing; and, for who watches
   * peers, the sources that each asks for.
   */
  constructor(
    rules: readonly (readonly Condition[] | null)[],
    sources: readonly (readonly Sources[])[] = [],
  ) {
    this.#sourcesOf = (place) => sources[place];
    const always: number[] = [];
    const groups = new Map<string, Member[]>();
    const variety = varietyOf(rules);
    for (const [place, conditions] of rules.entries()) {
      if (conditions === null) continue;
      const condition = mostSelective(conditions, variety);
      if (!condition) {
        always.push(place);
        continue;
      }
      const { field, family, protocol } = condition;
      const name = `${field.id} ${family?.key} ${protocol?.key} ${isPoint(condition)}`;
      const members = groups.get(name);
      if (members) members.push({ place, condition });
      else groups.set(name, [{ place, condition }]);
    }
    const made: Group[] = [];
    for (const members of groups.values()) {
      const group = members.length >= leastRules ? makeGroup(members) : null;
      if (group) made.push(group);
      else always.push(...members.map(({ place }) => place));
    }
    this.#groups = made;
    this.#always = Int32Array.from(always).sort();
  }

  /** The rules to ask, group by group; each list is in the order of the chain. */
  select(run: IndexedRun): Int32Array[] {
    const audience = audienceOf(run);
    const lists: Int32Array[] = [];
    const add = (list: Int32Array) => {
      const heeded = audience && list.length > 0 ? audience.heed(list, this.#sourcesOf) : list;
      if (heeded.length > 0) lists.push(heeded);
    };
    add(this.#always);
    for (const group of this.#groups) add(candidates(group, run, audience, this.#sourcesOf));
    return lists;
  }
}

/** The rules of a chain that a packet has to be held against, one after the other. */
export class Cursor {
  #lists: Int32Array[];
  #places: number[];
  #version: number;

  constructor(
    private readonly index: RuleIndex,
    private readonly run: IndexedRun,
  ) {
    this.#lists = index.select(run);
    this.#places = this.#lists.map(() => 0);
    this.#version = run.values.version;
  }

  /** The first such rule from a place of the chain on; -1 where there is none. Places only rise. */
  from(place: number): number {
    const { run } = this;
    if (run.values.version !== this.#version) {
      this.#lists = this.index.select(run);
      this.#places = this.#lists.map(() => 0);
      this.#version = run.values.version;
    }
    let first = -1;
    for (let number = 0; number < this.#lists.length; number++) {
      const list = this.#lists[number]!;
      let at = this.#places[number]!;
      if (at < list.length && list[at]! < place) at = atOrAfter(list, at, place);
      this.#places[number] = at;
      const candidate = list[at];
      if (candidate !== undefined && (first < 0 || candidate < first)) first = candidate;
    }
    return first;
  }
}

/** The place in a rising list of the first number that is not below another. */
function atOrAfter(list: Int32Array, from: number, least: number): number {
  if (list[from + 1] === undefined || list[from + 1]! >= least) return from + 1;
  let low = from + 1;
  let high = list.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (list[middle]! < least) low = middle + 1;
    else high = middle;
  }
  return low;
}

interface Member {
  readonly place: number;
  readonly condition: Condition;
}

/** Rules that begin alike and ask for different values of one field. */
interface Group extends RulesByPort {
  readonly field: Field;
  readonly before: readonly Field[];
  readonly family: Condition['family'];
  readonly protocol: Condition['protocol'];
  readonly all: Int32Array;
  at(key: Key): Int32Array;
}

const nobody = new Int32Array(0);

/** Whose packet it is, as long as its source is what it came with. */
function audienceOf({ peer, frame }: IndexedRun): Audience | null {
  const audience = peer?.audience;
  if (!audience || frame.isReply || !frame.hasPorts || frame.family !== audience.family)
    return null;
  return peer.isPeer(frame.tuple.source) ? audience : null;
}

function candidates(
  group: Group,
  run: IndexedRun,
  audience: Audience | null,
  sourcesOf: SourcesOf,
): Int32Array {
  const { values } = run;
  const { family, protocol, before } = group;
  if (family) {
    const key = values.of(family.field, run);
    if (key !== family.key && key !== UNCERTAIN) return nobody;
  }
  for (const field of before) if (values.of(field, run) === UNCERTAIN) return group.all;
  if (protocol && values.of(protocol.field, run) !== protocol.key) return nobody;
  const key = values.of(group.field, run);
  if (key === UNCERTAIN) return group.all;
  if (values.isPort(group.field))
    run.peer?.port?.asks(audience ? audience.question(group, sourcesOf) : group);
  return key === ABSENT ? nobody : group.at(key);
}

const isPoint = ({ spans }: Condition): boolean => spans.every(({ from, to }) => from === to);

/** How many different values rules ask for, by the field. */
function varietyOf(rules: readonly (readonly Condition[] | null)[]): Map<Field, number> {
  const values = new Map<Field, Set<Key>>();
  for (const conditions of rules) {
    for (const { field, spans } of conditions ?? []) {
      const known = values.get(field) ?? new Set();
      values.set(field, known);
      for (const { from } of spans) known.add(from);
    }
  }
  return new Map([...values].map(([field, { size }]) => [field, size]));
}

/** The condition that the fewest packets pass: the one of the field with the most values. */
function mostSelective(
  conditions: readonly Condition[],
  variety: ReadonlyMap<Field, number>,
): Condition | null {
  let best: Condition | null = null;
  let most = 1;
  for (const condition of conditions) {
    const values = variety.get(condition.field)! / Math.max(condition.spans.length, 1);
    if (values <= most) continue;
    best = condition;
    most = values;
  }
  return best;
}

/** Null where the spans lie over each other so much that lists of them would be too long. */
function makeGroup(members: readonly Member[]): Group | null {
  const { field, family, protocol } = members[0]!.condition;
  const at = isPoint(members[0]!.condition) ? byPoint(members) : bySpan(members);
  if (!at) return null;
  const before = new Set(members.flatMap(({ condition }) => condition.before));
  const all = Int32Array.from(members, ({ place }) => place);
  return { field, family, protocol, before: [...before], all, at, answer: at };
}

function byPoint(members: readonly Member[]): Group['at'] {
  const lists = new Map<Key, number[]>();
  for (const { place, condition } of members) {
    for (const { from } of condition.spans) {
      const list = lists.get(from);
      if (!list) lists.set(from, [place]);
      else if (list.at(-1) !== place) list.push(place);
    }
  }
  const once = eachOnce();
  const ready = new Map([...lists].map(([key, list]) => [key, once(list)]));
  return (key) => ready.get(key) ?? nobody;
}

/**
 * The ends of all spans cut the values into stretches: each end, and what lies between it and the
 * next. Each stretch has its rules.
 */
function bySpan(members: readonly Member[]): Group['at'] | null {
  const spans = members.flatMap(({ condition }) => condition.spans);
  const ends = [...new Set(spans.flatMap(({ from, to }) => (to === null ? [from] : [from, to])))];
  ends.sort((one, other) => (one < other ? -1 : 1));
  const numbers = new Map(ends.map((end, number) => [end, number]));
  const stretches: number[][] = Array.from({ length: 2 * ends.length }, () => []);
  const lastOf = ({ to, closed }: Span): number =>
    to === null ? stretches.length - 1 : 2 * numbers.get(to)! - (closed ? 0 : 1);
  let places = 0;
  for (const { place, condition } of members) {
    for (const span of condition.spans) {
      const last = lastOf(span);
      for (let number = 2 * numbers.get(span.from)!; number <= last; number++) {
        const list = stretches[number]!;
        if (list.at(-1) !== place) list.push(place);
        if (++places > mostPlaces * members.length + 1024) return null;
      }
    }
  }
  const ready = stretches.map(eachOnce());
  const sorted = ends.every((end) => typeof end === 'number') ? Float64Array.from(ends) : ends;
  return (key) => {
    const below = lastUpTo(sorted, key);
    if (below < 0) return nobody;
    return ready[sorted[below] === key ? 2 * below : 2 * below + 1]!;
  };
}

/** The place of the last of some rising keys that is not above another; -1 where there is none. */
function lastUpTo(keys: Float64Array | readonly Key[], key: Key): number {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (keys[middle]! <= key) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

/** Lists of rules, of which two that are the same are one: they are the answers to what is asked of a port. */
function eachOnce(): (list: readonly number[]) => Int32Array {
  const lists = new Map([['', nobody]]);
  return (list) => {
    const name = list.join();
    const known = lists.get(name) ?? Int32Array.from(list);
    lists.set(name, known);
    return known;
  };
}
