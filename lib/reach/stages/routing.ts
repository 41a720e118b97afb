import { isLinkLocal } from '../../model/address.js';
import type { Course, Fate } from '../course.js';
import type { Found, RouteError, RouteKey } from '../fib.js';
import type { RoutingAnswer } from '../policy.js';
import type { Direction, Stage, Symptom } from '../verdict.js';
import { routeIncomingIpv4 } from './routing-ipv4.js';
import { routeIncomingIpv6 } from './routing-ipv6.js';

/** Where an arriving packet goes: to this host, onward, or nowhere. */
export function routeIncoming(course: Course): Fate | null {
  return course.packet.family === 'ipv4' ? routeIncomingIpv4(course) : routeIncomingIpv6(course);
}

/** The key of the look-up for the arriving packet. */
export function incomingKey(course: Course): RouteKey {
  const { packet, device, host } = course;
  const { readsPorts } = host.policy[packet.family];
  return {
    destination: packet.destination,
    source: packet.source,
    input: device.index,
    output: 0,
    // rt6_need_strict (net/ipv6/route.c): what has the scope of a link is looked for on that link.
    strict: isLinkLocal(packet.destination),
    mark: packet.mark,
    tos: 0,
    protocol: readsPorts || packet.family === 'ipv6' ? packet.protocolNumber : 0,
    sourcePort: readsPorts ? packet.sourcePort : 0,
    destinationPort: readsPorts ? packet.destinationPort : 0,
    uid: 0,
  };
}

/** Says what a routing look-up answered: a refusal, as a fate of the packet in this direction. */
export function refusalOf(
  course: Course,
  stage: Stage,
  answer: Exclude<RoutingAnswer, { kind: 'found' }>,
  direction: Direction,
  symptom: Symptom | null,
  to: string,
): Fate {
  if (answer.kind === 'unknown') {
    const { what } = answer;
    return course.cannotTell(stage, { code: 'not-evaluated', what }, what, direction);
  }
  const { route, rule } = answer;
  if (route) {
    const { type, destination, table } = route;
    return course.fails(
      stage,
      {
        code: 'route-refuses',
        type: type as 'blackhole',
        by: 'route',
        destination,
        table,
        priority: null,
        direction,
      },
      symptom,
      `${type} ${destination} in table ${table} refuses ${to}`,
      direction,
    );
  }
  if (rule) {
    return course.fails(
      stage,
      {
        code: 'route-refuses',
        type: rule.action as 'blackhole',
        by: 'rule',
        destination: to,
        table: null,
        priority: rule.priority,
        direction,
      },
      symptom,
      `policy rule ${rule.priority} is ${rule.action} for ${to}`,
      direction,
    );
  }
  return course.fails(
    stage,
    { code: 'no-route', destination: to, direction },
    symptom,
    `no route to ${to}`,
    direction,
  );
}

/** A route as a person reads it in `ip route`. */
export function describeRoute(found: Found): string {
  const known = descriptions.get(found);
  if (known !== undefined) return known;
  const text = nameOf(found);
  descriptions.set(found, text);
  return text;
}

/** A table has one result for each way out of each route. */
const descriptions = new WeakMap<Found, string>();

function nameOf(found: Found): string {
  const { route, nexthop } = found;
  const via = nexthop?.gateway ? ` via ${nexthop.gateway}` : '';
  const dev = nexthop?.interface ? ` dev ${nexthop.interface}` : '';
  const type = route.type === 'unicast' ? '' : `${route.type} `;
  return `${type}${route.destination}${via}${dev} (table ${tableName(route.table)})`;
}

function tableName(table: number): string {
  return table === 255 ? 'local' : table === 254 ? 'main' : table === 253 ? 'default' : `${table}`;
}

/**
 * What a peer sees of an ICMP error. TCP gives up at once on any of them; a UDP program hears of
 * the hard ones alone (icmp_err_convert in net/ipv4/icmp.c, tab_unreach in net/ipv6/icmp.c).
 */
export function icmpSymptom(course: Course, error: RouteError): Symptom {
  const tcp = course.packet.protocol === 'tcp';
  if (course.packet.family === 'ipv4') {
    if (error === 'EACCES') return 'EHOSTUNREACH'; // packet filtered: hard
    if (error === 'EINVAL') return 'ETIMEDOUT';
    return tcp ? error : 'ETIMEDOUT';
  }
  if (error === 'EACCES') return 'EACCES';
  if (error === 'EINVAL') return 'ETIMEDOUT';
  return tcp ? 'ENETUNREACH' : 'ETIMEDOUT'; // every other one is "no route"
}

/** Is the destination one of the host's addresses that does not work yet, or any more? */
export function notReady(course: Course, symptom: Symptom | null = 'ETIMEDOUT'): Fate | null {
  for (const { entry } of course.host.owners(course.packet.destinationText)) {
    const state = entry.flags.includes('dadfailed')
      ? 'dadfailed'
      : entry.flags.includes('tentative') && !entry.flags.includes('optimistic')
        ? 'tentative'
        : null;
    if (!state) continue;
    const address = course.packet.destinationText;
    return course.fails(
      'routing',
      { code: 'address-not-ready', address, state },
      symptom,
      `${address} is ${state}: duplicate address detection has not passed`,
    );
  }
  return null;
}

/** The destination is not ours, and this host does not forward. */
export function notOurs(course: Course, symptom: Symptom, why: string): Fate {
  const destination = course.packet.destinationText;
  return course.fails('routing', { code: 'not-our-address', destination }, symptom, why);
}
