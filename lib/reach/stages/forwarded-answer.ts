import { isMulticast, sameAddress } from '../../model/address.js';
import { formatEndpoint } from '../../model/endpoint.js';
import { addressToNumber } from '../../model/prefix-set.js';
import type { Endpoint } from '../../model/socket.js';
import { Course, detailOf, type Fate, type Packet } from '../course.js';
import type { Found } from '../fib.js';
import type { Device } from '../host.js';
import { inverted, SRC_NAT, type Tuple } from '../nftables/connection.js';
import type { Frame } from '../nftables/frame.js';
import { makeFrame } from '../nftables/headers.js';
import { type Stop, sameTuple } from '../nftables/hooks.js';
import type { Cause } from '../verdict.js';
import { passEntrance, passHook, passPrograms } from './firewall.js';
import { passForwardingHooks } from './forwarding.js';
import { acknowledgement, adopt } from './packets.js';
import { routeIncoming } from './routing.js';
import { stopped } from './stopped.js';

/** Does what this host answers for somebody else get back? `fate`: surely not, or that cannot be told. */
export interface ForwardedAnswer {
  readonly comesBack: boolean;
  readonly fate: Fate | null;
}

/** Whom rules send it to instead of whom it asked for; `null` where they do not. */
export function sentOnTo({ asked, packet, request }: Course): Endpoint | null {
  if (asked === null || request === null || request.isReply) return null;
  const { destination, destinationText: address, destinationPort: port } = packet;
  if (asked.destination === destination && asked.destinationPort === port) return null;
  return { address, port };
}

const leftOpen: ForwardedAnswer = { comesBack: false, fate: null };

/**
 * The answer to a packet whose destination rules have translated comes back through this host, or is
 * nothing to the peer: for only here it is translated back. It is taken to come by the interface that
 * the packet left by, from the one it was sent to, and meets what every packet does there; then the
 * rest of the handshake follows the first packet.
 */
export function passForwardedAnswer(course: Course, { device, nexthop }: Found): ForwardedAnswer {
  const { request } = course;
  if (!device || !request || !returnsHere(course, device, nexthop?.gateway ?? null))
    return leftOpen;
  const frame = answerTo(course, request, device);
  const answer = courseOfAnswer(course, frame, device);
  const fate = follow(answer, frame, device, course.fromHere);
  for (const { action, detail } of answer.steps) course.step('reply', action, detail, 'reply');
  if (fate) return { comesBack: false, fate: lost(course, fate) };
  course.doubts.push(...answer.doubts);
  if (!course.asked || !sameTuple(frame.tuple, inverted(course.asked))) return leftOpen;
  return restOfHandshake(course, device);
}

/**
 * Whom it is sent to may answer past this host: by a way of its own where it stands behind a router,
 * and to a peer on its own link at once, unless it believes to have been asked by this host. Who asks a
 * broadcast address takes an answer from anybody.
 */
function returnsHere(course: Course, device: Device, gateway: string | null): boolean {
  const { connection, device: arrival, fromHere } = course;
  if (asksMany(course) || !connection || device.vrf || arrival.vrf) return false;
  if (!device.link.up || !(device.link.lowerUp || device.link.loopback)) return false;
  if (device === arrival && device.link.kind === 'bridge' && asksItself(course)) return false;
  return connection.has(SRC_NAT) || (gateway === null && (fromHere || device !== arrival));
}

function asksMany({ asked, host }: Course): boolean {
  const { destination } = asked!;
  if (isMulticast(destination)) return true;
  if (destination.family === 'ipv6') return false;
  return (
    destination.a === -1 || host.policy.ipv4.localEntry(destination)?.route.type === 'broadcast'
  );
}

/** A bridge sends nothing out by the port that it came in by, unless that port is told to. */
function asksItself({ asked, packet, peer }: Course): boolean {
  const { destination } = packet;
  const itself = sameAddress(asked!.source, destination);
  if (peer?.isPeer(asked!.source)) {
    const number = addressToNumber(destination);
    peer.asks(`is ${packet.destinationText}`, () => [{ first: number, last: number }], itself);
  }
  return itself;
}

function answerTo(course: Course, { tuple }: Frame, device: Device): Frame {
  const { packet } = course;
  const sender = { ttl: 64, mtu: device.link.mtu };
  const kind = packet.protocol === 'tcp' ? 'syn-ack' : 'udp';
  return makeFrame(kind, packet.family, inverted(tuple), sender, true);
}

/** The answer arrives as a packet of its own, of a connection that is known. */
function courseOfAnswer(course: Course, frame: Frame, device: Device): Course {
  const packet: Packet = { ...course.packet, mark: 0 };
  const { host, flow, choices, peer } = course;
  const answer = new Course(
    host,
    { protocol: flow.protocol, ingress: device.name, destination: flow.destination },
    packet,
    false,
    choices,
    peer,
  );
  answer.arrival = device;
  answer.device = device.seenAs;
  answer.inputIndex = device.index;
  answer.connection = course.connection;
  answer.asked = { ...frame.tuple };
  answer.request = frame;
  adopt(answer, frame);
  return answer;
}

/** In by the interface, routed, and out again, or up to this host where it has asked itself. */
function follow(answer: Course, frame: Frame, device: Device, isOurs: boolean): Fate | null {
  passPrograms(answer, 'reply');
  const early = passEntrance(answer, frame, 'reply', device);
  if (early) return stopped(answer, early, frame);
  adopt(answer, frame);
  const routed = routeIncoming(answer);
  if (routed) return routed.cause?.code === 'forwarded' && !isOurs ? null : routed;
  if (!isOurs) {
    const what = `what becomes of an answer to ${answer.packet.destinationText} itself`;
    return answer.cannotTell('routing', { code: 'not-evaluated', what }, what);
  }
  const stop = passHook(answer, 'input', frame, 'reply', device);
  return stop && stopped(answer, stop, frame);
}

/**
 * The peer waits in vain, unless it is refused: that may get back. What no cause says of an answer is
 * told in the words of its last step.
 */
function lost(course: Course, { outcome, cause }: Fate): Fate {
  const stage = 'reply';
  const detail = detailOf(course.steps.at(-1)!);
  if (outcome === 'unknown') return { outcome, stage, cause, symptom: null };
  if (cause && 'direction' in cause) {
    const told = { ...cause, direction: 'reply' } as Cause;
    return { outcome, stage, cause: told, symptom: mayBeRefused(course) };
  }
  const what = `whether an answer gets back: ${detail}`;
  return { outcome: 'unknown', stage, cause: { code: 'not-evaluated', what }, symptom: null };
}

/** The peer's third packet goes where the first one went, as part of a connection that is known. */
function restOfHandshake(course: Course, out: Device): ForwardedAnswer {
  const { packet, arrival, request, fromHere } = course;
  if (packet.protocol === 'udp') return { comesBack: true, fate: null };
  const frame = acknowledgement(course, fromHere ? out.link.mtu : arrival.link.mtu)!;
  const stop = fromHere ? leave(course, frame, out) : passOn(course, frame, out);
  if (stop === 'elsewhere') return leftOpen;
  if (stop) {
    const fate = { ...stopped(course, stop, frame), symptom: mayBeRefused(course) };
    return { comesBack: false, fate };
  }
  return { comesBack: request !== null && sameTuple(frame.tuple, request.tuple), fate: null };
}

function passOn(course: Course, frame: Frame, out: Device): Stop | 'elsewhere' | null {
  const early = passEntrance(course, frame, 'request', course.arrival);
  if (early) return early;
  const { source, sourcePort, destination, destinationPort } = course.packet;
  const first: Tuple = { source, sourcePort, destination, destinationPort };
  if (isRoutedAnew(course, frame) || !sameTuple(frame.tuple, first)) return 'elsewhere';
  return passForwardingHooks(course, frame, out);
}

/** What this host itself sends is routed before it is translated, and once more behind the hook. */
function leave(course: Course, frame: Frame, out: Device): Stop | 'elsewhere' | null {
  const { arrival: before } = course;
  frame.output = before;
  const stop = passHook(course, 'output', frame, 'request', before);
  if (stop || isRoutedAnew(course, frame)) return stop ?? 'elsewhere';
  frame.output = out;
  return (
    passHook(course, 'postrouting', frame, 'request', out) ??
    passHook(course, 'egress', frame, 'request', out)
  );
}

/** Another mark may lead another way. */
function isRoutedAnew({ packet, host }: Course, { mark }: Frame): boolean {
  return mark !== packet.mark && host.policy[packet.family].looksAtMarks;
}

/** Whether anybody listens there is known there alone. */
function mayBeRefused(course: Course): null {
  const { destinationText: address, destinationPort: port } = course.packet;
  const there = formatEndpoint({ address, port });
  return course.cannotSee({ code: 'not-evaluated', what: `whether ${there} refuses it` });
}
