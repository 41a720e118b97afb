import type { Blocked, Reach, Untold } from '../../reach/exposure-row.js';
import { byInterface } from './by-interface.js';
import { type Advice, causeWords } from './causes.js';
import type { PeerNames } from './peers.js';
import type { Row } from './rows.js';
import { type Standing, standingOf } from './rows.js';
import { letThrough } from './sent-on.js';
import { enumerate } from './text.js';
import type { Palette } from './view.js';

/** Who gets in here from beyond this host, one text for each interface; `['anyone routed here']` says it all. */
export function outsiders(reach: readonly Reach[], names: PeerNames): string[] {
  const beyond = reach.filter((entry) => entry.interface !== 'lo' && entry.forwardedTo === null);
  const groups = names.sorted(byInterface(beyond));
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
  const through = letThrough(row, names);
  if (through !== null) lines.push(through);
  if (row.uncertain) {
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
  } else if (through !== null) return lines;
  else if (row.atMost) lines.push('this host at most');
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
