import { type Address, formatAddress, isLinkLocal } from '../../model/address.js';
import type { Course } from '../course.js';
import type { Device } from '../host.js';
import { inverted, type Tuple } from '../nftables/connection.js';
import type { Frame, FrameOwner } from '../nftables/frame.js';
import { type FlowKind, makeFrame } from '../nftables/headers.js';
import { keyTo } from '../policy.js';

/** PACKET_BROADCAST, PACKET_MULTICAST (linux/if_packet.h). */
const BROADCAST = 1;
const MULTICAST = 2;
const OTHER_HOST = 3;

const ETHERNET = 1; // ARPHRD_ETHER
const LOOPBACK = 772; // ARPHRD_LOOPBACK

/** The first packet of a flow, as rules see it; null where there are none to see it. */
export function requestFrame(course: Course, mtu: number): Frame | null {
  if (!course.host.ruleset) return null;
  const { packet, fromHere } = course;
  const tuple = tupleOf(course);
  course.asked = tuple;
  const ttl = fromHere ? ownTtl(course) : isOnLink(course, packet.source) ? 64 : null;
  const kind = packet.protocol === 'tcp' ? 'syn' : 'udp';
  course.request = makeFrame(kind, packet.family, tuple, { ttl, mtu }, false);
  if (fromHere) course.request.owner = course.flow.uid ?? 'unknown';
  return course.request;
}

/** The peer's third packet, which completes a handshake. */
export function acknowledgement(course: Course, mtu: number): Frame | null {
  const { asked, request, packet, fromHere } = course;
  if (!asked || !request) return null;
  const ttl = fromHere ? ownTtl(course) : isOnLink(course, asked.source) ? 64 : null;
  const frame = makeFrame('ack', packet.family, asked, { ttl, mtu }, false);
  if (fromHere) frame.owner = course.flow.uid ?? 'unknown';
  return frame;
}

/** What goes back: from where the request ended up to whom it then came from. */
export function replyFrame(
  course: Course,
  kind: FlowKind,
  device: Device,
  owner: FrameOwner,
  mark: number | null,
): Frame | null {
  if (!course.request) return null;
  const { packet } = course;
  const sender = { ttl: ownTtl(course), mtu: device.link.mtu };
  const frame = makeFrame(kind, packet.family, inverted(tupleOf(course)), sender, true);
  frame.owner = owner;
  frame.mark = mark;
  frame.output = device;
  return frame;
}

function tupleOf({ packet }: Course): Tuple {
  const { source, sourcePort, destination, destinationPort } = packet;
  return { source, sourcePort, destination, destinationPort };
}

function ownTtl({ host, packet }: Course): number {
  return packet.family === 'ipv4' ? host.setting('net.ipv4.ip_default_ttl', 64) : 64;
}

/** Nobody stands between: then the time to live is what Linux begins with. */
function isOnLink({ host, device }: Course, peer: Address): boolean {
  if (isLinkLocal(peer)) return true;
  const answer = host.policy[peer.family].lookup(keyTo(peer));
  if (answer.kind !== 'found') return false;
  const { nexthop, device: out } = answer.found;
  return nexthop?.gateway == null && out === device;
}

/** The packet stands before an interface's hooks on the way in. */
export function arriveOn(course: Course, frame: Frame, device: Device): void {
  // On the same device it keeps the type that a rule gave it.
  if (frame.input !== device)
    frame.packetType = course.fromHere ? 0 : packetTypeOn(course, frame, device);
  frame.input = device;
  frame.output = null;
  frame.owner = 'none';
  frame.link = linkHeader(frame, device, course.device);
}

/**
 * eth_type_trans: a port of a bridge, or the card below a macvlan, has another address than the one
 * that the packet is for. What has no link layer brings packets for this host alone.
 */
function packetTypeOn(course: Course, frame: Frame, { link }: Device): number {
  if (link.hardwareType !== ETHERNET) return 0;
  if (frame.kind === 'arp') return frame.isReply ? 0 : BROADCAST;
  if (isMulticastAddress(frame)) return MULTICAST;
  if (isBroadcast(course)) return BROADCAST;
  const { mac } = course.device.link;
  return mac === null || link.mac === null || link.mac === mac ? 0 : OTHER_HOST;
}

function isBroadcast({ packet, device, host }: Course): boolean {
  if (packet.family !== 'ipv4') return false;
  if (packet.destination.a === -1) return true;
  const entry = host.policy.ipv4.localEntry(packet.destination);
  return entry?.route.type === 'broadcast' && entry.device === device;
}

function isMulticastAddress({ tuple: { destination } }: Frame): boolean {
  return destination.family === 'ipv4' ? destination.a >>> 28 === 14 : destination.a >>> 24 === 255;
}

/** Made once for each device that packets are for; no rule writes to them. */
const linkHeaders = new WeakMap<Device, Frame['link'][]>();

/** The Ethernet header that a packet has on a device; `owner` has the address that it is for. */
function linkHeader(frame: Frame, device: Device, owner: Device): Frame['link'] {
  const toMany = frame.packetType === BROADCAST || frame.packetType === MULTICAST;
  const type = etherTypes.indexOf(frame.etherType) + (toMany ? etherTypes.length : 0);
  return linkHeaderOf(device, owner, type, () =>
    makeLinkHeader(frame, toMany ? null : owner.link.mac, null),
  );
}

const etherTypes = [0x0800, 0x86dd, 0x0806];

/** On the way out: whom it is for is left open. */
function linkHeaderOut(frame: Frame, device: Device): Frame['link'] {
  const type = etherTypes.indexOf(frame.etherType) + 2 * etherTypes.length;
  return linkHeaderOf(device, device, type, () => makeLinkHeader(frame, null, device.link.mac));
}

function linkHeaderOf(
  { link: { hardwareType } }: Device,
  owner: Device,
  type: number,
  make: () => NonNullable<Frame['link']>,
): Frame['link'] {
  if (hardwareType !== ETHERNET && hardwareType !== LOOPBACK) return null;
  const isEthernet = hardwareType === ETHERNET;
  const headers = linkHeaders.get(owner) ?? [];
  if (headers.length === 0) linkHeaders.set(owner, headers);
  const place = isEthernet ? type + 3 * etherTypes.length : type;
  if (headers[place]) return headers[place];
  const made = make();
  // On lo all addresses are zero.
  if (!isEthernet) {
    made.bytes.fill(0, 0, 12);
    made.unknown.fill(0);
  }
  headers[place] = made;
  return made;
}

/** Destination, source, type; an address that is not known is left open. */
function makeLinkHeader(
  { etherType }: Frame,
  destination: string | null,
  source: string | null,
): NonNullable<Frame['link']> {
  const bytes = new Uint8Array(14);
  const unknown = new Uint8Array(14);
  bytes.set([etherType >>> 8, etherType & 0xff], 12);
  for (const [mac, at] of [
    [destination, 0],
    [source, 6],
  ] as const) {
    const parts = mac?.split(':').slice(0, 6);
    if (parts)
      bytes.set(
        parts.map((part) => Number.parseInt(part, 16)),
        at,
      );
    else unknown.fill(0xff, at, at + 6);
  }
  return { bytes, unknown };
}

/** The packet stands before an interface's hooks on the way out: it has its link header by now. */
export function leaveBy(frame: Frame, device: Device): void {
  frame.link = linkHeaderOut(frame, device);
}

/** What rules made of the packet is what the next stages see. */
export function adopt(course: Course, frame: Frame | null): void {
  if (!frame) return;
  const { packet } = course;
  const { source, sourcePort, destination, destinationPort } = frame.tuple;
  if (source !== packet.source) {
    packet.source = source;
    packet.sourceText = formatAddress(source);
  }
  if (destination !== packet.destination) {
    packet.destination = destination;
    packet.destinationText = formatAddress(destination);
  }
  packet.sourcePort = sourcePort;
  packet.destinationPort = destinationPort;
  if (frame.mark !== null) packet.mark = frame.mark;
}
