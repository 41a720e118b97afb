import type { Course, Fate } from '../course.js';
import type { Receiver } from '../host.js';
import type { Symptom } from '../verdict.js';
import { type KernelAnswer, type Way, wayOf } from './answer-route.js';
import { passEgressPrograms, passHook } from './firewall.js';

/** The answer is routed back, passes the output hooks, and is seen off by its interface. */
export function passReply(course: Course): Fate | null {
  const way = wayOfTakers(course);
  if ('lost' in way) return way.lost;
  leave(course, way);
  const { device, gateway, others } = way;
  const via = gateway ? ` via ${gateway}` : '';
  const also = others.map((other) => ` or ${other.name}`).join('');
  const stray = !course.fromHere && device !== course.device;
  const mind = stray ? `, not by ${course.device.name}: a strict filter of the peer may mind` : '';
  course.step('reply', 'pass', `the answer leaves by ${device.name}${also}${via}${mind}`, 'reply');
  return null;
}

/**
 * A symptom that needs an answer of the kernel's own: silence where that answer finds no way; null
 * where it cannot be told whether it does.
 */
export function withAnswer(course: Course, symptom: Symptom, answer: KernelAnswer): Symptom | null {
  if (symptom === 'ETIMEDOUT') return symptom;
  const recorded = course.steps.length;
  const way = wayOf(course, answer, null);
  course.steps.length = recorded; // the answer's own story is not the packet's
  if ('lost' in way) return way.lost.outcome === 'unknown' ? null : 'ETIMEDOUT';
  leave(course, way);
  return symptom;
}

function leave(course: Course, way: Exclude<Way, { lost: Fate }>): void {
  course.wayBack = way;
  passHook(course, 'output', 'reply', null);
  passHook(course, 'postrouting', 'reply', null);
  passHook(course, 'egress', 'reply', way.device);
  passEgressPrograms(course, way.device);
}

/**
 * The way of whoever answers. All takers of a broadcast get it, and one answer is enough; of a
 * group any one member may, so that all must have the same way.
 */
function wayOfTakers(course: Course): Way {
  const [first, ...rest] = course.takers as [Receiver, ...Receiver[]];
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
