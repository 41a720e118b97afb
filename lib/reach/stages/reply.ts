import { type Address, formatAddress, isLinkLocal, isLoopback } from '../../model/address.js';
import { isAnycast } from '../anycast.js';
import type { Course, Fate, WayBack } from '../course.js';
import type { Device, Receiver } from '../host.js';
import { DST_NAT, inverted, SRC_NAT } from '../nftables/connection.js';
import type { Frame } from '../nftables/frame.js';
import { sameTuple } from '../nftables/hooks.js';
import { keyTo } from '../policy.js';
import type { Symptom } from '../verdict.js';
import {
  answerMark,
  astray,
  errorSource,
  type KernelAnswer,
  possibleSources,
  rerouted,
  type Way,
  wayOf,
} from './answer-route.js';
import { bridgeAsks } from './bridge.js';
import { passEgressPrograms, passEntrance, passHook } from './firewall.js';
import { replyFrame } from './packets.js';
import { stopped } from './stopped.js';
import { takenExit } from './ways.js';

const ETHERNET = 1; // ARPHRD_ETHER
const NO_HEADER = 0xfffe; // ARPHRD_NONE

/** The answer is routed back, passes the output hooks, and is seen off by its interface. */
export function passReply(course: Course): Fate | null {
  const left = course.destinationType === 'broadcast' ? leaveForAny(course) : leaveForOne(course);
  if ('outcome' in left) return left;
  const { device, gateway, others } = left;
  const via = gateway ? ` via ${gateway}` : '';
  const also = others.map((other) => ` or ${other.name}`).join('');
  const stray = !course.fromHere && device !== course.device;
  const mind = stray ? `, not by ${course.device.name}: a strict filter of the peer may mind` : '';
  course.step('reply', 'pass', `the answer leaves by ${device.name}${also}${via}${mind}`, 'reply');
  return null;
}

function leaveForOne(course: Course): WayBack | Fate {
  const way = wayOfTakers(course);
  if ('lost' in way) return way.lost;
  return leave(course, way, answerOfSocket(course, way, course.receiver!));
}

/** All takers of a broadcast get it, and one answer is enough. */
function leaveForAny(course: Course): WayBack | Fate {
  let fate: Fate | null = null;
  const before = course.steps.length;
  for (const taker of course.takers) {
    const steps = course.steps.length;
    const way = wayOf(course, 'socket', taker);
    const left = 'lost' in way ? way.lost : leave(course, way, answerOfSocket(course, way, taker));
    if (!('outcome' in left)) return left;
    if (fate === null || (left.outcome === 'unknown' && fate.outcome !== 'unknown')) {
      course.steps.splice(before, steps - before);
      fate = left;
    } else course.steps.length = steps;
  }
  return fate!;
}

/** The SYN-ACK of a listener, or the datagram of a program. */
function answerOfSocket(course: Course, way: WayBack, receiver: Receiver): Frame | null {
  if (!course.request) return null;
  const tcp = course.packet.protocol === 'tcp';
  const { mark, uid } = receiver.socket;
  const frame = replyFrame(
    course,
    tcp ? 'syn-ack' : 'udp',
    way.device,
    uid,
    mark === null ? null : answerMark(course, 'socket', receiver),
  );
  const sources = tcp || !frame ? [] : possibleSources(course, receiver);
  if (frame && sources.length > 0) {
    const chosen =
      sources.length > 1 ? course.choices.choose(sources.length, 'reply', leftToProgram) : 0;
    frame.setSource(sources[chosen]!, frame.tuple.sourcePort);
  }
  return frame;
}

function leftToProgram() {
  const what = 'whether the program answers from the address it was asked at';
  return { code: 'not-evaluated', what } as const;
}

/**
 * A symptom that needs an answer of the kernel's own: silence where that answer finds no way; null
 * where it cannot be told whether it does.
 */
export function withAnswer(
  course: Course,
  symptom: Symptom,
  answer: KernelAnswer,
  refused: Frame | null = null,
  by: 'route' | 'device' = 'route',
): Symptom | null {
  if (symptom === 'ETIMEDOUT') return symptom;
  const reset = answer === 'reset' || answer === 'reject-reset' || by === 'device';
  const { asked } = course;
  // What rules have translated is answered from where it was sent to, and so is a reset.
  const fromAsked = asked && (reset || asked.destination !== course.packet.destination);
  if (fromAsked && isNoSource(course, asked.destination)) return 'ETIMEDOUT';
  if (!course.fromHere && isTranslated(course, SRC_NAT) && isLinkLocal(course.packet.source)) {
    const what = `by which link an answer leaves to ${course.packet.sourceText} from a translated address`;
    return course.cannotSee({ code: 'not-evaluated', what });
  }
  if (!reset && goesToAnycast(course)) return 'ETIMEDOUT';
  const recorded = course.steps.length;
  const lost = by === 'device' ? returnBy(course, answer, refused!) : send(course, answer, refused);
  course.steps.length = recorded; // the answer's own story is not the packet's
  if (lost?.outcome === 'unknown') return course.cannotSee(lost.cause!);
  return lost ? 'ETIMEDOUT' : symptom;
}

/** No error is sent to an address that may be anybody's. */
function goesToAnycast({ host, packet, fromHere }: Course): boolean {
  const { family, source } = packet;
  if (family === 'ipv4' || fromHere) return false;
  const answer = host.policy.ipv6.lookup(keyTo(source, { mark: packet.mark }));
  return answer.kind === 'found' && isAnycast(answer.found, source);
}

function isTranslated({ request }: Course, status = SRC_NAT | DST_NAT): boolean {
  const tracking = request?.tracking ?? null;
  return tracking !== null && tracking !== 'untracked' && tracking.connection.has(status);
}

/** From 255.255.255.255, and from ::1, no other host takes anything (ip_route_input_slow, ip6_rcv_core). */
function isNoSource({ fromHere }: Course, address: Address): boolean {
  if (address.family === 'ipv4') return address.a === -1;
  return !fromHere && isLoopback(address);
}

/** What the kernel answers by itself, on its way: its fate where it is lost. */
function send(course: Course, answer: KernelAnswer, refused: Frame | null): Fate | null {
  const way = wayOf(course, answer, null);
  if ('lost' in way) return way.lost;
  const frame = answerOfKernel(course, way, answer, refused);
  if (answer === 'reject-reset') {
    // What a bridge has brought is reset by the port it came in by (nf_send_reset, nf_send_reset6),
    // past the hooks that would undo what rules have translated.
    if (frame && bridgeAsks(course) && refusesByProtocol(course)) {
      const what = 'whether rules for TCP keep a reset from leaving by the port of a bridge';
      return course.cannotTell('reply', { code: 'not-evaluated', what }, what, 'reply');
    }
    if (frame && bridgeAsks(course))
      return leaveAtOnce(course, course.arrival, frame, 'ports') ?? untranslated(course);
    // nf_send_reset6 names no interface: a link-local peer is looked for by whichever comes first.
    if (isLinkLocal(course.packet.source) && way.device !== course.device) {
      const what = `whether ${course.packet.sourceText} stands on the link of ${way.device.name} too`;
      return course.cannotTell('reply', { code: 'not-evaluated', what }, what, 'reply');
    }
  }
  const left = leave(course, way, frame);
  return 'outcome' in left ? left : null;
}

/** A policy rule selects by the protocol. */
function refusesByProtocol({ host, packet: { family } }: Course): boolean {
  return host.state.rules.some((rule) => rule.family === family && rule.ipProtocol !== null);
}

/** nft_reject_netdev_eval: the answer is sent back by the device, past routing and conntrack. */
function returnBy(course: Course, answer: KernelAnswer, refused: Frame): Fate | null {
  const device = refused.input!;
  const kind = answer === 'reject-reset' ? 'reset' : 'icmp-error';
  const frame = replyFrame(course, kind, device, 'none', 0);
  if (!frame) return null;
  const headless = withoutHeader(course, device);
  if (headless) return headless;
  const lost = leaveAtOnce(course, device, frame, 'own');
  if (lost) return lost;
  return course.fromHere ? martianOverLoopback(course, device) : translatedBefore(course, kind);
}

/** nft_reject_netdev_eval answers by turning the link header round: without one nothing gets out. */
function withoutHeader(course: Course, { link, name }: Device): Fate | null {
  if (link.hardwareType === ETHERNET || link.loopback) return null;
  if (link.hardwareType !== NO_HEADER) {
    const what = `how a packet is answered on ${name}, which is no Ethernet`;
    return course.cannotTell('reply', { code: 'not-evaluated', what }, what, 'reply');
  }
  const destination = course.packet.sourceText;
  const cause = { code: 'no-route', destination, direction: 'reply' } as const;
  const detail = `${name} has no link header to answer by`;
  return course.fails('reply', cause, 'ETIMEDOUT', detail, 'reply');
}

/** What comes by lo without having been routed is routed there, and IPv4 takes it to be forged. */
function martianOverLoopback(course: Course, device: Device): Fate | null {
  const { family, source, sourceText, destination } = course.packet;
  const loopback = isLoopback(source) || isLoopback(destination);
  const taken = device.acceptLocal && (device.routeLocalnet || !loopback);
  if (family === 'ipv6' || taken) return null;
  const cause = { code: 'martian-source', source: sourceText, interface: device.name } as const;
  return course.fails(
    'reply',
    cause,
    'ETIMEDOUT',
    `${sourceText} is a martian on ${device.name}`,
    'reply',
  );
}

/** Out by a device, and for what comes back by lo in again. */
function leaveAtOnce(
  course: Course,
  device: Device,
  frame: Frame,
  part: 'ports' | 'own',
): Fate | null {
  frame.output = device;
  const stop = passHook(course, 'egress', frame, 'reply', device, part);
  if (stop) return stopped(course, stop, frame);
  passEgressPrograms(course, device);
  return course.fromHere ? comeIn(course, device, frame) : null;
}

/** What goes over lo arrives there. */
function comeIn(course: Course, device: Device, frame: Frame): Fate | null {
  const early = passEntrance(course, frame, 'reply', device);
  if (early) return stopped(course, early, frame);
  const stop = passHook(course, 'input', frame, 'reply', device);
  return stop && stopped(course, stop, frame);
}

/**
 * What a rule or routing answers belongs to the connection it speaks of (nf_ct_attach). A packet
 * that has come as far as its protocol has shed that (nf_reset_ct): conntrack finds it out again.
 */
function answerOfKernel(
  course: Course,
  way: WayBack,
  answer: KernelAnswer,
  refused: Frame | null,
): Frame | null {
  const resets = answer === 'reset' || answer === 'reject-reset';
  const mark = answerMark(course, answer, null);
  const kind = resets ? 'reset' : 'icmp-error';
  const frame = replyFrame(course, kind, way.device, 'none', mark);
  if (!frame) return null;
  if (!resets) {
    const source = errorSource(course, answer);
    if (source) frame.setSource(source, frame.tuple.sourcePort);
  }
  const about = answer === 'route-error' ? (refused ?? course.request) : refused;
  if (!about) return frame;
  const { tracking } = about;
  if (tracking === 'untracked') frame.speaksOfUntracked = true;
  else if (tracking !== null)
    frame.tracking = { connection: tracking.connection, state: 'related', direction: 'reply' };
  return frame;
}

/** The way out: the hooks, the device's own, and for what goes over lo those of its arrival. */
function leave(course: Course, way: WayBack, frame: Frame | null): WayBack | Fate {
  course.wayBack = way;
  let device = frame ? takenExit(course, [way.device, ...way.others]) : way.device;
  let taken = way;
  if (frame) frame.output = device;
  const stopAt = passHook(course, 'output', frame, 'reply', device);
  if (stopAt) return stopped(course, stopAt, frame!);
  if (frame?.isRerouted) {
    const other = rerouted(course, frame);
    if ('lost' in other) return other.lost;
    taken = other;
    course.wayBack = other;
    device = takenExit(course, [other.device, ...other.others]);
    frame.output = device;
  }
  if (frame && course.fromHere && !device.link.loopback) {
    const out = `the route back takes the answer out of this host by ${device.name}`;
    return astray(course, out).lost;
  }
  for (const hook of ['postrouting', 'egress'] as const) {
    const stop = passHook(course, hook, frame, 'reply', device);
    if (stop) return stopped(course, stop, frame!);
  }
  passEgressPrograms(course, device);
  if (!frame) return taken;
  const lost = course.fromHere ? comeIn(course, device, frame) : null;
  return lost ?? strange(course, frame) ?? taken;
}

/** An error whose quotation was not translated back speaks of a packet that the peer never sent. */
function unrelated(course: Course, { tracking }: Frame): Fate | null {
  if (tracking !== null && tracking !== 'untracked') return null;
  const what = 'an error about a packet that rules have translated';
  return course.fails('reply', { code: 'not-evaluated', what }, 'ETIMEDOUT', what, 'reply');
}

/** What rules for a bridge have translated already, a device answers as it stands: the peer asked for another. */
function translatedBefore(course: Course, kind: 'reset' | 'icmp-error'): Fate | null {
  if (kind === 'reset') return untranslated(course);
  if (!isTranslated(course)) return null;
  const what = 'an error about a packet that rules have translated';
  return course.fails('reply', { code: 'not-evaluated', what }, 'ETIMEDOUT', what, 'reply');
}

/** A reset from somebody whom the peer never asked is nothing to it. */
function untranslated(course: Course): Fate | null {
  if (!isTranslated(course)) return null;
  const what = 'a reset whose translation is not undone';
  return course.fails('reply', { code: 'not-evaluated', what }, 'ETIMEDOUT', what, 'reply');
}

/** An answer whose translation was not undone comes from somebody whom the peer never asked. */
function strange(course: Course, frame: Frame): Fate | null {
  const { asked, request } = course;
  if (!asked || !request) return null;
  if (frame.kind === 'icmp-error') return isTranslated(course) ? unrelated(course, frame) : null;
  if (isNoSource(course, frame.tuple.source)) {
    const interfaceName = frame.output?.name ?? course.device.name;
    const source = formatAddress(frame.tuple.source);
    const cause = { code: 'martian-source', source, interface: interfaceName } as const;
    const detail = `the answer is from ${source}, which no host takes`;
    return course.fails('reply', cause, 'ETIMEDOUT', detail, 'reply');
  }
  if (!isTranslated(course) || sameTuple(frame.tuple, inverted(asked))) return null;
  const what = 'an answer whose translation is not undone';
  return course.cannotTell('reply', { code: 'not-evaluated', what }, what, 'reply');
}

/** The way of whoever answers: of a group any one member may, so that all must have the same way. */
function wayOfTakers(course: Course): Way {
  const [first, ...rest] = course.takers as [Receiver, ...Receiver[]];
  const way = wayOf(course, 'socket', first);
  for (const taker of rest) {
    const steps = course.steps.length;
    const other = wayOf(course, 'socket', taker);
    course.steps.length = steps;
    if ('lost' in way !== 'lost' in other) {
      const what = 'which member of the group takes it: their answers go different ways';
      return { lost: course.cannotTell('reply', { code: 'not-evaluated', what }, what, 'reply') };
    }
  }
  return way;
}
