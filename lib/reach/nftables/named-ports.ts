import type { Firewall, Nftables, NftChain } from '../../model/firewall.js';
import type { NftComparison, NftExpression, NftSet } from '../../model/ruleset.js';
import type { PortRange } from '../../model/socket.js';
import { Info } from '../xtables/info.js';
import { chainsOf } from '../xtables/legacy.js';
import { bytesFromBase64, bytesFromHex, fromBigEndian } from './bytes.js';

/** Targets of xtables that give a packet another destination. */
const translating: ReadonlySet<string> = new Set(['DNAT', 'REDIRECT', 'NETMAP']);

/**
 * Spans of ports that all rules which may translate a destination treat alike: they end wherever such
 * a rule, or one asked before it, names a port. Empty where no rule translates any.
 */
export function portSpans(firewall: Firewall): PortRange[] {
  const { nftables } = firewall;
  if (!nftables) return [];
  const legacy = (['ipv4', 'ipv6'] as const).flatMap((family) =>
    (firewall.legacy?.[family] ?? []).map((table) => chainsOf(table, family)),
  );
  const tables = [...tablesOf(nftables), ...legacy];
  if (!tables.some((chains) => chains.some(translates))) return [];
  const starts = new Set([1]);
  for (const chains of tables) {
    if (!chains.some(isAskedEarly)) continue;
    for (const { rules, family, table } of chains)
      for (const { expressions } of rules)
        for (const expression of expressions)
          for (const start of startsIn(expression, { nftables, family, table })) starts.add(start);
  }
  const sorted = [...starts].filter((port) => port >= 1 && port <= 65_535).sort((a, b) => a - b);
  return sorted.map((from, place) => ({ from, to: (sorted[place + 1] ?? 65_536) - 1 }));
}

function tablesOf({ chains }: Nftables): NftChain[][] {
  const tables = new Map<string, NftChain[]>();
  for (const chain of chains) {
    const key = `${chain.family} ${chain.table}`;
    const known = tables.get(key);
    if (known) known.push(chain);
    else tables.set(key, [chain]);
  }
  return [...tables.values()];
}

function translates({ rules }: NftChain): boolean {
  return rules.some(({ expressions }) =>
    expressions.some(
      (one) =>
        (one.kind === 'nat' && one.type === 'dnat') ||
        one.kind === 'redirect' ||
        (one.kind === 'target' && translating.has(one.name)),
    ),
  );
}

/** Chains that are asked before a destination is translated, or that translate it. */
function isAskedEarly({ base }: NftChain): boolean {
  if (base === null) return false;
  const { hook, type } = base;
  return hook === 'prerouting' || hook === 'ingress' || (hook === 'output' && type === 'nat');
}

interface Place {
  readonly nftables: Nftables;
  readonly family: NftChain['family'];
  readonly table: string;
}

/**
 * The ports at which an answer may change. Every value of the width of a port is taken for one: more
 * spans are as right.
 */
function* startsIn(expression: NftExpression, place: Place): Generator<number> {
  switch (expression.kind) {
    case 'cmp':
      yield* comparedWith(expression.op, portOf(expression.data));
      return;
    case 'range':
      yield* ends(portOf(expression.from), portOf(expression.to));
      return;
    case 'lookup': {
      const { nftables, family, table } = place;
      const set = nftables.sets.find(
        (one) => one.name === expression.set && one.table === table && one.family === family,
      );
      if (set) yield* keysOf(set);
      return;
    }
    case 'match':
      yield* matched(expression.name, new Info(expression.info));
      return;
    default:
      return;
  }
}

function portOf(hex: string): number | null {
  return hex.length === 4 ? fromBigEndian(bytesFromHex(hex)) : null;
}

function* ends(first: number | null, last: number | null): Generator<number> {
  if (first === null || last === null) return;
  yield first;
  yield last + 1;
}

function* comparedWith(op: NftComparison, port: number | null): Generator<number> {
  if (port === null) return;
  if (op !== 'gt' && op !== 'lte') yield port;
  if (op !== 'gte' && op !== 'lt') yield port + 1;
}

/**
 * The fields of two bytes in the keys of a set; of a concatenation each begins at a word. The keys of
 * a set of intervals are where these begin, and where they are over.
 */
function* keysOf({ keyLength, fields, keys, keyEnds, size, flags }: NftSet): Generator<number> {
  const lengths = fields.length > 0 ? fields : [keyLength];
  if (!lengths.includes(2)) return;
  const firsts = bytesFromBase64(keys);
  const lasts = keyEnds === null ? firsts : bytesFromBase64(keyEnds);
  const startsAlone = flags.includes('interval') && keyEnds === null;
  for (let element = 0; element < size; element++) {
    let at = element * keyLength;
    for (const length of lengths) {
      if (length === 2) {
        yield fromBigEndian(firsts, at, 2);
        if (!startsAlone) yield fromBigEndian(lasts, at, 2) + 1;
      }
      at += Math.ceil(length / 4) * 4;
    }
  }
}

/** struct xt_tcp, xt_udp and xt_multiport. */
function* matched(name: string, info: Info): Generator<number> {
  if (name === 'tcp' || name === 'udp') yield* ends(info.u16(4), info.u16(6));
  if (name !== 'multiport') return;
  for (let place = 0; place < info.u8(1); place++) {
    const from = info.u16(2 + place * 2);
    const isOpen = info.u8(32 + place) !== 0;
    if (isOpen) place++;
    yield* ends(from, isOpen ? info.u16(2 + place * 2) : from);
  }
}
