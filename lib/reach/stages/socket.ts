import {
  type Address,
  formatPrefix,
  fromV4Mapped,
  isLoopback,
  isUnspecified,
  isV4Mapped,
  prefixHolds,
  sameAddress,
} from '../../model/address.js';
import type { Socket } from '../../model/socket.js';
import type { Course, Fate } from '../course.js';
import { familyName, type Receiver } from '../host.js';
import type { Cause, Symptom } from '../verdict.js';
import { withAnswer } from './reply.js';

/** Which socket takes the packet, as the kernel scores them; or why none does. */
export function passSocket(course: Course): Fate | null {
  const { packet, host } = course;
  const candidates = host.receivers(packet.protocol, packet.destinationPort);
  if (candidates.length === 0) return refuse(course, candidates);
  const undecided = candidates.find((one) => maybeDualStack(course, one));
  const best = takersOf(course, candidates);
  if (undecided && !best) {
    const what = `whether ${describe(undecided.socket)} takes IPv4 too (IPV6_V6ONLY)`;
    return course.cannotTell(
      'socket',
      { code: 'not-evaluated', what },
      `${what} could not be read`,
    );
  }
  const taker = best?.[0];
  if (!taker) return refuse(course, candidates);
  course.takers = best;
  const { socket } = taker;
  if (socket.source === 'procfs') {
    const what = `which device ${describe(socket)} is bound to: /proc/net does not say`;
    return course.cannotTell('socket', { code: 'not-evaluated', what }, what);
  }
  if (course.destinationType === 'multicast') {
    // Groups and sources of single sockets are not told (ip_mc_sf_allow, inet6_mc_check).
    const what = `whether ${describe(socket)} takes what is sent to ${packet.destinationText} (IP_MULTICAST_ALL, IP_ADD_MEMBERSHIP)`;
    return course.cannotTell('socket', { code: 'not-evaluated', what }, what);
  }
  const unsigned = demandsSignature(course, taker);
  if (unsigned) return unsigned;
  const { backlog } = socket;
  // sk_acceptq_is_full (include/net/sock.h): one more than the limit fits.
  if (backlog && backlog.length > backlog.limit) {
    return course.fails(
      'socket',
      { code: 'accept-queue-full', socket },
      'ETIMEDOUT',
      `the accept queue of ${describe(socket)} is full: ${backlog.length} wait, ${backlog.limit} may`,
    );
  }
  const others = best.length - 1;
  const group =
    others > 0 ? `; ${others} more stand on the same address and may take it instead` : '';
  course.step('socket', 'deliver', `taken by ${describe(socket)}${group}`);
  return null;
}

/**
 * tcp_inbound_md5_hash: what is not signed is dropped where a key covers the peer. That the peer has
 * the key is left out of account: a program must ask for it.
 */
function demandsSignature(course: Course, { keyed, socket }: Receiver): Fate | null {
  const { packet } = course;
  const peers = keyed.find(
    (prefix) => prefix.address.family === packet.family && prefixHolds(prefix, packet.source),
  );
  if (!peers) return null;
  const text = formatPrefix(peers);
  return course.fails(
    'socket',
    { code: 'signature-required', socket, peers: text },
    'ETIMEDOUT',
    `${describe(socket)} drops what peers of ${text} do not sign (TCP MD5)`,
  );
}

/**
 * All sockets that may take it: the best score; for a broadcast everyone who stands there
 * (__udp4_lib_mcast_deliver).
 */
function takersOf(course: Course, candidates: readonly Receiver[]): Receiver[] | null {
  const { destinationType } = course;
  if (destinationType !== 'broadcast' && destinationType !== 'multicast') {
    const tcp = course.packet.protocol === 'tcp';
    const best = tcp ? bestListener(course, candidates) : bestUdp(course, candidates);
    return best && withGroup(course, best, candidates);
  }
  const all = candidates.filter((one) => covers(course, one) && fromItsPeer(course, one));
  return all.length > 0 ? all : null;
}

/**
 * The best sockets and those with SO_REUSEPORT beside them, any of which may take it instead. The
 * kernel does not tell the option, but sockets that stand on the very same address, one of them
 * without a device, can hardly do so otherwise. A group is one user's and pays no heed to devices
 * (inet_reuseport_add_sock, udp_reuseport_add_sock), and the first with a group that is met ends
 * the look-up, even if a better one stood behind it (udp4_lib_lookup2, inet_lhash2_lookup).
 */
function withGroup(course: Course, best: Receiver[], candidates: readonly Receiver[]): Receiver[] {
  const { socket } = best[0]!;
  const address = sideFor(course, best[0]!);
  if (candidates.length === 1 || best[0]!.remote || !address) return best;
  const group = candidates.filter((one) => {
    if (one.remote !== null) return false;
    const { family, v6only, uid } = one.socket;
    if (uid !== socket.uid && !mayShare(best[0]!, one, candidates)) return false;
    const alike = family === socket.family && v6only === socket.v6only && uid === socket.uid;
    if (!alike && !deviceFits(course, one)) return false;
    const side = sideFor(course, one);
    return side !== null && sameAddress(side, address);
  });
  if (group.length < 2 || !group.some((one) => one.device === 0)) return best;
  return [...best, ...group.filter((one) => !best.includes(one))];
}

/**
 * Two users' UDP sockets have SO_REUSEPORT on one port only where a third of one of them stood there
 * first: a bind asks no further than the first socket that shares (udp_lib_lport_inuse).
 */
function mayShare(one: Receiver, other: Receiver, candidates: readonly Receiver[]): boolean {
  const users = [one.socket.uid, other.socket.uid];
  return (
    one.socket.protocol === 'udp' &&
    candidates.some((third) => third !== one && third !== other && users.includes(third.socket.uid))
  );
}

/** A connected socket takes from its peer alone. */
function fromItsPeer(course: Course, receiver: Receiver): boolean {
  const { packet } = course;
  const { remote } = receiver;
  if (!remote) return true;
  const mapped = isV4Mapped(remote) && packet.family === 'ipv4';
  const address = mapped ? fromV4Mapped(remote) : remote;
  return sameAddress(address, packet.source) && receiver.remotePort === packet.sourcePort;
}

/** The bytes of a wildcard or mapped IPv6 address as the IPv4 side of a socket sees them. */
function ipv4Side(receiver: Receiver): Address | null {
  const { address, socket } = receiver;
  if (socket.family === 'ipv4') return address;
  if (isV4Mapped(address)) return fromV4Mapped(address);
  return isUnspecified(address) && socket.v6only === false
    ? { family: 'ipv4', a: 0, b: 0, c: 0, d: 0 }
    : null;
}

/** The address that a socket compares with the packet's destination; null: it is not asked at all. */
function sideFor(course: Course, receiver: Receiver): Address | null {
  if (course.packet.family === 'ipv4') return ipv4Side(receiver);
  return receiver.socket.family === 'ipv6' ? receiver.address : null;
}

function maybeDualStack(course: Course, receiver: Receiver): boolean {
  return (
    course.packet.family === 'ipv4' &&
    receiver.socket.family === 'ipv6' &&
    receiver.socket.v6only === null &&
    isUnspecified(receiver.address) &&
    deviceFits(course, receiver)
  );
}

/**
 * inet_sk_bound_dev_eq and udp_sk_bound_dev_eq: unbound takes from everywhere outside of VRFs, and
 * from inside where a setting says so; inside, being bound to the VRF or to its port is as good.
 */
function deviceFits(course: Course, receiver: Receiver): boolean {
  const { device } = receiver;
  if (device === 0) return course.portIndex === 0 || acceptsFromVrf(course);
  return device === course.inputIndex || device === course.portIndex;
}

/** net.ipv4.tcp_l3mdev_accept and its twin for UDP, which IPv6 asks too. */
function acceptsFromVrf({ packet, host }: Course): boolean {
  return host.setting(`net.ipv4.${packet.protocol}_l3mdev_accept`, 0) !== 0;
}

/** Would this socket take the packet, if no other stood closer? */
export function covers(course: Course, receiver: Receiver): boolean {
  const side = sideFor(course, receiver);
  if (!side || !deviceFits(course, receiver)) return false;
  return isUnspecified(side) || sameAddress(side, course.packet.destination);
}

/** All with the highest score; null for none. */
function highest(
  receivers: readonly Receiver[],
  score: (receiver: Receiver) => number,
): Receiver[] | null {
  let best: Receiver[] | null = null;
  let bestScore = -1;
  for (const receiver of receivers) {
    const points = score(receiver);
    if (points < 0 || points < bestScore) continue;
    if (points > bestScore || !best) best = [receiver];
    else best.push(receiver);
    bestScore = points;
  }
  return best;
}

/** __inet_lookup_listener, inet6_lookup_listener: the exact address first, then the wildcard. */
function bestListener(course: Course, receivers: readonly Receiver[]): Receiver[] | null {
  const { packet } = course;
  const scoreOn = (exact: boolean) => (receiver: Receiver) => {
    const side = sideFor(course, receiver);
    if (!side || !deviceFits(course, receiver)) return -1;
    if (exact ? !sameAddress(side, packet.destination) : !isUnspecified(side)) return -1;
    const sameFamily = packet.family === 'ipv4' && receiver.socket.family === 'ipv4' ? 1 : 0;
    return (receiver.device === 0 ? 1 : 2) + sameFamily;
  };
  return highest(receivers, scoreOn(true)) ?? highest(receivers, scoreOn(false));
}

/** __udp4_lib_lookup and __udp6_lib_lookup. */
function bestUdp(course: Course, receivers: readonly Receiver[]): Receiver[] | null {
  const { packet } = course;
  const weight = packet.family === 'ipv4' ? 4 : 1;
  const scoreOn = (exact: boolean) => (receiver: Receiver) => {
    const side = sideFor(course, receiver);
    if (!side || !deviceFits(course, receiver)) return -1;
    if (exact ? !sameAddress(side, packet.destination) : !isUnspecified(side)) return -1;
    let score = packet.family === 'ipv4' && receiver.socket.family === 'ipv4' ? 2 : 1;
    if (!fromItsPeer(course, receiver)) return -1;
    if (receiver.remote) score += 2 * weight;
    return score + (receiver.device === 0 ? 0 : weight);
  };
  return highest(receivers, scoreOn(true)) ?? highest(receivers, scoreOn(false));
}

/** Nobody takes it: a reset for TCP, an ICMP port unreachable for UDP, nothing for a broadcast. */
function refuse(course: Course, candidates: readonly Receiver[]): Fate {
  const { packet } = course;
  // What was sent to many is not answered, even where rules have translated it to one (icmp_send).
  const silent =
    course.destinationType === 'broadcast' ||
    course.destinationType === 'multicast' ||
    (course.request !== null && course.request.packetType !== 0);
  const answer = packet.protocol === 'tcp' ? 'reset' : 'port-unreachable';
  const symptom: Symptom | null = silent ? 'ETIMEDOUT' : withAnswer(course, 'ECONNREFUSED', answer);
  const cause = nearMiss(course, candidates);
  const what = packet.protocol === 'tcp' ? 'a reset' : 'port unreachable';
  const says = symptom === 'ECONNREFUSED' ? `, so the kernel answers ${what}` : '';
  return course.fails('socket', cause, symptom, `no socket takes it${says}`);
}

/** The nearest miss is the cause: what a person would change first. */
function nearMiss(course: Course, candidates: readonly Receiver[]): Cause {
  const { packet, host } = course;
  const ranked = candidates
    .map((receiver) => missOf(course, receiver))
    .sort((one, other) => one.rank - other.rank);
  if (ranked[0]) return ranked[0].cause;
  const other = packet.protocol === 'tcp' ? 'udp' : 'tcp';
  const elsewhere = host.receivers(other, packet.destinationPort)[0];
  return elsewhere ? { code: 'other-protocol', socket: elsewhere.socket } : { code: 'no-listener' };
}

/** Why this socket does not take the packet; the smaller the rank, the nearer the miss. */
export function missOf(course: Course, receiver: Receiver): { rank: number; cause: Cause } {
  const { socket, address } = receiver;
  const { packet } = course;
  const side = sideFor(course, receiver);
  if (receiver.remote) return { rank: 6, cause: { code: 'connected-to-another', socket } };
  if (!side || (packet.family === 'ipv6' && isV4Mapped(address))) {
    const bound = isV4Mapped(address) ? fromV4Mapped(address) : address;
    // Who asks from elsewhere would not get in by the other family either.
    if (isLoopback(bound) && !course.fromHere)
      return { rank: 3, cause: { code: 'bound-to-loopback', socket } };
    const code = packet.family === 'ipv4' ? 'ipv6-only' : 'ipv4-only';
    return { rank: isUnspecified(bound) ? 2 : isLoopback(bound) ? 3 : 5, cause: { code, socket } };
  }
  if (isUnspecified(side) || sameAddress(side, packet.destination)) {
    const { vrf } = course.device;
    if (receiver.device !== 0 || !vrf)
      return { rank: 1, cause: { code: 'bound-to-other-device', socket } };
    const setting = `net.ipv4.${packet.protocol}_l3mdev_accept`;
    return { rank: 1, cause: { code: 'outside-vrf', socket, vrf: vrf.name, setting } };
  }
  if (isLoopback(side)) return { rank: 3, cause: { code: 'bound-to-loopback', socket } };
  return { rank: 4, cause: { code: 'bound-to-other-address', socket } };
}

const descriptions = new WeakMap<Socket, string>();

/** A socket as a person would name it. */
export function describe(socket: Socket): string {
  const known = descriptions.get(socket);
  if (known !== undefined) return known;
  const text = nameOf(socket);
  descriptions.set(socket, text);
  return text;
}

function nameOf(socket: Socket): string {
  const { address, port } = socket.local;
  const text = address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
  const owner = socket.owners?.[0];
  const device = socket.boundInterface ? ` on device ${socket.boundInterface}` : '';
  const process = owner ? `, ${owner.name} (pid ${owner.pid})` : '';
  return `the ${familyName(socket.family)} ${socket.protocol.toUpperCase()} socket ${text}${device}${process}`;
}
