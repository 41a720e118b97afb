import {
  isLinkLocal,
  isLoopback,
  isMulticast,
  isUnspecified,
  isV4Mapped,
} from '../../model/address.js';
import type { Course, Fate, Packet } from '../course.js';
import type { Found } from '../fib.js';
import type { Device } from '../host.js';
import { forwarded, passForwarding } from './forwarding.js';
import { discard, leadsNowhere } from './nowhere.js';
import { withAnswer } from './reply.js';
import {
  describeRoute,
  icmpSymptom,
  incomingKey,
  notOurs,
  notReady,
  refusalOf,
} from './routing.js';
import { multicast, notUnicast } from './routing-ipv4.js';
import { takenWay } from './ways.js';

/** Which end of a packet no packet may have (ip6_rcv_core in net/ipv6/ip6_input.c). */
export function martianEnd(
  { source, destination }: Packet,
  { link: { loopback } }: Device,
): 'source' | 'destination' | null {
  if (isMulticast(source) || isV4Mapped(source) || (isLoopback(source) && !loopback))
    return 'source';
  return isUnspecified(destination) || (isLoopback(destination) && !loopback)
    ? 'destination'
    : null;
}

function martian(course: Course, end: 'source' | 'destination'): Fate {
  const { packet, device } = course;
  if (end === 'source') {
    return course.fails(
      'routing',
      { code: 'martian-source', source: packet.sourceText, interface: device.name },
      'ETIMEDOUT',
      `${packet.sourceText} is no source that a packet on ${device.name} may have`,
    );
  }
  return course.fails(
    'routing',
    {
      code: 'martian-destination',
      destination: packet.destinationText,
      interface: device.name,
      setting: null,
    },
    'ETIMEDOUT',
    `a packet for ${packet.destinationText} on ${device.name} is dropped: that address never leaves a host`,
  );
}

/** ip6_route_input (net/ipv6/route.c). */
export function routeIncomingIpv6(course: Course): Fate | null {
  const { packet, device, host } = course;
  const end = martianEnd(packet, device);
  if (end) return martian(course, end);
  const { destination } = packet;
  if (isMulticast(destination)) return multicast(course);
  const key = incomingKey(course);
  // Inside a VRF the packet comes in on the VRF; for its link alone the port counts (vrf_ip6_rcv).
  key.input = course.inputIndex;
  if (key.strict && device.vrf) key.output = device.index;
  const answer = host.policy.ipv6.lookup(key, key.strict ? device.index : key.input);
  if (answer.kind !== 'found') {
    const symptom =
      answer.kind === 'refused'
        ? withAnswer(course, icmpSymptom(course, answer.error), 'route-error')
        : 'ETIMEDOUT';
    const unready = answer.kind === 'unknown' ? null : notReady(course, symptom);
    if (unready) return unready;
    return refusalOf(course, 'routing', answer, 'request', symptom, packet.destinationText);
  }
  const { found } = answer;
  if (found.route.type === 'local' || found.route.type === 'anycast') {
    if (found.route.type === 'anycast') {
      course.destinationType = 'anycast';
      if (packet.protocol === 'tcp') return notUnicast(course, 'anycast');
    }
    course.step('routing', 'pass', `${describeRoute(found)}: for this host`);
    return null;
  }
  if (leadsNowhere(found)) return discard(course, found);
  // A router sends it on to the link, as it does with any address that is not its own (yet).
  const unready = device.forwardsIpv6 ? null : notReady(course);
  if (unready) return unready;
  return isLinkLocal(packet.destination) ? ontoLink(course, found) : onward(course, found);
}

/** A router passes on to the link what routing does not find to be for a link-local address of its own. */
function ontoLink(course: Course, found: Found): Fate {
  const stop = course.device.forwardsIpv6 ? passForwarding(course, found) : null;
  return stop ?? wrongScope(course) ?? onward(course, found);
}

/** A link-local address belongs to one link: it does not answer on another. */
function wrongScope(course: Course): Fate | null {
  const { packet, device, host } = course;
  if (!isLinkLocal(packet.destination)) return null;
  const owner = host.owners(packet.destinationText)[0];
  if (!owner || owner.device === device) return null;
  return course.fails(
    'routing',
    { code: 'wrong-scope', address: packet.destinationText, interface: owner.device.name },
    'ETIMEDOUT',
    `${packet.destinationText} is the link-local address of ${owner.device.name}, not of ${device.name}`,
  );
}

function onward(course: Course, found: Found): Fate {
  const { packet, device, host } = course;
  if (device.forwardsIpv6 && !isLinkLocal(packet.destination))
    return forwarded(course, takenWay(course, found));
  if (host.owners(packet.destinationText).some((own) => own.device === device))
    return notOurs(course, 'ETIMEDOUT', `${describeRoute(found)} comes before the local one`);
  const why = `${packet.destinationText} is not an address of this host, and it does not forward`;
  return notOurs(course, 'ETIMEDOUT', why);
}
