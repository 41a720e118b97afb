import { formatAddress, isLinkLocal } from '../../model/address.js';
import type { Course, Fate } from '../course.js';
import type { Found } from '../fib.js';
import type { Device } from '../host.js';
import type { Frame } from '../nftables/frame.js';
import { directionOf, type Stop } from '../nftables/hooks.js';
import { passHook } from './firewall.js';
import { passForwardedAnswer, sentOnTo } from './forwarded-answer.js';
import { describeRoute } from './routing.js';
import { stopped } from './stopped.js';

/** The hooks of a packet that is sent on: the first one of the flow, or what it is answered with. */
export function passForwarding(course: Course, { device }: Found): Fate | null {
  const { request } = course;
  if (!device) return null;
  if (!request) {
    passHook(course, 'forward', null, 'request', device);
    return null;
  }
  const stop = passForwardingHooks(course, request, device);
  return stop && stopped(course, stop, request);
}

export function passForwardingHooks(course: Course, frame: Frame, device: Device): Stop | null {
  const direction = directionOf(frame);
  frame.output = device;
  const stop = passHook(course, 'forward', frame, direction, device);
  if (stop) return stop;
  frame.input = null;
  return (
    passHook(course, 'postrouting', frame, direction, device) ??
    passHook(course, 'egress', frame, direction, device)
  );
}

/** ip6_forward: what comes from a link-local address stays on that link; no hook is asked. */
function linkLocalSource(course: Course, { device }: Found): Fate | null {
  const { packet, device: arrival } = course;
  const stays = packet.family === 'ipv4' || !isLinkLocal(packet.source);
  if (stays || !device || device === arrival) return null;
  const address = packet.sourceText;
  return course.fails(
    'routing',
    { code: 'wrong-scope', address, interface: arrival.name },
    course.cannotSee({ code: 'not-evaluated', what: 'whether the ICMP error reaches the peer' }),
    `${address} is a link-local address: what it sends is not passed on to ${device.name}`,
  );
}

/** The destination is not ours and would be sent on. */
export function forwarded(course: Course, found: Found): Fate {
  const out = found.nexthop?.interface ?? 'nowhere';
  const gateway = found.nexthop?.gateway ?? null;
  const unscoped = linkLocalSource(course, found);
  if (unscoped) return unscoped;
  course.step('routing', 'forward', `${describeRoute(found)}: not an address of this host`);
  const stop = passForwarding(course, found);
  if (stop) return stop;
  const { packet, request } = course;
  const translatedTo = sentOnTo(course);
  const cause = { code: 'forwarded', interface: out, gateway, translatedTo } as const;
  if (request?.isReply) return { outcome: 'unknown', stage: 'forward', cause, symptom: null };
  const told = course.steps.length;
  const answer = translatedTo && passForwardedAnswer(course, found);
  if (answer?.fate) return answer.fate;
  const afterwards = course.steps.splice(told);
  const there = formatAddress(packet.destination);
  const detail = `sent on by ${out}; what ${there} does with it is not known here`;
  const fate = course.cannotTell('forward', cause, detail);
  course.steps.push(...afterwards);
  return answer?.comesBack ? { ...fate, letThroughTo: [translatedTo!] } : fate;
}
