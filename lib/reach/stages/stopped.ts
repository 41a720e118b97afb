import type { Course, Fate } from '../course.js';
import type { Frame } from '../nftables/frame.js';
import { directionOf, referenceTo, type Stop, says, stageOf } from '../nftables/hooks.js';
import type { Cause, Symptom } from '../verdict.js';
import { withAnswer } from './reply.js';

/** ICMP codes of IPv4 as a program sees them, and whether a UDP program does (icmp_err_convert). */
const ipv4Codes: Record<number, readonly [symptom: Symptom, hard: boolean]> = {
  0: ['ENETUNREACH', false],
  1: ['EHOSTUNREACH', false],
  2: ['ENOPROTOOPT', true],
  3: ['ECONNREFUSED', true],
  9: ['ENETUNREACH', true],
  10: ['EHOSTUNREACH', true],
  13: ['EHOSTUNREACH', true],
};

/** The same of IPv6 (tab_unreach in net/ipv6/icmp.c). */
const ipv6Codes: Record<number, readonly [symptom: Symptom, hard: boolean]> = {
  0: ['ENETUNREACH', false],
  1: ['EACCES', true],
  2: ['EHOSTUNREACH', false],
  3: ['EHOSTUNREACH', false],
  4: ['ECONNREFUSED', true],
  5: ['EACCES', true],
  6: ['EACCES', true],
};

/**
 * A rule, or a chain's policy, ends the packet: what its sender sees of that. `stays`: it is routed to
 * this host itself, which is not to be seen by its interface where it was routed anew at output.
 */
export function stopped(
  course: Course,
  stop: Stop,
  frame: Frame,
  stays = frame.output?.link.loopback === true,
): Fate {
  const direction = directionOf(frame);
  const { hook, chain, rule } = stop;
  const symptom = symptomOf(course, stop, frame, stays);
  const stage = frame.isReply ? 'reply' : stageOf[hook];
  const detail = rule ? says(rule) : `${chain.name}: policy drop`;
  return course.fails(stage, causeOf(stop, direction), symptom, detail, direction);
}

function causeOf({ hook, chain, rule, refusal }: Stop, direction: 'request' | 'reply'): Cause {
  if (!rule) {
    const { family, table, name } = chain.chain;
    const { tool } = chain.tables;
    return { code: 'policy-drop', tool, family, table, chain: name, hook, direction };
  }
  const reference = referenceTo(rule);
  return refusal
    ? { code: 'rule-reject', rule: reference, hook, direction, with: refusal.with }
    : { code: 'rule-drop', rule: reference, hook, direction };
}

function symptomOf(course: Course, stop: Stop, frame: Frame, stays: boolean): Symptom | null {
  const { hook, chain, refusal } = stop;
  if (frame.isReply) return 'ETIMEDOUT';
  const sending = course.fromHere && (hook === 'output' || hook === 'postrouting');
  // The program's own send() fails (ip_send_skb); TCP takes it for a loss and tries again.
  if (sending && frame.kind === 'udp') return 'EPERM';
  if (!refusal) return 'ETIMEDOUT';
  if (frame.kind === 'ack') return ofAcknowledgement(course, stop, sending, frame);
  const by = chain.chain.family === 'netdev' ? 'device' : 'route';
  if (refusal.with === 'tcp-reset')
    return withAnswer(course, 'ECONNREFUSED', 'reject-reset', frame, by);
  const codes = frame.family === 'ipv4' ? ipv4Codes : ipv6Codes;
  const [symptom, hard] = codes[refusal.code] ?? ['ETIMEDOUT', false];
  if (frame.kind === 'udp' && !hard) return 'ETIMEDOUT';
  // Nobody is told of what did not come for this host alone (icmp_send, icmp6_send).
  const broadcast = frame.family === 'ipv4' && course.destinationType === 'broadcast';
  if (frame.packetType !== 0 || (broadcast && hook === 'input')) return 'ETIMEDOUT';
  // icmp_send answers from the address asked, where that is one of this host's own.
  const local = hook === 'input' || stays;
  return withAnswer(course, symptom, local ? 'port-unreachable' : 'route-error', frame, by);
}

/** The connection stands already for the peer: it notices a reset and nothing else. */
function ofAcknowledgement(
  course: Course,
  { chain, refusal }: Stop,
  sending: boolean,
  frame: Frame,
): Symptom | null {
  if (refusal?.with !== 'tcp-reset') return 'ETIMEDOUT';
  const by = chain.chain.family === 'netdev' ? 'device' : 'route';
  if (!sending) return withAnswer(course, 'ECONNRESET', 'reject-reset', frame, by);
  const what = 'whether the reset meets a connection that stands already';
  return course.cannotSee({ code: 'not-evaluated', what });
}
