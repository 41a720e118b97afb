import type { Blocked, Reach, Remedy, Untold } from '../../reach/exposure-row.js';
import { byInterface } from './by-interface.js';
import { type Advice, type CauseWords, causeWords } from './causes.js';
import type { PeerNames } from './peers.js';

/** Peers that fail for one reason, with the reason in words. */
export interface Failure {
  who: string[];
  words: CauseWords;
  symptom: Blocked['symptom'];
  /** For those whose fate is unknown: how they fare if what is not known lets them pass. */
  otherwise: string | null;
  /** Changes that were proven to help; empty where none was found. */
  remedies: Remedy[];
}

/**
 * Blocked peers as a person would be told of them: those who get in by the same interface at another
 * address are left out, and so are senders that no neighbour can be (this host's own addresses,
 * martians); one entry for each reason.
 */
export function failures(
  blocked: readonly Blocked[],
  reach: readonly Reach[],
  names: PeerNames,
  advice: Advice,
): Failure[] {
  const told = new Map<string, string[]>();
  const served = new Map(byInterface(reach).map((group) => [group.interface, group.peers]));
  const groups = new Map<string, Pick<Failure, 'words' | 'otherwise'> & { members: Blocked[] }>();
  // Nobody outside would try a loopback address: that one fails is worth a word only where all do.
  const unlikely = ({ cause }: Blocked) => cause.code === 'martian-destination';
  for (const entry of [...blocked].sort((a, b) => Number(unlikely(a)) - Number(unlikely(b)))) {
    const known = served.get(entry.interface) ?? [];
    const peers = leftOut(entry, known, names);
    if (peers === null) continue;
    if (!unlikely(entry))
      told.set(entry.interface, [...(told.get(entry.interface) ?? []), ...peers]);
    else if (leftOut(entry, [...known, ...(told.get(entry.interface) ?? [])], names) === null)
      continue;
    const words = causeWords(entry.cause, advice);
    const otherwise = otherwiseText(entry, advice);
    const key = `${words.why}\n${words.hint}\n${entry.symptom}\n${otherwise}`;
    const member = { ...entry, peers };
    const group = groups.get(key);
    if (group) group.members.push(member);
    else groups.set(key, { words, otherwise, members: [member] });
  }
  return [...groups.values()].map(({ words, otherwise, members }) => ({
    who: names.sorted(byInterface(members)).map((group) => names.describe(group, true)),
    words,
    otherwise,
    symptom: members[0]!.symptom,
    remedies: distinct(members),
  }));
}

function otherwiseText(entry: Blocked | Untold, advice: Advice): string | null {
  if (!('assuming' in entry) || entry.assuming === null) return null;
  const { outcome, cause } = entry.assuming;
  if (outcome === 'reachable' || cause === null) return 'they get in';
  return `they do not get in: ${causeWords(cause, advice).why}`;
}

function leftOut(entry: Blocked, served: readonly string[], names: PeerNames): string[] | null {
  if (entry.interface === 'lo') return served.length > 0 ? null : entry.peers;
  if (entry.cause.code === 'martian-source' || entry.cause.code === 'source-is-ours') return null;
  const peers = names.remaining(entry, served);
  return peers.length > 0 ? peers : null;
}

/** Each once, those for this host itself last. */
function distinct(doors: readonly Blocked[]): Remedy[] {
  const found = new Map<string, Remedy>();
  const isHere = ({ interface: name }: Blocked) => name === 'lo';
  for (const { remedies } of [...doors].sort((a, b) => Number(isHere(a)) - Number(isHere(b)))) {
    for (const remedy of remedies) {
      const key = `${remedy.summary}\n${remedy.command}`;
      if (!found.has(key)) found.set(key, remedy);
    }
  }
  return [...found.values()];
}
