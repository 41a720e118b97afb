import type { AddressRange } from '../../model/prefix-set.js';
import type { NftExpression } from '../../model/ruleset.js';
import type { Family } from '../../model/socket.js';
import type { Sources } from './audience.js';
import { bytesFromHex } from './bytes.js';
import { CT } from './expressions/ct.js';
import { META } from './expressions/meta.js';
import type { Field, Fields, Key } from './field.js';
import { keyOf } from './field.js';
import { registersOf, type Stretch, wholeWords } from './reads.js';
import type { CompiledSet } from './sets.js';

/** Values from one on: up to another, included or not, or (`null`) without an end. */
export interface Span {
  readonly from: Key;
  readonly to: Key | null;
  readonly closed: boolean;
}

/** A value that a rule asks for before anything else of the kind: whoever has another is done with it. */
export interface Gate {
  readonly field: Field;
  readonly key: Key;
}

/** One of the comparisons that a rule begins with: it ends the rule unless the field has such a value. */
export interface Condition {
  readonly field: Field;
  readonly spans: readonly Span[];
  /** Fields that the rule loads before: where one of them is uncertain, so is what happens first. */
  readonly before: readonly Field[];
  /** The protocol family that the rule has asked for before; `null` for none. */
  readonly family: Gate | null;
  /** The same for the transport protocol. */
  readonly protocol: Gate | null;
}

/** What conditions need to know of their table. */
export interface ConditionTable {
  readonly fields: Fields;
  set(name: string): CompiledSet | null;
  /** No rule adds to the set or deletes from it. */
  isFixed(name: string): boolean;
}

const NFPROTO_IPV4 = 2;
const NFPROTO_IPV6 = 10;

/** Sets with more elements than these are asked, not taken apart. */
const mostElements = 256;

/**
 * The comparisons that a rule begins with, as far as nothing stands before them that does anything
 * or depends on what cannot be known.
 */
export function leadingConditions(
  expressions: readonly NftExpression[],
  table: ConditionTable,
): Condition[] {
  const conditions: Condition[] = [];
  const loaded = new Loaded();
  const before: Field[] = [];
  let family: Gate | null = null;
  let protocol: Gate | null = null;
  const add = (recipe: Recipe, length: number, spans: readonly Span[] | null): void => {
    if (!spans) return;
    const field = table.fields.of(recipe, length);
    conditions.push({ field, spans, before: [...before], family, protocol });
    const [first] = recipe;
    if (recipe.length > 1 || first?.kind !== 'meta' || !isOneValue(spans)) return;
    const gate = { field, key: spans[0]!.from };
    if (first.key === META.nfproto && before.length === 1) family ??= gate;
    if (first.key === META.l4proto) protocol ??= gate;
  };
  for (const expression of expressions) {
    switch (expression.kind) {
      case 'counter':
      case 'log':
      case 'last':
        continue;
      case 'match':
        // It matches whatever there is.
        if (expression.name === 'comment' && expression.revision === 0) continue;
        return conditions;
      case 'payload':
      case 'meta':
      case 'ct':
      case 'exthdr': {
        const { writes } = registersOf(expression, none, none);
        if (!writes || !isPlain(expression) || !loaded.isCertain) return conditions;
        const recipe = [{ ...expression, destination: 0 }];
        loaded.write(writes, recipe);
        if (isUsual(expression)) before.push(table.fields.of(recipe, writes.length));
        else loaded.isCertain = false;
        continue;
      }
      case 'bitwise':
      case 'byteorder': {
        const { source, destination, length } = expression;
        const recipe = loaded.recipe({ word: source, length });
        if (!recipe || (expression.kind === 'bitwise' && expression.source2 !== null))
          return conditions;
        loaded.write({ word: destination, length }, [
          ...recipe,
          { ...expression, source: 0, destination: 0 },
        ]);
        continue;
      }
      case 'immediate':
        if (expression.destination === 'verdict' || 'verdict' in expression.data) return conditions;
        loaded.write(
          { word: expression.destination, length: expression.data.value.length / 2 },
          null,
        );
        continue;
      case 'cmp': {
        const { source, op, data } = expression;
        const bytes = bytesFromHex(data);
        const recipe = loaded.recipe({ word: source, length: bytes.length });
        if (!recipe) return conditions;
        const key = keyOf(bytes, 0, bytes.length);
        if (op === 'eq') add(recipe, bytes.length, [{ from: key, to: key, closed: true }]);
        break;
      }
      case 'range': {
        const { source, op, from, to } = expression;
        const ends = [bytesFromHex(from), bytesFromHex(to)] as const;
        const { length } = ends[0];
        const recipe = loaded.recipe({ word: source, length });
        if (!recipe || ends[1].length !== length) return conditions;
        const [first, last] = ends.map((end) => keyOf(end, 0, length)) as [Key, Key];
        if (op === 'eq') add(recipe, length, [{ from: first, to: last, closed: true }]);
        break;
      }
      case 'lookup': {
        const set = table.set(expression.set);
        if (!set || !table.isFixed(expression.set)) return conditions;
        const recipe = loaded.recipe({ word: expression.source, length: set.keyLength });
        if (recipe && !expression.invert) add(recipe, set.keyLength, set.spans(mostElements));
        if (expression.destination !== null || set.isOpaque || set.hasExpressions)
          return conditions;
        break;
      }
      default:
        return conditions;
    }
    // What compares a value that is not certain may go either way.
    if (!loaded.isCertain) return conditions;
  }
  return conditions;
}

const isOneValue = (spans: readonly Span[]): boolean =>
  spans.length === 1 && spans[0]!.from === spans[0]!.to;

type Recipe = readonly NftExpression[];

/** What the registers hold, each stretch by how it was made. */
class Loaded {
  /** Nothing was loaded that is often not known. */
  isCertain = true;
  #stretches: (Stretch & { readonly recipe: Recipe | null })[] = [];

  write({ word, length }: Stretch, recipe: Recipe | null): void {
    const end = word + wholeWords(length) / 4;
    this.#stretches = this.#stretches.filter(
      (one) => one.word + wholeWords(one.length) / 4 <= word || one.word >= end,
    );
    this.#stretches.push({ word, length, recipe });
  }

  /** How the bytes were made that stand there; `null` where they are no one thing. */
  recipe({ word, length }: Stretch): Recipe | null {
    const found = this.#stretches.find((one) => one.word === word);
    return found && length > 0 && length <= wholeWords(found.length) ? found.recipe : null;
  }
}

const none = (): number => 0;

type Load = Extract<NftExpression, { kind: 'payload' | 'meta' | 'ct' | 'exthdr' }>;

/** Does it load a value, and nothing else? */
function isPlain(load: Load): boolean {
  return load.kind !== 'ct' || plainConnectionKeys.has(load.key);
}

const plainConnectionKeys: ReadonlySet<number> = new Set([
  CT.state,
  CT.direction,
  CT.status,
  CT.mark,
  CT.l3protocol,
  CT.protocol,
  CT.zone,
]);

const usualMeta: ReadonlySet<number> = new Set([
  META.protocol,
  META.mark,
  META.iif,
  META.oif,
  META.iifname,
  META.oifname,
  META.nfproto,
  META.l4proto,
  META.pkttype,
]);

/** Is it a value that is nearly always known? Comparisons behind any other are not looked at. */
function isUsual(load: Load): boolean {
  switch (load.kind) {
    case 'meta':
      return usualMeta.has(load.key);
    case 'payload':
      if (load.base === 'transport') return load.offset + load.length <= 4;
      return load.base === 'network' && isAddress(load);
    case 'ct':
      return load.key === CT.state || load.key === CT.mark;
    case 'exthdr':
      return false;
  }
}

/** Addresses and the protocol, of IPv4 or of IPv6; a byte of IPv6's may be the time to live of IPv4. */
function isAddress({ offset, length }: { offset: number; length: number }): boolean {
  const end = offset + length;
  if (length === 1) return offset === 9 || offset === 6;
  return offset >= 8 && end <= 40;
}

/** The sources that a rule asks for before anything that may not be known. */
export function sourcesAskedFor(conditions: readonly Condition[]): Sources[] {
  return conditions.flatMap(({ field, spans, before }): Sources[] => {
    if (before.some(({ isSure }) => !isSure)) return [];
    const { sourceOf: family, isFamily, length } = field;
    if (family !== null)
      return [{ family, ranges: spans.map((span) => rangeOf(span, length, family)) }];
    return isFamily && isOneValue(spans) ? nobodyOfAnother(spans[0]!.from) : [];
  });
}

/** By the number of the one family that is asked for: nobody of the other. */
function nobodyOfAnother(family: Key): Sources[] {
  if (family === NFPROTO_IPV4) return [{ family: 'ipv6', ranges: [] }];
  return family === NFPROTO_IPV6 ? [{ family: 'ipv4', ranges: [] }] : [];
}

/** The addresses that begin with a value of a span. */
function rangeOf({ from, to, closed }: Span, length: number, family: Family): AddressRange {
  const rest = BigInt(((family === 'ipv4' ? 4 : 16) - length) * 8);
  const first = numberOf(from) << rest;
  const end = to === null ? 1n << BigInt(length * 8) : numberOf(to) + (closed ? 1n : 0n);
  return { first, last: (end << rest) - 1n };
}

function numberOf(key: Key): bigint {
  if (typeof key === 'number') return BigInt(key);
  let number = 0n;
  for (let index = 0; index < key.length; index++)
    number = (number << 8n) | BigInt(key.charCodeAt(index));
  return number;
}
