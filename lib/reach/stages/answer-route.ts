import {
  type Address,
  formatAddress,
  isLinkLocal,
  isLoopback,
  isUnspecified,
  parseAddress,
  sameAddress,
  unspecified,
} from '../../model/address.js';
import type { Course, Fate, WayBack } from '../course.js';
import { type Found, type RouteKey, usable } from '../fib.js';
import { type Device, LOOPBACK_INDEX, type OwnAddress, type Receiver } from '../host.js';
import type { Frame } from '../nftables/frame.js';
import type { RoutingAnswer } from '../policy.js';
import { isReady, selectOnDevice, selectSourceIpv4, selectSourceIpv6 } from '../source-address.js';
import type { Cause } from '../verdict.js';
import { chosenSource, sourcesFor } from './chosen-source.js';
import { leadsNowhere } from './nowhere.js';
import { staysHere } from './origin.js';
import { describeRoute, refusalOf } from './routing.js';

/** What the kernel answers by itself: a reset, that of a rule, or an ICMP error about a port or a route. */
export type KernelAnswer = 'reset' | 'reject-reset' | 'port-unreachable' | 'route-error';

/** What answers: the SYN-ACK of a listener or the datagram of a program, or the kernel by itself. */
export type Answer = 'socket' | KernelAnswer;

const universe = 0; // RT_SCOPE_UNIVERSE

/** The answer's way: it leaves, or it is lost, as a fate. */
export type Way = WayBack | { readonly lost: Fate };

/**
 * How an answer is routed back: inet_csk_route_req, inet6_csk_route_req and udp_sendmsg for a
 * socket's, ip_send_unicast_reply, tcp_v6_send_response and the ICMP senders for the kernel's own.
 */
export function wayOf(course: Course, answer: Answer, receiver: Receiver | null): Way {
  const { packet, host } = course;
  const policy = host.policy[packet.family];
  const socket = receiver?.socket;
  if (socket?.mark === null && policy.looksAtMarks) {
    const reason = "the socket's mark could not be read, and policy rules look at marks";
    const remedy = 'capture again as root';
    return undecided(course, { code: 'not-captured', what: 'marks', reason, remedy }, reason);
  }
  const key = answerKey(course, answer, receiver);
  const pinned = route(course, key, socket?.transparent === true || answer === 'reject-reset');
  if (packet.protocol === 'tcp' || receiver === null) return pinned;
  const steps = course.steps.length;
  const would = (changes: Partial<RouteKey>): Way => {
    const way = route(course, { ...key, ...changes }, false);
    course.steps.length = steps;
    return way;
  };
  const { vrf } = course.device;
  if (vrf && receiver.device === 0 && !sameWay(pinned, would({ output: vrf.index }))) {
    const what = `whether the program answers inside the VRF ${vrf.name}: the routes differ`;
    return undecided(course, { code: 'not-evaluated', what }, what);
  }
  // A UDP program on a wildcard address leaves the source to the kernel, unless it takes care.
  const local = course.destinationType === 'local';
  if (local && !policy.looksAtSources && !('lost' in pinned)) return pinned;
  // A connected socket of IPv6 keeps the route of its connect(), which may have known no source yet
  // (ip6_datagram_dst_update, ip6_sk_dst_check), until routes or rules change.
  const isWildcard = isUnspecified(receiver.address);
  const keepsRoute = packet.family === 'ipv6' && receiver.remote !== null;
  const source = isWildcard || keepsRoute ? otherSource(course, key) : null;
  if (source === null || sameWay(pinned, would({ source }))) return pinned;
  const what = isWildcard
    ? 'whether the program answers from the address it was asked at: the routes differ'
    : 'which route the connected socket keeps: that of its own address differs';
  return undecided(course, { code: 'not-evaluated', what }, what);
}

/** The source that a program does not choose, or for a broadcast does (fib_compute_spec_dst); null for none. */
function otherSource(course: Course, key: RouteKey): Address | null {
  const { host, packet, destinationType } = course;
  if (destinationType === 'local') return unspecified(packet.family);
  if (destinationType !== 'broadcast') return null;
  const answer = host.policy.ipv4.lookup({
    ...key,
    output: 0,
    mark: 0,
    protocol: 0,
    sourcePort: 0,
    destinationPort: 0,
  });
  if (answer.kind !== 'found') return selectOnDevice(host, course.device, packet.source, universe);
  const { preferredSource } = answer.found.route;
  return preferredSource ? parseAddress(preferredSource) : selectSourceIpv4(host, answer.found);
}

function answerKey(course: Course, answer: Answer, receiver: Receiver | null): RouteKey {
  const { packet } = course;
  const output = answerDevice(course, answer, receiver);
  const icmp = answer === 'port-unreachable' || answer === 'route-error';
  // ip_route_me_harder knows no ports, nf_send_reset6 does.
  const bare = icmp || (answer === 'reject-reset' && packet.family === 'ipv4');
  return {
    destination: packet.source,
    source: answerSource(course, answer),
    input: LOOPBACK_INDEX,
    output,
    strict: packet.family === 'ipv6' && output !== 0,
    mark: answerMark(course, answer, receiver),
    tos: 0,
    protocol: icmp ? (packet.family === 'ipv4' ? 1 : 58) : bare ? 0 : packet.protocolNumber,
    sourcePort: bare ? 0 : packet.destinationPort,
    destinationPort: bare ? 0 : packet.sourcePort,
    uid: receiver?.socket.uid ?? 0,
  };
}

/**
 * The device that an answer must leave by; 0: any. Link-local peers are answered on the link they
 * asked on (tcp_v6_init_req), and ::1 by a reset is (rt6_need_strict in tcp_v6_send_response). What
 * came in by a VRF is answered inside it, but a UDP program that is not bound to it answers by the
 * routes outside (inet_request_bound_dev_if, ip_send_unicast_reply).
 */
function answerDevice(course: Course, answer: Answer, receiver: Receiver | null): number {
  const { device, packet } = course;
  // ip_route_me_harder and nf_send_reset6 know of no link but that of a VRF.
  if (answer === 'reject-reset') return device.vrf?.index ?? 0;
  const loopbackReset = answer === 'reset' && packet.family === 'ipv6' && isLoopback(packet.source);
  if (isLinkLocal(packet.source) || loopbackReset) {
    const link = course.portIndex || course.inputIndex;
    return receiver?.device && !device.vrf ? receiver.device : link;
  }
  if (receiver?.device) return receiver.device;
  const outside = answer === 'socket' && packet.protocol === 'udp';
  return device.vrf && !outside ? device.vrf.index : 0;
}

/**
 * inet_request_mark, and IP4_REPLY_MARK and IP6_REPLY_MARK for the kernel's own answers. An answer
 * of a UDP program has its socket's mark and no other.
 */
export function answerMark(course: Course, answer: Answer, receiver: Receiver | null): number {
  const { host, packet } = course;
  const own = receiver?.socket.mark ?? 0;
  if (own !== 0 || packet.mark === 0) return own;
  if (answer !== 'socket')
    return host.setting(`net.${packet.family}.fwmark_reflect`, 0) === 0 ? 0 : packet.mark;
  const taken = packet.protocol === 'tcp' && host.setting('net.ipv4.tcp_fwmark_accept', 0) !== 0;
  return taken ? packet.mark : 0;
}

/**
 * The address asked answers, where it is one of this host's own; else the kernel chooses: IPv4 by
 * the route, an ICMPv6 error by the interface that the packet came in on (icmp6_send).
 */
function answerSource(course: Course, answer: Answer): Address {
  const { packet, host } = course;
  const icmpv6 =
    packet.family === 'ipv6' && (answer === 'port-unreachable' || answer === 'route-error');
  if (icmpv6) {
    // ipv6_chk_addr: an address of a link or of the host counts on its own device alone.
    const narrow = isLinkLocal(packet.destination) || isLoopback(packet.destination);
    const answers = (own: OwnAddress) => isReady(own) && (!narrow || own.device === course.device);
    if (host.owners(packet.destinationText).some(answers)) return packet.destination;
    return selectSourceIpv6(host, packet.source, course.device) ?? unspecified('ipv6');
  }
  const ours =
    answer === 'reject-reset' || (course.destinationType === 'local' && answer !== 'route-error');
  return ours ? packet.destination : unspecified(packet.family);
}

/**
 * The addresses that a UDP program may answer from, each once: the one that was asked, where it is
 * one host's; the one the kernel chooses, where the socket leaves that to it; and for a broadcast
 * that of the interface (fib_compute_spec_dst).
 */
export function possibleSources(course: Course, receiver: Receiver): Address[] {
  const { packet, host, destinationType } = course;
  const one = destinationType === 'local' || destinationType === 'anycast';
  const sources = one ? [packet.destination] : [];
  const add = (source: Address | null) => {
    if (source && !sources.some((other) => sameAddress(other, source))) sources.push(source);
  };
  if (!one || isUnspecified(receiver.address)) {
    const key = { ...answerKey(course, 'socket', receiver), source: unspecified(packet.family) };
    const answer = host.policy[packet.family].lookup(key);
    // Without a route by the device a socket is bound to, the peer is taken to stand on its link.
    const bound = key.output === 0 ? undefined : host.byIndex.get(key.output);
    if (answer.kind === 'found') sourcesFor(host, packet.source, answer.found).forEach(add);
    else if (bound && packet.family === 'ipv4') add(selectOnDevice(host, bound, null));
  }
  if (destinationType === 'broadcast')
    add(otherSource(course, answerKey(course, 'socket', receiver)));
  return sources;
}

/**
 * The source of an ICMP error of the kernel's own (icmp_send, icmp6_send), as rules on the way out
 * see it; `null` where routing finds none.
 */
export function errorSource(course: Course, answer: KernelAnswer): Address | null {
  const { packet, host } = course;
  const key = answerKey(course, answer, null);
  if (!isUnspecified(key.source)) return key.source;
  const found = host.policy[packet.family].lookup(key);
  return found.kind === 'found' ? chosenSource(course, packet.source, found.found, 'reply') : null;
}

/** ip_route_me_harder and ip6_route_me_harder: routed by what rules made of the answer. */
export function rerouted(course: Course, frame: Frame): Way {
  const { packet, host } = course;
  const { destination, source } = frame.tuple;
  packet.source = destination;
  packet.sourceText = formatAddress(destination);
  packet.sourcePort = frame.tuple.destinationPort;
  if (frame.mark === null && host.policy[packet.family].looksAtMarks) {
    const what = 'the mark that the answer is routed by';
    return undecided(course, { code: 'not-evaluated', what }, what);
  }
  // ip6_route_me_harder: what is of a link stays on the one that the answer would have left by.
  const strict = isLinkLocal(destination);
  const key: RouteKey = {
    destination,
    source,
    input: LOOPBACK_INDEX,
    output: course.receiver?.device || (strict ? (frame.output?.index ?? 0) : 0),
    strict,
    mark: frame.mark ?? 0,
    tos: 0,
    protocol: 0,
    sourcePort: 0,
    destinationPort: 0,
    uid: course.receiver?.socket.uid ?? 0,
  };
  return route(course, key, true);
}

function sameWay(one: Way, other: Way): boolean {
  if ('lost' in one || 'lost' in other) return 'lost' in one && 'lost' in other;
  return one.device === other.device && one.gateway === other.gateway;
}

/** ip_route_output_key_hash_rcu and ip6_dst_lookup_tail, and what becomes of the answer then. */
function route(course: Course, key: RouteKey, transparent: boolean): Way {
  const { packet, host } = course;
  const ipv4 = packet.family === 'ipv4';
  const policy = host.policy[packet.family];
  if (ipv4 && !isUnspecified(key.source) && !transparent && !policy.mayBeSource(key.source)) {
    const detail = `${packet.destinationText} is local only in a table that the answer's source is not looked up in`;
    return lost(course, noWay(course), detail);
  }
  const bound = key.output === 0 ? undefined : host.byIndex.get(key.output);
  // ip_route_output_key_hash_rcu: nothing leaves by a device that is down.
  if (ipv4 && bound && !(bound.link.up && bound.hasIpv4)) {
    const detail = `${bound.name}, which the answer must leave by, is down`;
    return lost(course, { code: 'interface-down', interface: bound.name }, detail);
  }
  const answer = lookUp(course, key);
  if (answer.kind === 'found') return depart(course, key, answer.found);
  const insideVrf = bound !== undefined && (bound.vrf ?? bound.link.vrfTable) !== null;
  if (ipv4 && bound && !insideVrf && answer.kind === 'refused') return assumedOnLink(course, bound);
  return { lost: refusalOf(course, 'reply', answer, 'reply', 'ETIMEDOUT', packet.sourceText) };
}

/** IPv6 asks again with a source address of its choice where routing fails without one. */
function lookUp(course: Course, key: RouteKey): RoutingAnswer {
  const policy = course.host.policy[course.packet.family];
  const first = policy.lookup(key);
  const again = first.kind === 'refused' && course.packet.family === 'ipv6';
  if (!again || !isUnspecified(key.source)) return first;
  const source = selectSourceIpv6(course.host, key.destination, null);
  return source ? policy.lookup({ ...key, source }) : first;
}

/** The answer has a route: does it leave by it? Any way out of a multipath route may be taken. */
function depart(course: Course, key: RouteKey, found: Found): Way {
  const { packet, host, fromHere, asked } = course;
  const stays = staysHere(packet.family, found);
  // To whom a rule has translated the peer it is not sent: undone at output, it is routed once more.
  const provisional = asked !== null && !sameAddress(asked.source, packet.source);
  if (provisional && stays && host.loopback)
    return { device: host.loopback, gateway: null, others: [] };
  // Rules may still have it routed once more.
  if (fromHere && !stays && !course.request) {
    return astray(course, `${describeRoute(found)} takes the answer out of this host`);
  }
  if (stays && !fromHere && !provisional) {
    const { name } = course.device;
    return lost(
      course,
      { code: 'source-is-ours', source: packet.sourceText, interface: name },
      `${describeRoute(found)} takes the answer to this host itself`,
    );
  }
  if (stays) {
    const { loopback } = host;
    if (loopback?.link.up) return { device: loopback, gateway: null, others: [] };
    return lost(
      course,
      { code: 'interface-down', interface: loopback?.name ?? 'lo' },
      'lo is down',
    );
  }
  if (leadsNowhere(found))
    return lost(course, noWay(course), `${describeRoute(found)} leads nowhere`);
  const { route, nexthop, device } = found;
  if (route.type !== 'unicast' || !device) {
    const what = `the answer to ${packet.sourceText}, for which the route is ${describeRoute(found)}`;
    return undecided(course, { code: 'not-evaluated', what }, what);
  }
  const gateway = nexthop?.gateway ?? null;
  const block = (exit: Exit) => blockedExit(course, key, exit, provisional);
  const blocked = block({ device, gateway });
  const others = otherExits(course, key, found);
  const leads = (exit: Exit) => block(exit) === null;
  if (others.length > 0 && others.some((other) => leads(other) !== (blocked === null))) {
    const what = `which way of ${describeRoute(found)} the answer takes: not all of them lead out`;
    return undecided(course, { code: 'not-evaluated', what }, what);
  }
  if (blocked) return lost(course, blocked.cause, blocked.detail);
  if (others.length === 0) return { device, gateway, others: none };
  const devices = new Set(others.map((other) => other.device));
  devices.delete(device);
  return { device, gateway, others: [...devices] };
}

const none: readonly never[] = [];

interface Exit {
  readonly device: Device;
  readonly gateway: string | null;
}

/** The other ways of a multipath route that may be taken. */
function otherExits(course: Course, key: RouteKey, { route, nexthop }: Found): readonly Exit[] {
  if (route.nexthops.length < 2 || key.output !== 0) return none;
  return route.nexthops.flatMap((other) => {
    const device = course.host.devices.get(other.interface ?? '');
    const taken = device && other !== nexthop && usable(other, device, route.family, false);
    return taken ? [{ device, gateway: other.gateway }] : [];
  });
}

/** Why an answer cannot leave by a device. What is routed once more needs no more than a route by it. */
function blockedExit(
  course: Course,
  key: RouteKey,
  { device, gateway }: Exit,
  provisional: boolean,
): { cause: Cause; detail: string } | null {
  const { name, link } = device;
  if (key.source.family === 'ipv4' && isLoopback(key.source) && !device.routeLocalnet) {
    const source = course.packet.destinationText;
    return {
      cause: { code: 'martian-source', source, interface: name },
      detail: `an answer from ${source} may not leave by ${name} (route_localnet is off)`,
    };
  }
  // ip6_output: a device on which IPv6 is off sends none, even where a route still leads there. Nor
  // does it know its neighbours of IPv6, where one of them is the gateway of a route of IPv4.
  const speaksIpv6 = key.source.family === 'ipv6' || gateway?.includes(':');
  if (speaksIpv6 && !device.hasIpv6) {
    const to = gateway === null ? '' : ` to ${gateway}`;
    return {
      cause: { code: 'ip-disabled', interface: name, family: 'ipv6' },
      detail: `the answer would leave by ${name}${to}, and IPv6 is off there`,
    };
  }
  if (link.lowerUp || link.loopback || provisional) return null;
  return {
    cause: { code: 'no-carrier', interface: name },
    detail: `the answer would leave by ${name}, which has no carrier`,
  };
}

/** A socket bound to a device, and no route there: the kernel takes the peer to be on its link. */
function assumedOnLink(course: Course, device: Device): Way {
  const { packet, fromHere } = course;
  const destination = packet.sourceText;
  const overLoopback = device.link.loopback;
  // What goes out by lo is delivered here, whoever it is for (RTCF_LOCAL in __mkroute_output).
  if (overLoopback && fromHere) return { device, gateway: null, others: [] };
  const detail = `no route back to ${destination} by ${device.name}, which the socket is bound to`;
  if (overLoopback) return lost(course, noWay(course), detail);
  if (fromHere) return astray(course, detail);
  // Nobody has to be asked for: there is no ARP, or it has been answered.
  if (device.link.noArp || device.knownNeighbours.has(destination)) {
    return { device, gateway: null, others: [] };
  }
  const cause = { code: 'assumed-on-link', destination, interface: device.name } as const;
  return undecided(course, cause, `${detail}: the kernel takes the peer to stand on that link`);
}

/**
 * The answer to this host itself leaves it. It is lost, unless it comes back by another interface,
 * and that one takes a packet that claims to come from here: IPv4 by accept_local, IPv6 always.
 */
export function astray(course: Course, detail: string): { readonly lost: Fate } {
  const { host, packet } = course;
  const { family, source, destination } = packet;
  const accepts = [...host.devices.values()].some(({ acceptLocal }) => acceptLocal);
  const never = isLoopback(source) || isLoopback(destination);
  if (family === 'ipv4' ? !accepts : never || !host.policy.ipv6.isLocal(source)) {
    return lost(course, noWay(course), detail);
  }
  const what = 'whether the answer, which leaves this host, comes back to it';
  return undecided(course, { code: 'not-evaluated', what }, `${detail}; ${what} is not known`);
}

function noWay(course: Course): Cause {
  return { code: 'no-route', destination: course.packet.sourceText, direction: 'reply' };
}

function lost(course: Course, cause: Cause, detail: string): { readonly lost: Fate } {
  return { lost: course.fails('reply', cause, 'ETIMEDOUT', detail, 'reply') };
}

function undecided(course: Course, cause: Cause, detail: string): { readonly lost: Fate } {
  return { lost: course.cannotTell('reply', cause, detail, 'reply') };
}
