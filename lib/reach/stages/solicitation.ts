import { ipv6 } from '../../model/address.js';
import { Course, type Fate } from '../course.js';
import { makeArp, makeSolicitation } from '../nftables/headers.js';
import { type Stop, says } from '../nftables/hooks.js';
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
  const { host, device, packet } = course;
  const known = device.neighbours[packet.family];
  if (!host.ruleset || host.ruleset.idle || !known) return null;
  const ipv4 = packet.family === 'ipv4';
  if (ipv4 && !host.ruleset.guardsDevices) return null;
  if (known.permanent.has(packet.sourceText)) return null;
  const { stop, undecided } = askedAndAnswered(course);
  if (undecided) return course.cannotTell('device', undecided, 'it decides on neighbour discovery');
  if (!stop) return null;
  const rule = stop.rule ? says(stop.rule) : `${stop.chain.name}: policy drop`;
  if (known.learned.has(packet.sourceText)) {
    const what = `whether ${packet.sourceText} still knows the link-layer address of ${device.name}, which rules keep it from asking for (${rule})`;
    return course.cannotTell('device', { code: 'not-evaluated', what }, what);
  }
  return course.fails(
    'device',
    {
      code: 'neighbour-not-answered',
      destination: packet.destinationText,
      interface: device.name,
      protocol: ipv4 ? 'arp' : 'ndp',
      setting: null,
      rule,
    },
    packet.protocol === 'tcp' ? 'EHOSTUNREACH' : 'ETIMEDOUT',
    `a neighbour that asks for ${packet.destinationText} is not answered: ${rule}`,
  );
}

/** Where the question or its answer ends, and the rule of which that is not known. */
function askedAndAnswered(course: Course): { stop: Stop | null; undecided: Cause | null } {
  const { host, flow, packet, arrival, device } = course;
  // A course of its own: it has nothing to do with the connection, but for what cannot be known.
  const aside = new Course(host, flow, { ...packet }, false, course.choices, course.peer);
  aside.arrival = arrival;
  aside.device = device;
  aside.inputIndex = course.inputIndex;
  aside.portIndex = course.portIndex;
  const stop = packet.family === 'ipv4' ? byArp(aside) : bySolicitation(aside);
  for (const set of aside.touched) course.touched.add(set);
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
