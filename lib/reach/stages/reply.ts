import { isLoopback } from '../../model/address.js';
import type { Course, Fate, WayBack } from '../course.js';
import type { Receiver } from '../host.js';
import { DST_NAT, inverted, SRC_NAT } from '../nftables/connection.js';
import type { Frame } from '../nftables/frame.js';
import { sameTuple } from '../nftables/hooks.js';
import type { Symptom } from '../verdict.js';
import {
  answerMark,
  freeSource,
  type KernelAnswer,
  rerouted,
  type Way,
  wayOf,
} from './answer-route.js';
import { passEgressPrograms, passHook } from './firewall.js';
import { arriveOn, replyFrame } from './packets.js';
import { stopped } from './stopped.js';

/** The answer is routed back, passes the output hooks, and is seen off by its interface. */
export function passReply(course: Course): Fate | null {
  const way = wayOfTakers(course);
  if ('lost' in way) return way.lost;
  const left = leave(course, way, answerOfSocket(course, way));
  if ('outcome' in left) return left;
  const { device, gateway, others } = left;
  const via = gateway ? ` via ${gateway}` : '';
  const also = others.map((other) => ` or ${other.name}`).join('');
  const stray = !course.fromHere && device !== course.device;
  const mind = stray ? `, not by ${course.device.name}: a strict filter of the peer may mind` : '';
  course.step('reply', 'pass', `the answer leaves by ${device.name}${also}${via}${mind}`, 'reply');
  return null;
}

/** The SYN-ACK of a listener, or the datagram of a program. */
function answerOfSocket(course: Course, way: WayBack): Frame | null {
  if (!course.request) return null;
  const receiver = course.receiver!;
  const tcp = course.packet.protocol === 'tcp';
  const { mark, uid } = receiver.socket;
  const frame = replyFrame(
    course,
    tcp ? 'syn-ack' : 'udp',
    way.device,
    uid,
    mark === null ? null : answerMark(course, 'socket', receiver),
  );
  const free = tcp ? null : freeSource(course, receiver);
  if (frame && free && course.choices.choose(2, 'reply', leftToProgram) === 1)
    frame.setSource(free, frame.tuple.sourcePort);
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
): Symptom | null {
  if (symptom === 'ETIMEDOUT') return symptom;
  // No other host takes what comes from ::1 (ip6_rcv_core).
  const { asked, fromHere } = course;
  if (asked?.destination.family === 'ipv6' && !fromHere && isLoopback(asked.destination))
    return 'ETIMEDOUT';
  const recorded = course.steps.length;
  const way = wayOf(course, answer, null);
  const lost =
    'lost' in way ? way.lost : leave(course, way, answerOfKernel(course, way, answer, refused));
  course.steps.length = recorded; // the answer's own story is not the packet's
  if ('outcome' in lost) return lost.outcome === 'unknown' ? null : 'ETIMEDOUT';
  return symptom;
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
  const about = answer === 'route-error' ? (refused ?? course.request) : refused;
  if (!frame || !about) return frame;
  const { tracking } = about;
  if (tracking !== null && tracking !== 'untracked')
    frame.tracking = { connection: tracking.connection, state: 'related', direction: 'reply' };
  return frame;
}

/** The way out: the hooks, the device's own, and for what goes over lo those of its arrival. */
function leave(course: Course, way: WayBack, frame: Frame | null): WayBack | Fate {
  course.wayBack = way;
  let { device } = way;
  let taken = way;
  if (frame) frame.output = device;
  const stopAt = passHook(course, 'output', frame, 'reply', device);
  if (stopAt) return stopped(course, stopAt, frame!);
  if (frame?.isRerouted) {
    const other = rerouted(course, frame);
    if ('lost' in other) return other.lost;
    taken = other;
    course.wayBack = other;
    device = other.device;
    frame.output = device;
  }
  for (const hook of ['postrouting', 'egress'] as const) {
    const stop = passHook(course, hook, frame, 'reply', device);
    if (stop) return stopped(course, stop, frame!);
  }
  passEgressPrograms(course, device);
  if (!frame) return taken;
  if (course.fromHere) {
    for (const hook of ['ingress', 'prerouting', 'input'] as const) {
      arriveOn(course, frame, device);
      const stop = passHook(course, hook, frame, 'reply', device);
      if (stop) return stopped(course, stop, frame);
    }
  }
  return strange(course, frame) ?? taken;
}

/** An answer whose translation was not undone comes from somebody whom the peer never asked. */
function strange(course: Course, frame: Frame): Fate | null {
  const { asked, request } = course;
  if (!asked || !request || !frame.hasPorts) return null;
  const { tracking } = request;
  const translated =
    tracking !== null && tracking !== 'untracked' && tracking.connection.has(SRC_NAT | DST_NAT);
  if (!translated || sameTuple(frame.tuple, inverted(asked))) return null;
  const what = 'an answer whose translation is not undone';
  return course.cannotTell('reply', { code: 'not-evaluated', what }, what, 'reply');
}

/**
 * The way of whoever answers. All takers of a broadcast get it, and one answer is enough; of a
 * group any one member may, so that all must have the same way.
 */
function wayOfTakers(course: Course): Way {
  const [first, ...rest] = course.takers as [Receiver, ...Receiver[]];
  if (course.request && course.destinationType !== 'local') {
    const what = 'what rules make of the answer to a packet for many';
    return { lost: course.cannotTell('reply', { code: 'not-evaluated', what }, what, 'reply') };
  }
  let way = wayOf(course, 'socket', first);
  for (const taker of rest) {
    const steps = course.steps.length;
    const other = wayOf(course, 'socket', taker);
    course.steps.length = steps;
    if (course.destinationType === 'broadcast') {
      if ('lost' in way) way = other;
    } else if ('lost' in way !== 'lost' in other) {
      const what = 'which member of the group takes it: their answers go different ways';
      return { lost: course.cannotTell('reply', { code: 'not-evaluated', what }, what, 'reply') };
    }
  }
  return way;
}
