import { formatAddress } from '../../../model/address.js';
import type { Hook } from '../../../model/firewall.js';
import type { Cause, Direction } from '../../verdict.js';
import type { Change, Failing } from '../change.js';
import { addRules } from './add-rule.js';
import type { Match } from './match.js';
import type { Place } from './place.js';

type RuleCause = Extract<
  Cause,
  { code: 'rule-drop' | 'rule-reject' | 'rule-unknown' | 'policy-drop' }
>;

/** A rule before the one that decides, as narrow as it can be. */
export function letIn(failing: Failing, cause: RuleCause): Change[] {
  const { hook, direction } = cause;
  const place = placeOf(cause);
  if (place.family === 'arp' || place.family === 'bridge') return [];
  return ends(failing).flatMap(({ source, destination, port }) => {
    const matches = peersOf(failing, source).map((peer) =>
      matchOf(failing, hook, direction, { peer, own: destination, port }),
    );
    return addRules(
      failing.state,
      place,
      matches,
      'accept',
      hook === 'input' && direction === 'request',
    );
  });
}

function placeOf(cause: RuleCause): Place {
  if (cause.code === 'policy-drop') {
    const { tool, family, table, chain } = cause;
    return { tool, family, table, chain, line: null, handle: null };
  }
  const { tool, family, table, chain, line, handle } = cause.rule;
  return { tool, family, table, chain, line, handle };
}

export interface Ends {
  readonly source: string;
  readonly destination: string;
  readonly port: number;
}

/** The ends as the sender wrote them, and as rules have made of them: hooks see the one or the other. */
export function ends({ followed: { course } }: Pick<Failing, 'followed'>): Ends[] {
  const { asked, packet } = course;
  const now: Ends = {
    source: formatAddress(packet.source),
    destination: formatAddress(packet.destination),
    port: packet.destinationPort,
  };
  if (!asked) return [now];
  const then: Ends = {
    source: formatAddress(asked.source),
    destination: formatAddress(asked.destination),
    port: asked.destinationPort,
  };
  const same =
    now.source === then.source && now.destination === then.destination && now.port === then.port;
  return same ? [now] : [now, then];
}

/** Whom rules are to name, of those who send from this end. */
export function peersOf(
  { peers }: Pick<Failing, 'peers'>,
  source: string,
): readonly (string | null)[] {
  if (peers === null) return [null];
  return peers.length === 0 ? [prefixOf(source)] : peers;
}

/**
 * What comes in for this host is told by its port, wherever else it may pass also by the address of
 * this host; an answer may come from another one.
 */
export function matchOf(
  { followed: { course } }: Pick<Failing, 'followed'>,
  hook: Hook,
  direction: Direction,
  { peer, own, port }: { peer: string | null; own: string; port: number },
): Match {
  const { family, protocol } = course.packet;
  if (direction === 'reply')
    return { family, protocol, source: null, destination: peer, port, portOf: 'source' };
  const destination = hook === 'input' ? null : prefixOf(own);
  return { family, protocol, source: peer, destination, port, portOf: 'destination' };
}

function prefixOf(address: string): string {
  return `${address}/${address.includes(':') ? 128 : 32}`;
}
