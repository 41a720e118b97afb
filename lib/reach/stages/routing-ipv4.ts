import { isLoopback, isMulticast, isUnspecified } from '../../model/address.js';
import type { Course, Fate } from '../course.js';
import type { Found, RouteKey } from '../fib.js';
import { type Device, LOOPBACK_INDEX } from '../host.js';
import { forwarded } from './forwarding.js';
import { withAnswer } from './reply.js';
import {
  describeRoute,
  icmpSymptom,
  incomingKey,
  notOurs,
  notReady,
  refusalOf,
} from './routing.js';
import { takenWay } from './ways.js';

const limitedBroadcast = -1; // 255.255.255.255

/** ip_route_input_slow (net/ipv4/route.c), in its order. */
export function routeIncomingIpv4(course: Course): Fate | null {
  const { packet, device, host } = course;
  const { source, destination } = packet;
  if (isMulticast(destination)) return multicast(course);
  if (isMulticast(source) || source.a === limitedBroadcast) return martianSource(course);
  const toAll = destination.a === limitedBroadcast || (source.a | destination.a) === 0;
  if (toAll) return broadcast(course);
  // ipv4_is_zeronet is 0.0.0.0 alone since Linux 5.3: the rest of 0.0.0.0/8 is ordinary.
  if (source.a === 0) return martianSource(course);
  if (destination.a === 0) return martianDestination(course, null);
  if (isLoopback(destination)) {
    if (!device.routeLocalnet) return martianDestination(course, 'route_localnet');
  } else if (isLoopback(source) && !device.routeLocalnet) return martianSource(course);

  const key = incomingKey(course);
  const answer = host.policy.ipv4.lookup(key);
  if (answer.kind !== 'found') {
    const fate = answer.kind === 'unknown' ? null : notReady(course);
    if (fate) return fate;
    // ip_error: a router says so by ICMP, any other host keeps silent.
    const symptom =
      answer.kind === 'refused' && device.forwardsIpv4
        ? withAnswer(course, icmpSymptom(course, answer.error), 'route-error')
        : 'ETIMEDOUT';
    return refusalOf(course, 'routing', answer, 'request', symptom, packet.destinationText);
  }
  const { found } = answer;
  const { type } = found.route;
  if (type === 'broadcast' && !device.forwardsBroadcast) return broadcast(course);
  if (type === 'local') {
    const fate = validateSource(course, key);
    if (fate) return fate;
    course.step('routing', 'pass', `${describeRoute(found)}: for this host`);
    return null;
  }
  // A broadcast is sent on where bc_forwarding says so, whatever forwarding says.
  if (type === 'broadcast') return onward(course, key, found);
  const unready = notReady(course);
  if (unready) return unready;
  if (!device.forwardsIpv4) {
    const { destinationText } = packet;
    const why = `${destinationText} is not an address of this host, and it does not forward`;
    return notOurs(course, 'ETIMEDOUT', why);
  }
  if (type !== 'unicast') return martianDestination(course, null);
  return onward(course, key, found);
}

/** TCP never answers a broadcast; UDP delivers it to whoever stands on the port. */
function broadcast(course: Course): Fate | null {
  const { packet } = course;
  course.destinationType = 'broadcast';
  const fate = validateSource(course, incomingKey(course));
  if (fate) return fate;
  if (packet.protocol === 'tcp') return notUnicast(course, 'broadcast');
  course.step('routing', 'pass', `${packet.destinationText} is a broadcast address`);
  return null;
}

/** ip_check_mc_rcu and ipv6_chk_mcast_addr: the interface, or its VRF, must have joined the group. */
export function multicast(course: Course): Fate | null {
  const { packet, device } = course;
  if (packet.protocol === 'tcp') return notUnicast(course, 'multicast');
  const group = packet.destinationText;
  const members = device.vrf ? [device, device.vrf] : [device];
  if (members.some(({ link }) => link.groups === undefined)) {
    const what = `who has joined the multicast group ${group}`;
    return course.cannotTell('routing', { code: 'not-evaluated', what }, `${what} is not captured`);
  }
  if (!members.some(({ link }) => link.groups?.includes(group))) {
    const cause = { code: 'group-not-joined', group, interface: device.name } as const;
    return course.fails('routing', cause, 'ETIMEDOUT', `${device.name} is no member of ${group}`);
  }
  course.destinationType = 'multicast';
  course.step('routing', 'pass', `${device.name} is a member of the multicast group ${group}`);
  return null;
}

/** TCP drops what was not sent to one host (tcp_v4_conn_request, tcp_v6_conn_request). */
export function notUnicast(course: Course, type: 'broadcast' | 'multicast' | 'anycast'): Fate {
  const destination = course.packet.destinationText;
  return course.fails(
    'routing',
    { code: 'not-a-unicast-address', destination, type },
    'ETIMEDOUT',
    `${destination} is a ${type} address, and TCP answers none`,
  );
}

function martianSource(course: Course): Fate {
  const { packet, device } = course;
  return course.fails(
    'routing',
    { code: 'martian-source', source: packet.sourceText, interface: device.name },
    'ETIMEDOUT',
    `${packet.sourceText} is no source that a packet on ${device.name} may have: a martian`,
  );
}

function martianDestination(course: Course, setting: string | null): Fate {
  const { packet, device } = course;
  const off = setting ? ` (${setting} is off)` : '';
  return course.fails(
    'routing',
    {
      code: 'martian-destination',
      destination: packet.destinationText,
      interface: device.name,
      setting: setting && `net.ipv4.conf.${device.name}.${setting}`,
    },
    'ETIMEDOUT',
    `a packet for ${packet.destinationText} on ${device.name} is a martian${off}`,
  );
}

/**
 * fib_validate_source and __fib_validate_source (net/ipv4/fib_frontend.c). To policy rules, what a
 * packet that is sent on would come back by is the interface `out` it leaves by.
 */
function validateSource(course: Course, request: RouteKey, out: Device | null = null): Fate | null {
  const { packet, device, host } = course;
  const policy = host.policy.ipv4;
  const mode = device.rpFilter;
  if (isUnspecified(packet.source)) return null;
  if (mode === 0) {
    if (device.acceptLocal) return null;
    if (!policy.validatesFully)
      return host.owners(packet.sourceText).length === 0 ? null : sourceIsOurs(course);
  }
  const key: RouteKey = {
    ...request,
    destination: packet.source,
    source: packet.destination,
    input: out?.index ?? LOOPBACK_INDEX,
    mark: device.sourceMarkValid ? packet.mark : 0,
    sourcePort: request.destinationPort,
    destinationPort: request.sourcePort,
    ...(device.vrf && { l3mdev: device.vrf.index }),
  };
  if (course.destinationType === 'broadcast') key.source = { ...key.source, a: 0 };
  const answer = policy.lookup(key);
  if (answer.kind === 'unknown')
    return refusalOf(course, 'routing', answer, 'request', 'ETIMEDOUT', packet.sourceText);
  if (answer.kind === 'refused') return mode === 0 ? null : reversePath(course, null);
  const { route } = answer.found;
  if (route.type === 'local' && !device.acceptLocal) return sourceIsOurs(course);
  if (route.type !== 'unicast' && route.type !== 'local') return martianSource(course);
  const back = answer.found.device;
  const usesDevice = route.nexthops.some((nexthop) => nexthop.interface === device.name);
  if (usesDevice || (route.type === 'local' && device.index === LOOPBACK_INDEX)) return null;
  if (!device.hasIpv4Address) return mode === 0 ? null : reversePath(course, back?.name ?? null);
  return mode === 1 ? reversePath(course, back?.name ?? null) : null;
}

function onward(course: Course, request: RouteKey, found: Found): Fate {
  const way = takenWay(course, found);
  return validateSource(course, request, way.device) ?? forwarded(course, way);
}

function sourceIsOurs(course: Course): Fate {
  const { packet, device } = course;
  return course.fails(
    'routing',
    { code: 'source-is-ours', source: packet.sourceText, interface: device.name },
    'ETIMEDOUT',
    `${packet.sourceText} is an address of this host itself (accept_local is off)`,
  );
}

function reversePath(course: Course, back: string | null): Fate {
  const { packet, device } = course;
  const mode = device.rpFilter === 1 ? 'strict' : 'loose';
  const leads = back ? `leads out of ${back}` : 'does not exist';
  return course.fails(
    'routing',
    { code: 'reverse-path', interface: device.name, mode, back },
    'ETIMEDOUT',
    `reverse path filter (${mode}) on ${device.name}: the route back to ${packet.sourceText} ${leads}`,
  );
}
