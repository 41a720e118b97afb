import type { Hook } from '../../model/firewall.js';
import type { Family } from '../../model/socket.js';
import type { LegacyChain, LegacyRule } from '../../model/xtables.js';
import type { XtablesBytes } from '../../native.js';
import { Bytes } from '../netlink-message.js';
import { decodeEntry, type Entry } from './entry.js';

/*
 * struct ipt_getinfo: name:32, valid_hooks:u32, hook_entry:5 × u32, underflow:5 × u32,
 * num_entries:u32, size:u32. A table's entries are one list. Each of its hooks says where in it the
 * chain begins and where its policy stands, which ends it; a chain of the user's own begins behind
 * an entry that names it, and ends with one that returns.
 */
const VALID_HOOKS = 32;
const HOOK_ENTRY = 36;
const UNDERFLOW = 56;
const SIZE = 80;

/** NF_INET_*, and what iptables(8) calls the chains there. */
const HOOKS: readonly (readonly [Hook, string])[] = [
  ['prerouting', 'PREROUTING'],
  ['input', 'INPUT'],
  ['forward', 'FORWARD'],
  ['output', 'OUTPUT'],
  ['postrouting', 'POSTROUTING'],
];

/** The chains of a table; throws an `EarshotError` where the bytes are not of their form. */
export function decodeTable(
  { info, entries }: XtablesBytes,
  family: Family,
  littleEndian?: boolean,
): LegacyChain[] {
  const told = Bytes.of(info, 'iptables tables', littleEndian);
  const bytes = Bytes.of(entries, 'iptables rules', littleEndian);
  const size = told.u32(SIZE);
  if (size !== bytes.length) throw bytes.malformed(0, `${bytes.length} bytes of ${size}`);
  const list: Entry[] = [];
  for (let at = 0; at < bytes.length; at = list.at(-1)!.end)
    list.push(decodeEntry(bytes, at, family));
  const places = new Map(list.map(({ offset }, place) => [offset, place]));
  const placeOf = (offset: number): number => {
    const place = places.get(offset);
    if (place === undefined) throw bytes.malformed(offset, 'no entry begins');
    return place;
  };

  // The last entry names no chain but ends the table.
  const heads = list.flatMap((entry, place) =>
    entry.target.kind === 'head' && place < list.length - 1
      ? [{ name: entry.target.name, first: place + 1 }]
      : [],
  );
  const ends = [...heads.slice(1).map(({ first }) => first - 1), list.length - 1];
  const named = new Map(heads.map(({ name, first }) => [first, name]));
  const rulesFrom = (first: number, end: number): LegacyRule[] =>
    list.slice(first, end).map((entry, place) => {
      const next = list[first + place + 1]?.offset;
      return { ...entry.rule, target: targetOf(entry, next, (to) => named.get(placeOf(to))) };
    });
  const chains: LegacyChain[] = [];
  const valid = told.u32(VALID_HOOKS);
  for (const [number, [hook, name]] of HOOKS.entries()) {
    if ((valid & (1 << number)) === 0) continue;
    const first = placeOf(told.u32(HOOK_ENTRY + 4 * number));
    const end = placeOf(told.u32(UNDERFLOW + 4 * number));
    const { target } = list[end]!;
    const policy = target.kind === 'verdict' && target.verdict.code === 'drop' ? 'drop' : 'accept';
    chains.push({ name, base: { hook, policy }, rules: rulesFrom(first, end) });
  }
  for (const [place, { name, first }] of heads.entries()) {
    // Its last entry is the return that ends it.
    chains.push({ name, base: null, rules: rulesFrom(first, ends[place]! - 1) });
  }
  return chains;
}

function targetOf(
  { target, offset }: Entry,
  next: number | undefined,
  chainAt: (offset: number) => string | undefined,
): LegacyRule['target'] {
  switch (target.kind) {
    case 'verdict':
      return { verdict: target.verdict };
    case 'extension':
      return { extension: target.extension };
    case 'jump': {
      // A rule without a target goes on with the next one.
      if (target.to === next) return null;
      const chain = chainAt(target.to);
      return chain === undefined ? unreadable(offset) : { verdict: { code: target.code, chain } };
    }
    case 'head':
      return unreadable(offset);
  }
}

/** What stands for something that iptables(8) never writes: evaluated, it may do anything. */
function unreadable(offset: number): LegacyRule['target'] {
  return { extension: { name: `entry at ${offset}`, revision: 0, info: '' } };
}
