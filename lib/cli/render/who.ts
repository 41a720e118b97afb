import type { Blocked, Reach, Untold } from '../../reach/exposure-row.js';
import { type Advice, causeWords } from './causes.js';
import type { PeerNames } from './peers.js';
import type { Row } from './rows.js';
import { type Standing, standingOf } from './rows.js';
import { endpointText, enumerate } from './text.js';
import type { Palette } from './view.js';

/** Reach or blocked entries of one interface taken together. */
export function byInterface<T extends { interface: string; peers: string[] }>(
  entries: readonly T[],
): { interface: string; peers: string[] }[] {
  const groups = new Map<string, string[]>();
  for (const entry of entries) {
    const peers = groups.get(entry.interface);
    // One peer list is often shared by many addresses of an interface.
    if (peers) for (const peer of entry.peers) peers.push(peer);
    else groups.set(entry.interface, [...entry.peers]);
  }
  return [...groups].map(([name, peers]) => ({ interface: name, peers: [...new Set(peers)] }));
}

/** Who gets in beyond this host, one text for each interface; `['anyone routed here']` says it all. */
export function outsiders(reach: readonly Reach[], names: PeerNames): string[] {
  const groups = names.sorted(byInterface(reach.filter((entry) => entry.interface !== 'lo')));
  if (groups.some((group) => names.isAnyone(group))) return ['anyone routed here'];
  return groups.map((group) => names.describe(group));
}

/** How many interfaces a cell of the list names before it counts. */
const most = 3;

/** Who reaches a row, in plain words, a line for each part. */
export function whoReaches(row: Row, names: PeerNames): string[] {
  const standing = standingOf(row);
  const lines: string[] = [];
  const reach = row.exposures.flatMap((exposure) => exposure.reach);
  const beyond = outsiders(reach, names);
  if (row.scope === 'routed' || row.scope === 'link') {
    lines.push(...beyond.slice(0, most));
    if (beyond.length > most) lines.push(`and by ${beyond.length - most} more interfaces`);
    if (beyond[0] === 'anyone routed here') return lines;
  }
  const through = letThrough(
    row.exposures.flatMap(({ unknown }) => unknown),
    names,
  );
  if (through !== null) lines.push(through);
  else if (row.uncertain) {
    const because = untoldBecause(row);
    const subject =
      row.scope === 'nobody'
        ? 'unknown'
        : row.scope === 'host'
          ? 'this host; others unknown'
          : 'others unknown';
    const likely = assumed(row, names);
    if (likely.length > 0) lines.push(...likely);
    else lines.push(`${subject}: ${because.slice(0, 2).join('; ')}`);
  } else if (row.atMost) lines.push('this host at most');
  else if (standing === 'host') lines.push('this host only');
  else if (standing === 'nobody') lines.push('nobody');
  return lines;
}

/** The rows of a port whose peers would get in, did what could not be read let them pass. */
export function assumedReach(row: Row): Untold[] {
  return row.exposures.flatMap(({ unknown }) =>
    unknown.filter(({ assuming }) => assuming?.outcome === 'reachable'),
  );
}

/** Who would get in, did a firewall that is not known let them; empty where that is not all. */
export function assumed(row: Row, names: PeerNames): string[] {
  const unknown = row.exposures.flatMap((exposure) => exposure.unknown);
  if (unknown.some(({ assuming }) => assuming === null)) return [];
  const beyond = outsiders(assumedReach(row), names);
  if (beyond.length === 0) return ['this host only, unless firewall rules say otherwise'];
  return [`${enumerate(beyond, most)}, if the firewall lets them`];
}

/** Why it is not known who gets in, each reason once. */
export function untoldBecause(row: Row): string[] {
  return [
    ...new Set(row.exposures.flatMap(({ unknown }) => unknown.map((each) => brief(each, row)))),
  ];
}

function brief(blocked: Blocked, row: Row): string {
  const advice: Advice = {
    protocol: row.protocol,
    port: row.port,
    shareable: null,
    sockets: row.sockets,
  };
  return causeWords(blocked.cause, advice).brief;
}

/** The colour of a standing. */
export function standingStyle(standing: Standing, colours: Palette): (text: string) => string {
  switch (standing) {
    case 'routed':
      return colours.danger;
    case 'link':
      return colours.caution;
    case 'unknown':
      return colours.unknown;
    case 'host':
      return colours.calm;
    case 'nobody':
      return colours.faint;
  }
}

/** Where rules send a row's peers on to, past whoever listens here; `null` where they do not. */
export function sentOnTo({ cause }: Untold): string | null {
  if (cause.code !== 'forwarded' || cause.translatedTo === null) return null;
  return endpointText(cause.translatedTo);
}

/** Who is let through to where; `null` unless that is all that is not known of these. */
export function letThrough(unknown: readonly Untold[], names: PeerNames): string | null {
  const targets = new Set(unknown.map(sentOnTo));
  if (unknown.length === 0 || targets.has(null)) return null;
  const who = names.sorted(byInterface(unknown)).map((group) => names.describe(group, true));
  return `${enumerate(who, 3)}, let through to ${enumerate([...targets] as string[], 3)}`;
}
