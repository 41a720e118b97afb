import type { Course } from '../course.js';
import { type Found, usable } from '../fib.js';
import type { Device } from '../host.js';
import type { Direction } from '../verdict.js';
import { describeRoute } from './routing.js';

/**
 * The way out of a multipath route that a packet takes: the kernel chooses by a hash with a secret
 * (fib_select_multipath, fib6_select_path), so that the flow is followed by each that is usable.
 */
export function takenWay(course: Course, found: Found): Found {
  const { route } = found;
  if (route.nexthops.length < 2) return found;
  const { devices } = course.host;
  const ways = [found];
  for (const nexthop of route.nexthops) {
    const device = devices.get(nexthop.interface ?? '') ?? null;
    if (ways.some((way) => way.device === device)) continue;
    if (usable(nexthop, device, route.family, false)) ways.push({ ...found, nexthop, device });
  }
  return ways[oneOf(course, ways.length, describeRoute(found), 'request')]!;
}

/** The interface that an answer leaves by, of those of a multipath route; each is followed. */
export function takenExit(course: Course, exits: readonly Device[]): Device {
  const names = exits.map(({ name }) => name).join(', ');
  return exits[oneOf(course, exits.length, names, 'reply')]!;
}

function oneOf(course: Course, count: number, ways: string, direction: Direction): number {
  if (count < 2) return 0;
  const packet = direction === 'request' ? 'packet' : 'answer';
  return course.choices.choose(count, direction === 'request' ? 'routing' : 'reply', () => ({
    code: 'not-evaluated',
    what: `which way the ${packet} takes, of ${ways}: a hash of the flow decides`,
  }));
}
