import type { Course, Fate } from '../course.js';
import { sameTuple } from '../nftables/hooks.js';
import { passEntrance, passHook } from './firewall.js';
import { acknowledgement, adopt } from './packets.js';
import { routeIncoming } from './routing.js';
import { stopped } from './stopped.js';

/**
 * The third packet of a TCP handshake comes the way of the first one, and meets the same rules as
 * part of a connection that is known: who drops those lets nobody in.
 */
export function passAcknowledgement(course: Course): Fate | null {
  const { request, packet, arrival, fromHere } = course;
  if (!request || packet.protocol === 'udp') return null;
  const frame = acknowledgement(course, arrival.link.mtu);
  if (!frame) return null;
  if (fromHere) {
    for (const hook of ['output', 'postrouting', 'egress'] as const) {
      const stop = passHook(course, hook, frame, 'request', arrival);
      if (stop) return stopped(course, stop, frame);
    }
  }
  const early = passEntrance(course, frame, 'request', arrival);
  if (early) return stopped(course, early, frame);
  const astray = goesAstray(course, frame);
  if (astray) return astray;
  // Early demultiplexing has found the socket of the connection by now.
  frame.owner = 'unknown';
  const stop = passHook(course, 'input', frame, 'request', arrival);
  return stop ? stopped(course, stop, frame) : null;
}

/** Another mark may lead another way, and other addresses elsewhere. */
function goesAstray(course: Course, frame: NonNullable<Course['request']>): Fate | null {
  const { packet, host, fromHere } = course;
  const { source, sourcePort, destination, destinationPort, mark } = packet;
  const beforeInput = course.requestAtRouting ?? {
    source,
    sourcePort,
    destination,
    destinationPort,
  };
  if (!sameTuple(frame.tuple, beforeInput)) {
    const what = 'rules that send the packets of one connection different ways';
    return course.cannotTell('prerouting', { code: 'not-evaluated', what }, what);
  }
  if (fromHere || frame.mark === mark || !host.policy[packet.family].looksAtMarks) return null;
  const steps = course.steps.length;
  const kept = { ...packet };
  adopt(course, frame);
  const fate = routeIncoming(course);
  Object.assign(packet, kept);
  if (!fate) course.steps.length = steps;
  return fate;
}
