import { type Address, parseAddress } from '../../model/address.js';
import type { Course } from '../course.js';
import type { Found } from '../fib.js';
import type { Host } from '../host.js';
import { cachedResult } from '../policy.js';
import { selectSourceIpv4, selectSourceIpv6 } from '../source-address.js';
import type { Direction } from '../verdict.js';

/** The source that a packet gets of a route, or each that it may get; null where there is none. */
export function chosenSource(
  course: Course,
  destination: Address,
  found: Found,
  direction: Direction,
): Address | null {
  const sources = sourcesFor(course.host, destination, found);
  if (sources.length < 2) return sources[0] ?? null;
  const stage = direction === 'request' ? 'routing' : 'reply';
  const which = course.choices.choose(sources.length, stage, () => ({
    code: 'not-evaluated',
    what: cachedResult(found.route),
  }));
  return sources[which]!;
}

/** The sources that a route may give a packet: null where it gives none. */
export function sourcesFor(
  host: Host,
  destination: Address,
  found: Found,
): readonly (Address | null)[] {
  const preferred = host.policy[destination.family].preferredSources(found);
  return preferred.map((text) => sourceFor(host, destination, found, text));
}

function sourceFor(
  host: Host,
  destination: Address,
  found: Found,
  preferred: string | null,
): Address | null {
  if (preferred !== null) return parseAddress(preferred) ?? destination;
  if (destination.family === 'ipv4') {
    const local = found.route.type === 'local';
    return local ? destination : selectSourceIpv4(host, found);
  }
  return selectSourceIpv6(host, destination, found.device);
}
