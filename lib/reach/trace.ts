import type { EarshotError } from '../errors.js';
import {
  type Address,
  canonicalText,
  formatAddress,
  fromV4Mapped,
  isLinkLocal,
  isV4Mapped,
  parseAddress,
  unspecified,
} from '../model/address.js';
import { checkKeys, invalid as invalidArgument, show } from '../model/arguments.js';
import type { HostState, MissingPart } from '../model/host-state.js';
import { Choices } from './choices.js';
import { Course, detailOf, type Fate, type Packet } from './course.js';
import { explain } from './explain.js';
import type { Found } from './fib.js';
import type { Flow } from './flow.js';
import { type Host, hostOf } from './host.js';
import type { PeerWatch } from './nftables/peer-watch.js';
import type { CompiledRule } from './nftables/ruleset.js';
import { bridgeAsks, passFlood } from './stages/bridge.js';
import { passDevice, passFamily } from './stages/device.js';
import { passEntrance, passHook, passPrograms } from './stages/firewall.js';
import { forwarded } from './stages/forwarding.js';
import { passAcknowledgement } from './stages/handshake.js';
import { passOrigin } from './stages/origin.js';
import { adopt, requestFrame } from './stages/packets.js';
import { passReply } from './stages/reply.js';
import { incomingKey, routeIncoming } from './stages/routing.js';
import { passSocket } from './stages/socket.js';
import { stopped } from './stages/stopped.js';
import type { Cause, Stage, Verdict } from './verdict.js';

/**
 * Follows the first packet of a flow through a host, and its answer back.
 *
 * Pure: it reads nothing but the state, so that a capture gives the same verdict on every machine.
 *
 * @param state what `capture()` or `parseState()` gave
 * @param flow who asks whom, and on which interface the packet arrives (`lo`: this host itself asks)
 * @returns the verdict, with every step on the way; `unknown` always has its cause
 * @throws EarshotError `ERR_INVALID_ARGUMENT` for a flow, `ERR_INVALID_STATE` for a state that is not of its form
 * @example
 * ```js
 * import { capture, trace } from 'earshot';
 * const verdict = trace(await capture(), {
 *   protocol: 'tcp',
 *   ingress: 'lo',
 *   destination: { address: '127.0.0.1', port: 3000 },
 * });
 * console.log(verdict.explanation);
 * ```
 */
export function trace(state: HostState, flow: Flow): Verdict {
  const host = hostOf(state);
  checkFlow(flow);
  const course = follow(host, flow);
  const { fate } = course;
  return {
    outcome: fate.outcome,
    symptom: fate.symptom,
    stage: fate.stage,
    cause: fate.cause,
    assuming: fate.assuming ?? null,
    socket: course.course.socket,
    steps: course.course.steps.map((step) => ({ ...step, detail: detailOf(step) })),
    explanation: explain(course.course, fate),
  };
}

/** The course of a flow and its fate, for what is built on trace. */
export interface Followed {
  readonly course: Course;
  readonly fate: Fate;
}

/** `trace` without its words: what exposure asks thousands of times. */
export function follow(
  host: Host,
  flow: Flow,
  peer: PeerWatch<CompiledRule> | null = null,
): Followed {
  const choices = new Choices();
  let first = followOnce(host, flow, choices, peer);
  let unsure: Cause | undefined;
  for (let fork = choices.next(); fork; fork = choices.next()) {
    const other = fork.exhausted ? null : followOnce(host, flow, choices, peer);
    if (!other || !agree(first, other)) return undecided(first.course, fork);
    if (other.fate.symptom !== first.fate.symptom) unsure ??= fork.cause();
    first = { ...first, fate: eitherOf(first.fate, other.fate) };
  }
  return unsure ? { ...first, fate: { ...first.fate, symptom: null, unsure } } : first;
}

function followOnce(
  host: Host,
  flow: Flow,
  choices: Choices,
  peer: PeerWatch<CompiledRule> | null,
): Followed {
  const course = courseOf(host, flow, choices, peer);
  const fate = course.settle(notCaptured(course) ?? stages(course));
  return { course, fate };
}

/** Rules that spread the load send each flow on to one of several. */
function eitherOf(first: Fate, { letThroughTo: more }: Fate): Fate {
  const { letThroughTo, ...fate } = first;
  if (!letThroughTo || !more) return letThroughTo ? fate : first;
  const added = more.filter(
    ({ address, port }) =>
      !letThroughTo.some((known) => known.address === address && known.port === port),
  );
  return added.length > 0 ? { ...fate, letThroughTo: [...letThroughTo, ...added] } : first;
}

/** Do two ways through the rules end alike? What a failing flow's peer sees may still differ. */
function agree(one: Followed, other: Followed): boolean {
  if (one.fate.outcome !== other.fate.outcome) return false;
  const takers = ({ course }: Followed) => course.takers;
  return (
    takers(one).length === takers(other).length &&
    takers(one).every((taker, index) => taker === takers(other)[index])
  );
}

/** It depends on what cannot be known. */
function undecided(
  course: Course,
  { stage, cause }: { stage: Stage; cause: () => Cause },
): Followed {
  const reason = cause();
  const detail =
    reason.code === 'rule-unknown' ? `it depends on ${reason.rule.text}` : 'it depends';
  return { course, fate: course.cannotTell(stage, reason, detail) };
}

function stages(course: Course): Fate {
  return (
    passArrival(course) ??
    passSocket(course) ??
    passReply(course) ??
    passAcknowledgement(course) ?? {
      outcome: 'reachable',
      stage: 'reply',
      cause: null,
      symptom: null,
    }
  );
}

/** The stages before a socket is looked for. What this host sends itself was routed when it was sent. */
function passArrival(course: Course): Fate | null {
  const { fromHere } = course;
  const fate = fromHere ? passOrigin(course) : passDevice(course);
  if (fate) return fate;
  passPrograms(course);
  const { arrival } = course;
  const frame = fromHere ? course.request : requestFrame(course, arrival.link.mtu);
  const early = passEntrance(course, frame, 'request', arrival);
  if (early) {
    // What answers it is sent from where rules have it sent to by now.
    adopt(course, frame);
    return stopped(course, early, frame!);
  }
  const disabled = fromHere ? null : passFamily(course);
  if (disabled) return disabled;
  adopt(course, frame);
  course.requestAtRouting = frame && { ...frame.tuple };
  const routed = fromHere ? null : routeIncoming(course);
  if (routed) return translatedByBridge(course, routed);
  const stop = passHook(course, 'input', frame, 'request', arrival);
  if (stop) return stopped(course, stop, frame!);
  passFlood(course);
  adopt(course, frame);
  return null;
}

/**
 * A bridge that has rules translate a packet routes it too (br_nf_pre_routing_finish and its IPv6
 * twin): what leads out of the bridge again it passes on itself, and what IPv6 has no route for it
 * drops without a word.
 */
function translatedByBridge(course: Course, fate: Fate): Fate {
  const { asked, packet, device, host } = course;
  if (asked === null || asked.destination === packet.destination || !bridgeAsks(course))
    return fate;
  const answer = host.policy[packet.family].lookup(incomingKey(course));
  if (answer.kind === 'refused' && packet.family === 'ipv6')
    return fate.symptom === null ? fate : { ...fate, symptom: 'ETIMEDOUT' };
  if (answer.kind !== 'found' || answer.found.device !== device) return fate;
  if (isForwarded(fate)) return withoutHairpin(course, fate, answer.found);
  const forwards = packet.family === 'ipv4' ? device.forwardsIpv4 : true;
  if (forwards) {
    const sent = forwarded(course, answer.found);
    if (!isLinkLocal(packet.source) || sent.symptom === null) return sent;
    const what = `which way what refuses it finds from inside of the bridge ${device.name}`;
    return { ...sent, symptom: course.cannotSee({ code: 'not-evaluated', what }) };
  }
  const what = `whether the bridge ${device.name} passes on what rules have translated`;
  return course.cannotTell('routing', { code: 'not-evaluated', what }, what);
}

/**
 * A bridge sends nothing out by the port that it came in by (should_deliver), without a word and before
 * any rule of forward is asked. Which port the next one stands behind is not captured; the peer itself
 * stands behind its own.
 */
function withoutHairpin(course: Course, fate: Fate, { nexthop }: Found): Fate {
  if (fate.symptom === null || fate.symptom === 'ETIMEDOUT') return fate;
  const { packet, device } = course;
  const next = nexthop?.gateway ?? packet.destinationText;
  if (next === packet.sourceText) return { ...fate, symptom: 'ETIMEDOUT' };
  const what = `behind which port of the bridge ${device.name} ${next} stands`;
  return { ...fate, symptom: course.cannotSee({ code: 'not-evaluated', what }) };
}

function isForwarded({ cause, stage }: Fate): boolean {
  return cause?.code === 'forwarded' || stage === 'forward' || stage === 'output';
}

/** Parts without which no stage can be trusted. */
const needed: readonly MissingPart[] = [
  'interfaces',
  'routes',
  'rules',
  'settings',
  'sockets',
  'consistency',
];

function notCaptured(course: Course): Fate | null {
  const { missing } = course.host.state;
  if (missing.length === 0) return null;
  const part = missing.find(({ what }) => needed.includes(what));
  if (!part) return null;
  const { what, reason, remedy } = part;
  return course.cannotTell(
    'device',
    { code: 'not-captured', what, reason, remedy },
    `the capture lacks ${what}: ${reason}`,
  );
}

const flowKeys: readonly (keyof Flow)[] = ['protocol', 'ingress', 'source', 'destination', 'uid'];
const endpointKeys = ['address', 'port'];

/** The form of a flow; its values are looked at where they are read. */
function checkFlow(flow: Flow): void {
  checkKeys(flow, 'flow', flowKeys);
  const { source, destination } = flow;
  if (destination === undefined)
    throw invalid('destination', destination, "say whom: { address: '192.0.2.1', port: 80 }");
  checkKeys(destination, 'flow.destination', endpointKeys);
  if (source !== undefined) checkKeys(source, 'flow.source', endpointKeys);
}

function courseOf(
  host: Host,
  flow: Flow,
  choices: Choices,
  peer: PeerWatch<CompiledRule> | null,
): Course {
  const { protocol, ingress, source, uid } = flow;
  if (protocol !== 'tcp' && protocol !== 'udp')
    throw invalid('protocol', protocol, "give 'tcp' or 'udp'");
  if (typeof ingress !== 'string' || ingress === '')
    throw invalid('ingress', ingress, "give an interface's name, or 'lo' for a flow of this host");
  const fromHere = host.devices.get(ingress)?.link.loopback ?? ingress === 'lo';
  // Most ask for an address of the host, which has been read once.
  const own = host.ownAddress(flow.destination.address);
  const destination = own ?? addressOf('destination.address', flow.destination.address, fromHere);
  const destinationPort = portOf('destination.port', flow.destination.port, 1);
  const { family } = destination;
  if (source === undefined && !fromHere)
    throw invalid(
      'source',
      source,
      `say which peer asks on ${ingress}; only a flow of this host may leave it out`,
    );
  const watched = peer && !fromHere && source?.address === peer.peer.text ? peer.peer : null;
  const from = watched
    ? watched.address
    : source
      ? addressOf('source.address', source.address, fromHere)
      : unspecified(family);
  if (from.family !== family)
    throw invalid(
      'source.address',
      source?.address,
      `the destination ${flow.destination.address} is of the other family`,
    );
  const sourcePort =
    source?.port === undefined ? host.unnamedPort : portOf('source.port', source.port, 0);
  if (uid !== undefined && !(Number.isInteger(uid) && uid >= 0 && uid <= 0xffffffff))
    throw invalid('uid', uid, 'give a whole number from 0 to 4294967295');
  const packet: Packet = {
    protocol,
    protocolNumber: protocol === 'tcp' ? 6 : 17,
    family,
    source: from,
    sourceText: watched ? watched.text : textOf(source?.address, from),
    sourcePort,
    destination,
    destinationText: own ? flow.destination.address : textOf(flow.destination.address, destination),
    destinationPort,
    mark: 0,
  };
  return new Course(host, flow, packet, fromHere, choices, peer);
}

/** An address as the flow has it, where that is canonical; one that was exchanged is written anew. */
function textOf(given: string | undefined, address: Address): string {
  if (given === undefined) return formatAddress(address);
  const exchanged = address.family === 'ipv4' && given.includes(':');
  return exchanged ? formatAddress(address) : canonicalText(given, address);
}

/** An address of the flow; a program of this host that names a v4-mapped one speaks IPv4. */
function addressOf(name: string, value: unknown, fromHere: boolean): Address {
  const address = typeof value === 'string' ? parseAddress(value) : null;
  if (!address) throw invalid(name, value, 'give an IPv4 or IPv6 address without a zone');
  return fromHere && isV4Mapped(address) ? fromV4Mapped(address) : address;
}

function portOf(name: string, value: unknown, least: number): number {
  const whole = typeof value === 'number' && Number.isInteger(value);
  if (whole && value >= least && value <= 65535) return value;
  throw invalid(name, value, `give a whole number from ${least} to 65535`);
}

function invalid(name: string, value: unknown, remedy: string): EarshotError {
  return invalidArgument(`flow.${name} is ${show(value)}: ${remedy}`);
}
