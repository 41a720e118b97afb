import { ipv6, parseAddress, parsePrefix, prefixHolds } from '../../model/address.js';
import { Choices } from '../choices.js';
import { Course, type Fate, type Packet } from '../course.js';
import type { Device } from '../device.js';
import { makeArp, makeSolicitation } from '../nftables/headers.js';
import { type Stop, says } from '../nftables/hooks.js';
import { keyTo } from '../policy.js';
import type { Cause } from '../verdict.js';
import { passEntrance, passHook } from './firewall.js';

/**
 * The neighbour solicitation of IPv6 and its answer are packets, and pass the rules as others do: a
 * policy of drop that lets no ICMPv6 in keeps every new peer out, whatever it accepts besides. IPv4
 * asks by ARP, which chains at the hooks of devices see; those of the family arp are not evaluated.
 *
 * A peer that was written down here for good (NUD_PERMANENT) is taken to have written this host down
 * too, and does not ask. One that this host has learned of may still know it: whether it does is not
 * told.
 */
export function passSolicitation(course: Course): Fate | null {
  const { device, packet } = course;
  const known = knownThrough(course);
  if (!known || known.permanent.has(packet.sourceText)) return null;
  const { stop, undecided } = askedAndAnswered(course);
  if (undecided) return course.cannotTell('device', undecided, 'it decides on neighbour discovery');
  if (!stop) return null;
  if (known.learned.has(packet.sourceText)) return mayKnow(course, packet.sourceText, stop);
  return course.fails(
    'device',
    {
      code: 'neighbour-not-answered',
      destination: packet.destinationText,
      interface: device.name,
      protocol: packet.family === 'ipv4' ? 'arp' : 'ndp',
      setting: null,
      rule: ruleOf(stop),
    },
    packet.protocol === 'tcp' ? 'EHOSTUNREACH' : 'ETIMEDOUT',
    `a neighbour that asks for ${packet.destinationText} is not answered: ${ruleOf(stop)}`,
  );
}

/** The neighbours of whom it is told what they know; `null` where no rule may keep them from asking. */
function knownThrough({ host, device, packet }: Course): Device['neighbours']['ipv4'] {
  const { ruleset } = host;
  if (!ruleset || ruleset.idle) return null;
  if (packet.family === 'ipv4' && !ruleset.guardsDevices) return null;
  return device.neighbours[packet.family];
}

function ruleOf({ rule, chain }: Stop): string {
  return rule ? says(rule) : `${chain.name}: policy drop`;
}

function mayKnow(course: Course, neighbour: string, stop: Stop): Fate {
  const what = `whether ${neighbour} still knows the link-layer address of ${course.device.name}, which rules keep it from asking for (${ruleOf(stop)})`;
  return course.cannotTell('device', { code: 'not-evaluated', what }, what);
}

/** What came of the question of a router, by the device that it arrives on, a bridge's port too, and the router. */
const routers = new WeakMap<Device, Map<string, Stop | 'undecided' | null>>();

/**
 * Who comes through a router needs one that knows this host's link-layer address, and so does this host
 * need its own. Which of the host's addresses it asks for, and whether it has to ask, is not told: where
 * rules would stop its question, nothing is certain. The router is the one that the answer goes to; or
 * it goes to the peer itself, who asked for an address of another network.
 */
export function passRouter(course: Course): Fate | null {
  const { host, device, packet } = course;
  const known = knownThrough(course);
  if (!known || device.vrf) return null;
  const way = host.policy[packet.family].lookup(keyTo(packet.source));
  if (way.kind !== 'found' || way.found.device !== device) return null;
  const router = way.found.nexthop?.gateway ?? null;
  const asker = router ?? packet.sourceText;
  if (known.permanent.has(asker)) return null;
  const stop = router === null ? questionOf(course, asker) : questionOfRouter(course, router);
  if (stop === null) return null;
  if (stop !== 'undecided') return mayKnow(course, asker, stop);
  const what = `whether rules let ${asker} ask for the link-layer address of ${device.name}`;
  return course.cannotTell('device', { code: 'not-evaluated', what }, what);
}

/** It is the same for all who come through it. */
function questionOfRouter(course: Course, router: string): Stop | 'undecided' | null {
  const asked = routers.get(course.arrival) ?? new Map<string, Stop | 'undecided' | null>();
  routers.set(course.arrival, asked);
  const before = asked.get(router);
  if (before !== undefined) return before;
  const choices = new Choices();
  const stop = questionOf(course, router, choices, null);
  const answer = choices.next() ? 'undecided' : stop;
  asked.set(router, answer);
  return answer;
}

function questionOf(
  course: Course,
  asker: string,
  choices = course.choices,
  peer = course.peer,
): Stop | 'undecided' | null {
  const source = parseAddress(asker);
  const own = course.device.link.addresses.find(({ address, prefixLength }) => {
    const network = parsePrefix(`${address}/${prefixLength}`);
    return source && network?.address.family === source.family && prefixHolds(network, source);
  });
  const destination = own && parseAddress(own.address);
  if (!source || !destination) return null;
  const texts = { sourceText: asker, destinationText: own.address };
  const question = { ...course.packet, source, destination, ...texts };
  const { stop, undecided } = outcomeOf(asideOf(course, question, choices, peer));
  return undecided ? 'undecided' : stop;
}

/** Where the question or its answer ends, and the rule of which that is not known. */
function askedAndAnswered(course: Course): Outcome {
  const aside = asideOf(course, { ...course.packet }, course.choices, course.peer);
  const outcome = outcomeOf(aside);
  for (const set of aside.touched) course.touched.add(set);
  return outcome;
}

interface Outcome {
  readonly stop: Stop | null;
  readonly undecided: Cause | null;
}

/** A course of its own: it has nothing to do with the connection, but for what cannot be known. */
function asideOf(
  { host, flow, arrival, device, inputIndex, portIndex }: Course,
  packet: Packet,
  choices: Choices,
  peer: Course['peer'],
): Course {
  const aside = new Course(host, flow, packet, false, choices, peer);
  aside.arrival = arrival;
  aside.device = device;
  aside.inputIndex = inputIndex;
  aside.portIndex = portIndex;
  return aside;
}

function outcomeOf(aside: Course): Outcome {
  const stop = aside.packet.family === 'ipv4' ? byArp(aside) : bySolicitation(aside);
  const unknown = aside.doubts.find(({ cause }) => cause.code === 'rule-unknown');
  return { stop, undecided: unknown?.cause ?? null };
}

function byArp(aside: Course): Stop | null {
  const { packet, arrival, device } = aside;
  const question = makeArp(packet.source, packet.destination, false);
  const early = passHook(aside, 'ingress', question, 'request', arrival);
  if (early) return early;
  const answer = makeArp(packet.destination, packet.source, true);
  answer.output = device;
  return passHook(aside, 'egress', answer, 'reply', device);
}

function bySolicitation(aside: Course): Stop | null {
  const { packet, arrival, device } = aside;
  const { source, destination } = packet;
  // addrconf_addr_solict_mult
  const group = ipv6(0xff02_0000, 0, 1, 0xff00_0000 | (destination.d & 0x00ff_ffff));
  const question = makeSolicitation(source, group, destination, false);
  const stop =
    passEntrance(aside, question, 'request', arrival) ??
    passHook(aside, 'input', question, 'request', arrival);
  if (stop) return stop;
  const answer = makeSolicitation(destination, source, destination, true);
  answer.output = device;
  for (const hook of ['output', 'postrouting', 'egress'] as const) {
    const stopAt = passHook(aside, hook, answer, 'reply', device);
    if (stopAt) return stopAt;
  }
  return null;
}
