import { isLoopback, parsePrefix } from '../../model/address.js';
import type { Course, Fate } from '../course.js';
import type { Found } from '../fib.js';
import { withAnswer } from './reply.js';
import { describeRoute, icmpSymptom } from './routing.js';

/**
 * IPv6 has no route by a loopback interface: it takes what is added as one for a refusal, though it goes
 * on calling it unicast (fib6_is_reject). For IPv4 such a route stays on the host.
 */
export function leadsNowhere({ route, device }: Found): boolean {
  if (route.family !== 'ipv6' || route.type !== 'unicast' || !device?.link.loopback) return false;
  const prefix = route.nexthopId === null ? parsePrefix(route.destination) : null;
  return prefix !== null && !isLoopback(prefix.address);
}

/** ip6_pkt_discard and ip6_pkt_discard_out: the sender is told that there is no route. */
export function discard(course: Course, found: Found): Fate {
  const { destinationText: destination } = course.packet;
  // What this host sends meets its end by lo, and is told of it there.
  if (course.fromHere) course.device = found.device!;
  return course.fails(
    'routing',
    { code: 'no-route', destination, direction: 'request' },
    withAnswer(course, icmpSymptom(course, 'ENETUNREACH'), 'route-error'),
    `${describeRoute(found)}: to IPv6 a route by ${found.device!.name} leads nowhere`,
  );
}
