import type { Course, Fate, Packet } from '../course.js';
import { Course as AnswerCourse } from '../course.js';
import type { Found } from '../fib.js';
import type { Device } from '../host.js';
import { inverted, SRC_NAT, type Tuple } from '../nftables/connection.js';
import type { Frame } from '../nftables/frame.js';
import { makeFrame } from '../nftables/headers.js';
import { sameTuple } from '../nftables/hooks.js';
import type { Cause } from '../verdict.js';
import { passEntrance, passPrograms } from './firewall.js';
import { passForwardingHooks } from './forwarding.js';
import { acknowledgement, adopt } from './packets.js';
import { routeIncoming } from './routing.js';
import { stopped } from './stopped.js';

/** Does what this host answers for somebody else get back? `fate`: surely not, or that cannot be told. */
export interface ForwardedAnswer {
  readonly comesBack: boolean;
  readonly fate: Fate | null;
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
  const fate = follow(answer, frame, device);
  for (const { action, detail } of answer.steps) course.step('reply', action, detail, 'reply');
  if (fate.cause?.code !== 'forwarded') return { comesBack: false, fate: lost(course, fate) };
  course.doubts.push(...answer.doubts);
  if (!course.asked || !sameTuple(frame.tuple, inverted(course.asked))) return leftOpen;
  return restOfHandshake(course, device);
}

/**
 * Whom it is sent to may answer past this host: by a way of its own where it stands behind a router,
 * and to a peer on its own link at once, unless it believes to have been asked by this host.
 */
function returnsHere(
  { connection, device: arrival }: Course,
  device: Device,
  gateway: string | null,
): boolean {
  if (!connection || device.vrf || arrival.vrf) return false;
  if (!device.link.up || !(device.link.lowerUp || device.link.loopback)) return false;
  return connection.has(SRC_NAT) || (gateway === null && device !== arrival);
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
  const answer = new AnswerCourse(
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

/** In by the interface, routed, and out: that it is sent on is what is hoped for. */
function follow(answer: Course, frame: Frame, device: Device): Fate {
  passPrograms(answer, 'reply');
  const early = passEntrance(answer, frame, 'reply', device);
  if (early) return stopped(answer, early, frame);
  adopt(answer, frame);
  const to = answer.packet.destinationText;
  return routeIncoming(answer) ?? answer.cannotTell('routing', notThrough(to), notThrough(to).what);
}

function notThrough(to: string) {
  return { code: 'not-evaluated', what: `what becomes of an answer to ${to} itself` } as const;
}

/** The peer waits in vain. What no cause says of an answer is told in the words of its last step. */
function lost(course: Course, { outcome, cause }: Fate): Fate {
  const stage = 'reply';
  const { detail } = course.steps.at(-1)!;
  if (outcome === 'unknown') return { outcome, stage, cause, symptom: null };
  if (cause && 'direction' in cause)
    return {
      outcome,
      stage,
      cause: { ...cause, direction: 'reply' } as Cause,
      symptom: 'ETIMEDOUT',
    };
  const what = `whether an answer gets back: ${detail}`;
  return { outcome: 'unknown', stage, cause: { code: 'not-evaluated', what }, symptom: null };
}

/** The peer's third packet goes where the first one went, as part of a connection that is known. */
function restOfHandshake(course: Course, out: Device): ForwardedAnswer {
  const { packet, arrival, host, request } = course;
  if (packet.protocol === 'udp') return { comesBack: true, fate: null };
  const frame = acknowledgement(course, arrival.link.mtu)!;
  const early = passEntrance(course, frame, 'request', arrival);
  if (early) return { comesBack: false, fate: stopped(course, early, frame) };
  const { source, sourcePort, destination, destinationPort, mark } = packet;
  const first: Tuple = { source, sourcePort, destination, destinationPort };
  const marked = frame.mark !== mark && host.policy[packet.family].looksAtMarks;
  if (marked || !sameTuple(frame.tuple, first)) return leftOpen;
  const stop = passForwardingHooks(course, frame, out);
  if (stop) return { comesBack: false, fate: stopped(course, stop, frame) };
  return { comesBack: request !== null && sameTuple(frame.tuple, request.tuple), fate: null };
}
