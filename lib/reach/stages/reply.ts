import { type Address, isLinkLocal, isLoopback, unspecified } from '../../model/address.js';
import type { Course, Fate, WayBack } from '../course.js';
import type { RouteKey } from '../fib.js';
import { LOOPBACK_INDEX } from '../host.js';
import type { RoutingAnswer } from '../policy.js';
import type { Symptom } from '../verdict.js';
import { passEgressPrograms, passHook } from './firewall.js';
import { staysHere } from './origin.js';
import { describeRoute, refusalOf } from './routing.js';

/** What the kernel answers by itself: a reset, or an ICMP error about a port or a route. */
type KernelAnswer = 'reset' | 'port-unreachable' | 'route-error';

/** What answers: the SYN-ACK of a listener or the datagram of a program, or the kernel by itself. */
type Answer = 'socket' | KernelAnswer;

/** The answer's way: it leaves, or it is lost, as a fate. */
type Way = WayBack | { readonly lost: Fate };

/**
 * The answer of the socket is routed back (inet_csk_route_req, inet6_csk_route_req, udp_sendmsg),
 * passes the output hooks, and is seen off by its interface.
 */
export function passReply(course: Course): Fate | null {
  const way = wayBack(course, 'socket');
  if ('lost' in way) return way.lost;
  course.wayBack = way;
  passHook(course, 'output', 'reply', null);
  passHook(course, 'postrouting', 'reply', null);
  passHook(course, 'egress', 'reply', way.device);
  passEgressPrograms(course, way.device);
  const { device, gateway } = way;
  if (!course.fromHere && device !== course.device) {
    const detail = `the answer leaves by ${device.name}, not by ${course.device.name}: a strict filter of the peer may mind`;
    course.step('reply', 'pass', detail, 'reply');
  } else {
    const via = gateway ? ` via ${gateway}` : '';
    course.step('reply', 'pass', `the answer leaves by ${device.name}${via}`, 'reply');
  }
  return null;
}

/** A symptom that needs an answer of the kernel's own: silence where that answer finds no way. */
export function withAnswer(course: Course, symptom: Symptom, answer: KernelAnswer): Symptom {
  if (symptom === 'ETIMEDOUT' || course.fromHere) return symptom;
  const recorded = course.steps.length;
  const way = wayBack(course, answer);
  course.steps.length = recorded; // the answer's own story is not the packet's
  if ('lost' in way) return 'ETIMEDOUT';
  course.wayBack = way;
  passHook(course, 'output', 'reply', null);
  passHook(course, 'postrouting', 'reply', null);
  passHook(course, 'egress', 'reply', way.device);
  passEgressPrograms(course, way.device);
  return symptom;
}

function wayBack(course: Course, answer: Answer): Way {
  const { packet, host } = course;
  const policy = host.policy[packet.family];
  const socket = answer === 'socket' ? course.socket : null;
  if (socket && socket.mark === null && policy.looksAtMarks) {
    const reason = "the socket's mark could not be read, and policy rules look at marks";
    const cause = {
      code: 'not-captured',
      what: 'marks',
      reason,
      remedy: 'capture again as root',
    } as const;
    return { lost: course.cannotTell('reply', cause, reason, 'reply') };
  }
  const key = answerKey(course, answer);
  const lookedUp = policy.lookup(key);
  const pinned = settle(course, key, lookedUp, socket?.transparent === true);
  if (answer !== 'socket' || packet.protocol === 'tcp' || !isWildcard(course)) return pinned;
  // A UDP program on a wildcard address leaves the source to the kernel, unless it takes care.
  const steps = course.steps.length;
  const free = { ...key, source: unspecified(packet.family) };
  const unpinned = settle(course, free, policy.lookup(free), false);
  course.steps.length = steps;
  if (sameWay(pinned, unpinned)) return pinned;
  const what = 'whether the program answers from the address it was asked at: the routes differ';
  return { lost: course.cannotTell('reply', { code: 'not-evaluated', what }, what, 'reply') };
}

function answerKey(course: Course, answer: Answer): RouteKey {
  const { packet } = course;
  const socket = answer === 'socket' ? course.socket : null;
  const bound = answer === 'socket' ? (course.receiver?.device ?? 0) : 0;
  // Link-local peers are answered on the link they asked on.
  const output = bound || (isLinkLocal(packet.source) ? course.inputIndex : 0);
  const icmp = answer === 'port-unreachable' || answer === 'route-error';
  return {
    destination: packet.source,
    source: answerSource(course, answer),
    input: LOOPBACK_INDEX,
    output,
    strict: packet.family === 'ipv6' && output !== 0,
    mark: socket?.mark ?? 0,
    tos: 0,
    protocol: icmp ? (packet.family === 'ipv4' ? 1 : 58) : packet.protocolNumber,
    sourcePort: icmp ? 0 : packet.destinationPort,
    destinationPort: icmp ? 0 : packet.sourcePort,
    uid: socket?.uid ?? 0,
  };
}

/** The address asked answers, where it is one of this host's own; else the kernel chooses. */
function answerSource(course: Course, answer: Answer): Address {
  const { packet } = course;
  const ours = course.destinationType === 'local' && answer !== 'route-error';
  return ours ? packet.destination : unspecified(packet.family);
}

function isWildcard(course: Course): boolean {
  const address = course.receiver?.socket.local.address;
  return address === '0.0.0.0' || address === '::';
}

function sameWay(one: Way, other: Way): boolean {
  if ('lost' in one || 'lost' in other) return 'lost' in one && 'lost' in other;
  return one.device === other.device && one.gateway === other.gateway;
}

/** ip_route_output_key_hash_rcu and ip6_route_output_flags, and what becomes of the answer then. */
function settle(course: Course, key: RouteKey, answer: RoutingAnswer, transparent: boolean): Way {
  const { packet, host, fromHere } = course;
  const ipv4 = packet.family === 'ipv4';
  const chosen = key.source.a !== 0 || key.source.d !== 0;
  if (ipv4 && chosen && !transparent && !host.policy.ipv4.isLocal(key.source)) {
    const what = `${packet.destinationText} is local only in a table that the answer's source is not looked up in`;
    const cause = { code: 'no-route', destination: packet.sourceText, direction: 'reply' } as const;
    return { lost: course.fails('reply', cause, 'ETIMEDOUT', what, 'reply') };
  }
  if (answer.kind !== 'found') {
    const bound = key.output === 0 ? undefined : host.byIndex.get(key.output);
    if (ipv4 && bound && answer.kind === 'refused') return assumedOnLink(course, bound.name);
    return { lost: refusalOf(course, 'reply', answer, 'reply', 'ETIMEDOUT', packet.sourceText) };
  }
  const { found } = answer;
  const stays = staysHere(packet.family, found);
  const device = stays ? host.loopback : (found.device ?? undefined);
  if (stays !== fromHere || !device) {
    const where = fromHere ? 'out of this host' : 'to this host itself';
    const cause = fromHere
      ? ({ code: 'no-route', destination: packet.sourceText, direction: 'reply' } as const)
      : ({
          code: 'source-is-ours',
          source: packet.sourceText,
          interface: course.device.name,
        } as const);
    const detail = `${describeRoute(found)} takes the answer ${where}`;
    return { lost: course.fails('reply', cause, 'ETIMEDOUT', detail, 'reply') };
  }
  if (!stays && found.route.type !== 'unicast') {
    const what = `the answer to ${packet.sourceText}, for which the route is ${describeRoute(found)}`;
    return { lost: course.cannotTell('reply', { code: 'not-evaluated', what }, what, 'reply') };
  }
  const outward = !device.link.loopback;
  if (outward && ipv4 && isLoopback(key.source) && !device.routeLocalnet) {
    const cause = {
      code: 'martian-source',
      source: packet.destinationText,
      interface: device.name,
    } as const;
    const detail = `an answer from ${packet.destinationText} may not leave by ${device.name} (route_localnet is off)`;
    return { lost: course.fails('reply', cause, 'ETIMEDOUT', detail, 'reply') };
  }
  if (outward && !device.link.lowerUp) {
    const cause = { code: 'no-carrier', interface: device.name } as const;
    const detail = `the answer would leave by ${device.name}, which has no carrier`;
    return { lost: course.fails('reply', cause, 'ETIMEDOUT', detail, 'reply') };
  }
  return { device, gateway: found.nexthop?.gateway ?? null };
}

/** A socket bound to a device, and no route there: the kernel takes the peer to be on its link. */
function assumedOnLink(course: Course, name: string): Way {
  const { packet, host, fromHere } = course;
  const destination = packet.sourceText;
  const device = host.devices.get(name);
  const overLoopback = device?.link.loopback === true;
  // What goes out by lo is delivered here, whoever it is for (RTCF_LOCAL in __mkroute_output).
  if (overLoopback && fromHere) return { device, gateway: null };
  if (overLoopback || fromHere) {
    const cause = { code: 'no-route', destination, direction: 'reply' } as const;
    const detail = `no route back to ${destination} by ${name}, which the socket is bound to`;
    return { lost: course.fails('reply', cause, 'ETIMEDOUT', detail, 'reply') };
  }
  const detail = `no route back to ${destination} by ${name}: the kernel takes the peer to stand on that link`;
  const cause = { code: 'assumed-on-link', destination, interface: name } as const;
  return { lost: course.cannotTell('reply', cause, detail, 'reply') };
}
