import {
  type Address,
  formatAddress,
  ipv4,
  ipv6,
  isLinkLocal,
  isLoopback,
  isMulticast,
  isUnspecified,
  unspecified,
} from '../../model/address.js';
import type { Family } from '../../model/socket.js';
import type { Course, Fate } from '../course.js';
import type { Found, RouteKey } from '../fib.js';
import { type Device, LOOPBACK_INDEX } from '../host.js';
import type { Frame } from '../nftables/frame.js';
import { unknownUser } from '../ready-rule.js';
import { isReady, selectSourceIpv6 } from '../source-address.js';
import type { Symptom } from '../verdict.js';
import { chosenSource } from './chosen-source.js';
import { passEgressPrograms, passHook } from './firewall.js';
import { passForwardedAnswer, sentOnTo } from './forwarded-answer.js';
import { discard, leadsNowhere } from './nowhere.js';
import { adopt, requestFrame } from './packets.js';
import { describeRoute, refusalOf } from './routing.js';
import { stopped } from './stopped.js';
import { takenWay } from './ways.js';

const limitedBroadcast = -1; // 255.255.255.255

/**
 * A flow that this host sends: output routing chooses source and way (ip_route_connect in
 * include/net/route.h, ip6_dst_lookup_flow in net/ipv6/ip6_output.c), then the output hooks.
 */
export function passOrigin(course: Course): Fate | null {
  const { packet, flow, host } = course;
  const given = flow.source !== undefined && !isUnspecified(packet.source);
  if (given && !standsHere(course, packet.source)) {
    return course.fails(
      'routing',
      { code: 'source-not-ours', source: packet.sourceText },
      'EADDRNOTAVAIL',
      `${packet.sourceText} is not an address of this host: bind() refuses it`,
    );
  }
  if (isUnspecified(packet.destination)) {
    setDestination(course, packet.family === 'ipv4' ? ipv4(0x7f000001) : ipv6(0, 0, 0, 1));
    course.step('routing', 'pass', `the unspecified address means ${packet.destinationText} here`);
  }
  if (isMulticast(packet.destination) || packet.destination.a === limitedBroadcast) {
    return toMany(course, isMulticast(packet.destination) ? 'multicast' : 'broadcast');
  }
  const chosen = chooseRoute(course, given);
  if ('outcome' in chosen) return chosen;
  const { loopback } = host;
  const stays = staysHere(packet.family, chosen);
  const out = (stays ? loopback : chosen.device) ?? null;
  const frame = out && requestFrame(course, out.link.mtu);
  const martian = stays ? null : martianSource(course, chosen, 'EINVAL');
  if (martian) return martian;
  if (!stays && !frame)
    return leadsNowhere(chosen) ? discard(course, chosen) : leaves(course, chosen);
  const sent = frame ? passOutput(course, frame, chosen, out!) : chosen;
  if ('outcome' in sent) return sent;
  return staysHere(packet.family, sent) ? overLoopback(course, sent) : leaves(course, sent);
}

/** The output hooks; a packet whose destination or mark they change is routed once more. */
function passOutput(course: Course, frame: Frame, chosen: Found, out: Device): Found | Fate {
  const { packet, host } = course;
  let found = chosen;
  let device: Device = out;
  course.arrival = device;
  course.device = device;
  frame.output = device;
  const stop = passHook(course, 'output', frame, 'request', device);
  adopt(course, frame);
  if (stop) {
    // It was routed again at once, before the chain that stops it was asked.
    const routed = frame.isRerouted ? reroute(course, frame) : chosen;
    if ('outcome' in routed) return routed;
    return stopped(course, stop, frame, staysHere(packet.family, routed));
  }
  if (frame.isRerouted) {
    const answer = reroute(course, frame);
    if ('outcome' in answer) return answer;
    found = answer;
    const next = staysHere(packet.family, found) ? host.loopback : found.device;
    if (!next) return leaves(course, found);
    device = next;
    frame.output = device;
  }
  if (leadsNowhere(found)) return discard(course, found);
  course.requestAtRouting = { ...frame.tuple };
  for (const hook of ['postrouting', 'egress'] as const) {
    const late = passHook(course, hook, frame, 'request', device);
    if (late) return stopped(course, late, frame);
  }
  course.requestAtRouting = { ...frame.tuple };
  adopt(course, frame);
  return found;
}

/** ip_route_me_harder, ip6_route_me_harder. */
function reroute(course: Course, frame: Frame): Found | Fate {
  const { packet, host } = course;
  const { source, destination } = frame.tuple;
  const policy = host.policy[packet.family];
  if (frame.mark === null && policy.looksAtMarks) {
    const what = 'the mark that the packet is routed by';
    return course.cannotTell('routing', { code: 'not-evaluated', what }, what);
  }
  const strict = isLinkLocal(destination);
  const answer = policy.lookup({
    destination,
    source,
    input: LOOPBACK_INDEX,
    output: strict ? (frame.output?.index ?? 0) : 0,
    strict,
    mark: frame.mark ?? 0,
    tos: 0,
    protocol: 0,
    sourcePort: 0,
    destinationPort: 0,
    uid: course.flow.uid ?? unknownUser,
  });
  if (answer.kind === 'found') {
    const symptom = packet.protocol === 'udp' ? 'EINVAL' : 'ETIMEDOUT';
    const found = strict ? answer.found : takenWay(course, answer.found);
    const martian = martianSource(course, found, symptom);
    if (martian) return martian;
    course.step('routing', 'pass', `${describeRoute(found)}: routed again`);
    return found;
  }
  const error = answer.kind === 'refused' ? answer.error : 'ENETUNREACH';
  const symptom = packet.protocol === 'udp' ? error : 'ETIMEDOUT';
  return refusalOf(course, 'routing', answer, 'request', symptom, packet.destinationText);
}

/** What stays here comes in again by lo. */
function overLoopback(course: Course, route: Found): Fate | null {
  const { loopback } = course.host;
  if (!loopback?.link.up) {
    const cause = { code: 'interface-down', interface: loopback?.name ?? 'lo' } as const;
    const detail = 'packets of this host to itself go over lo, which is down';
    return course.fails('device', cause, 'ETIMEDOUT', detail);
  }
  course.arrival = loopback;
  course.device = loopback;
  // Sockets take such a packet to have come in on the interface that owns the address, although it
  // goes over lo: rt_iif in ip_route_output_key_hash_rcu, IP6CB(skb)->iif in ip6_rcv_core.
  course.inputIndex = route.device?.index ?? LOOPBACK_INDEX;
  course.step('routing', 'pass', `${describeRoute(route)}: stays on this host, over lo`);
  if (!course.request) {
    for (const hook of ['output', 'postrouting', 'egress'] as const)
      passHook(course, hook, null, 'request', loopback);
  }
  passEgressPrograms(course, loopback, 'request');
  course.step('device', 'pass', 'arrives on lo');
  return null;
}

/** The route of the packet, after the source has been chosen with a first look; or its fate. */
function chooseRoute(course: Course, given: boolean): Found | Fate {
  const { packet, host } = course;
  const policy = host.policy[packet.family];
  const link = isLinkLocal(packet.destination) ? scopeOf(course) : 0;
  const key: RouteKey = {
    destination: packet.destination,
    source: given ? packet.source : unspecified(packet.family),
    input: LOOPBACK_INDEX,
    output: link,
    strict: link !== 0,
    mark: packet.mark,
    tos: 0,
    protocol: packet.protocolNumber,
    sourcePort: packet.sourcePort,
    destinationPort: packet.destinationPort,
    uid: course.flow.uid ?? unknownUser,
  };
  // IPv4 looks again with the source that the first look chose; IPv6 does so where it failed.
  const ipv4 = packet.family === 'ipv4';
  for (let looks = given ? 1 : 0; ; looks++) {
    // A source that is in another table's local route alone will not do (ip_route_output_key_hash_rcu).
    if (ipv4 && looks > 0 && !policy.mayBeSource(key.source)) return nothingToSendFrom(course);
    const answer = policy.lookup(key);
    if (answer.kind === 'refused' && !ipv4 && looks === 0) {
      const chosen = selectSourceIpv6(host, packet.destination, null);
      if (!chosen) return nothingToSendFrom(course);
      setSource(course, chosen);
      key.source = chosen;
      continue;
    }
    if (answer.kind !== 'found') {
      const error = answer.kind === 'refused' ? answer.error : 'ENETUNREACH';
      return refusalOf(course, 'routing', answer, 'request', error, packet.destinationText);
    }
    const found = link === 0 ? takenWay(course, answer.found) : answer.found;
    if (found.route.type === 'broadcast') return toMany(course, 'broadcast');
    if (looks > 0) return found;
    const source = chosenSource(course, packet.destination, found, 'request');
    if (!source) return nothingToSendFrom(course);
    setSource(course, source);
    if (!ipv4) return found;
    key.source = packet.source;
  }
}

/** A local route; and for IPv4 any by a loopback interface (RTCF_LOCAL in __mkroute_output). */
export function staysHere(family: Family, { route, device }: Found): boolean {
  if (route.type === 'local' || route.type === 'anycast') return true;
  return family === 'ipv4' && device?.link.loopback === true;
}

/** The interface that a link-local address of this host belongs to; 0 where it is none of ours. */
function scopeOf(course: Course): number {
  return course.host.owners(course.packet.destinationText)[0]?.device.index ?? 0;
}

/**
 * May a program of this host bind to the address? IPv4 asks the local table (inet_addr_valid_or_nonlocal),
 * IPv6 the addresses of the interfaces (inet6_bind: ipv6_chk_addr).
 */
function standsHere(course: Course, address: Address): boolean {
  const { host, packet } = course;
  if (host.setting(`net.${packet.family}.ip_nonlocal_bind`, 0) !== 0) return true;
  if (packet.family === 'ipv4') return host.policy.ipv4.isLocal(address);
  return host.owners(packet.sourceText).some(isReady);
}

/** ip_route_output_key_hash_rcu and ip6_route_get_saddr find no source to send from. */
function nothingToSendFrom(course: Course): Fate {
  const destination = course.packet.destinationText;
  return course.fails(
    'routing',
    { code: 'no-route', destination, direction: 'request' },
    course.packet.family === 'ipv4' ? 'ENETUNREACH' : 'EADDRNOTAVAIL',
    `no address of this host to send to ${destination} from`,
  );
}

function setSource(course: Course, address: Address): void {
  course.packet.source = address;
  course.packet.sourceText = formatAddress(address);
}

function setDestination(course: Course, address: Address): void {
  course.packet.destination = address;
  course.packet.destinationText = formatAddress(address);
}

/** __mkroute_output (net/ipv4/route.c): what is from 127.0.0.0/8 does not leave. */
function martianSource(course: Course, found: Found, symptom: Symptom): Fate | null {
  const { source, sourceText, family } = course.packet;
  const out = found.nexthop?.interface;
  if (family !== 'ipv4' || !isLoopback(source) || !out || found.device?.routeLocalnet) return null;
  if (staysHere(family, found)) return null;
  return course.fails(
    'routing',
    { code: 'martian-source', source: sourceText, interface: out },
    symptom,
    `${describeRoute(found)}: a packet from ${sourceText} may not leave by ${out} (route_localnet is off)`,
  );
}

function leaves(course: Course, found: Found): Fate {
  const out = found.nexthop?.interface ?? null;
  const gateway = found.nexthop?.gateway ?? null;
  const translatedTo = sentOnTo(course);
  const told = course.steps.length;
  const detail = `${describeRoute(found)}: ${course.packet.destinationText} is not an address of this host`;
  const fate = course.cannotTell(
    'routing',
    { code: 'leaves-this-host', interface: out, gateway },
    detail,
  );
  const answer = translatedTo && passForwardedAnswer(course, found);
  if (answer?.fate) {
    course.steps.splice(told, 1, {
      stage: 'routing',
      direction: 'request',
      action: 'forward',
      detail,
    });
    return answer.fate;
  }
  return answer?.comesBack ? { ...fate, letThroughTo: [translatedTo!] } : fate;
}

/** connect() to many: TCP never (tcp_v4_connect, tcp_v6_connect), UDP not without SO_BROADCAST. */
function toMany(course: Course, type: 'broadcast' | 'multicast'): Fate {
  const { packet } = course;
  const destination = packet.destinationText;
  const cause = { code: 'not-a-unicast-address', destination, type } as const;
  const detail = `${destination} is a ${type} address`;
  if (packet.protocol === 'tcp') return course.fails('routing', cause, 'ENETUNREACH', detail);
  if (type === 'broadcast') return course.fails('routing', cause, 'EACCES', detail);
  return course.cannotTell('routing', cause, detail);
}
