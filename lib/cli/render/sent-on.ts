import { formatEndpoint } from '../../model/endpoint.js';
import type { Reach } from '../../reach/exposure-row.js';
import type { Failure } from './blocked.js';
import { byInterface } from './by-interface.js';
import { letThroughWords } from './forwarded.js';
import type { PeerNames } from './peers.js';
import type { Row } from './rows.js';
import { enumerate } from './text.js';

/** Peers whose packets rules send on to somebody, and this host lets through. */
export interface SentOn {
  readonly interface: string;
  readonly peers: string[];
  readonly to: string;
}

/** Of some entries those that are sent on. */
export function sentOn(reach: readonly Reach[]): SentOn[] {
  return reach.flatMap(({ interface: name, peers, forwardedTo }) =>
    forwardedTo === null ? [] : { interface: name, peers, to: forwardedTo },
  );
}

/** Whom rules send a row's peers on to, as far as they always do; answered through this host or not. */
export function targetsText({ exposures }: Row, most: number): string {
  const targets = exposures.flatMap(({ reach, unknown }) => [
    ...sentOn(reach).map(({ to }) => to),
    ...unknown.flatMap(({ cause }) =>
      cause.code === 'forwarded' && cause.translatedTo ? formatEndpoint(cause.translatedTo) : [],
    ),
  ]);
  return targets.length === 0
    ? 'somebody, as rules decide'
    : enumerate([...new Set(targets)], most);
}

/** Who is let through to where; `null` where nobody is. */
export function letThrough({ exposures }: Row, names: PeerNames): string | null {
  const sent = exposures.flatMap(({ reach }) => sentOn(reach));
  if (sent.length === 0) return null;
  const who = names.sorted(byInterface(sent)).map((group) => names.describe(group, true));
  const targets = new Set(sent.map(({ to }) => to));
  return `${enumerate(who, 3)}, let through to ${enumerate([...targets], 3)}`;
}

/** Who is let through to somebody, and answered. */
export function answeredFrom(reach: readonly Reach[], names: PeerNames): Failure[] {
  const byTarget = new Map<string, SentOn[]>();
  for (const one of sentOn(reach)) byTarget.set(one.to, [...(byTarget.get(one.to) ?? []), one]);
  return [...byTarget].map(([to, some]) => ({
    who: names.sorted(byInterface(some)).map((group) => names.describe(group, true)),
    words: letThroughWords(to),
    symptom: null,
    otherwise: null,
    remedies: [],
  }));
}
