import type { Firewall, Nftables, NftChain } from '../../model/firewall.js';
import type { NftExpression, NftSet } from '../../model/ruleset.js';
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
          for (const { from, to } of rangesIn(expression, { nftables, family, table })) {
            starts.add(from);
            starts.add(to + 1);
          }
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

/** Values of the width of a port: whether they are ports does not matter, for more spans are as right. */
function* rangesIn(expression: NftExpression, place: Place): Generator<PortRange> {
  switch (expression.kind) {
    case 'cmp':
      yield* twoBytes(expression.data, expression.data);
      return;
    case 'range':
      yield* twoBytes(expression.from, expression.to);
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

function* twoBytes(from: string, to: string): Generator<PortRange> {
  const [first, last] = [bytesFromHex(from), bytesFromHex(to)];
  if (first.length === 2 && last.length === 2)
    yield { from: fromBigEndian(first), to: fromBigEndian(last) };
}

/** The fields of two bytes in the keys of a set; of a concatenation each begins at a word. */
function* keysOf({ keyLength, fields, keys, keyEnds, size }: NftSet): Generator<PortRange> {
  const lengths = fields.length > 0 ? fields : [keyLength];
  if (!lengths.includes(2)) return;
  const firsts = bytesFromBase64(keys);
  const lasts = keyEnds === null ? firsts : bytesFromBase64(keyEnds);
  for (let element = 0; element < size; element++) {
    let at = element * keyLength;
    for (const length of lengths) {
      if (length === 2)
        yield { from: fromBigEndian(firsts, at, 2), to: fromBigEndian(lasts, at, 2) };
      at += Math.ceil(length / 4) * 4;
    }
  }
}

/** struct xt_tcp, xt_udp and xt_multiport. */
function* matched(name: string, info: Info): Generator<PortRange> {
  if (name === 'tcp' || name === 'udp') yield { from: info.u16(4), to: info.u16(6) };
  if (name !== 'multiport') return;
  for (let place = 0; place < info.u8(1); place++) {
    const from = info.u16(2 + place * 2);
    const isOpen = info.u8(32 + place) !== 0;
    if (isOpen) place++;
    yield { from, to: isOpen ? info.u16(2 + place * 2) : from };
  }
}
