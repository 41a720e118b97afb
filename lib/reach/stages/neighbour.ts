import { isUnspecified, prefixHolds } from '../../model/address.js';
import type { Course, Fate } from '../course.js';
import { LOOPBACK_INDEX, type OwnAddress } from '../host.js';
import { incomingKey } from './routing.js';
import { passRouter, passSolicitation } from './solicitation.js';

const ethernet = 1; // ARPHRD_ETHER
const arpKinds: ReadonlySet<string> = new Set([
  'veth',
  'bridge',
  'bond',
  'team',
  'vlan',
  'macvlan',
]);

/**
 * Before the packet there is a question: whose link-layer address is it for? A peer that takes the
 * destination to be on its own link asks by ARP or neighbour discovery, and sends nothing where no
 * answer comes. Anyone else sends to a router, which asks in its turn.
 *
 * Who asks is told by the prefixes of the interface: a peer and a destination in the same one. What
 * a peer knows for good (a permanent neighbour entry) is left out of account, as are ARP requests
 * that other hosts or other interfaces of this one answer.
 */
export function passNeighbour(course: Course): Fate | null {
  const { packet, device } = course;
  const { link } = device;
  if (link.loopback || link.mac === null || isUnspecified(packet.source)) return null;
  if (link.noArp) return passSilence(course);
  if (!onLink(course)) return passRouter(course);
  return packet.family === 'ipv4' ? passArp(course) : passDiscovery(course);
}

/**
 * An Ethernet device with ARP switched off: whoever put it there wrote down the neighbours, here and
 * at the other ends. What does without ARP by its nature (IPVLAN, tunnels) needs none.
 */
function passSilence(course: Course): Fate | null {
  const { name, link } = course.device;
  const byNature = link.kind !== null && !arpKinds.has(link.kind);
  if (byNature || link.hardwareType !== ethernet || course.packet.family !== 'ipv4') return null;
  const what = `whether neighbours know the link-layer address of ${name} by heart: its ARP is off`;
  return course.cannotTell('device', { code: 'not-evaluated', what }, what);
}

/** arp_process (net/ipv4/arp.c): for what routing takes to be local, arp_ignore and then arp_filter. */
function passArp(course: Course): Fate | null {
  const { device, host } = course;
  const limits = device.arpIgnore !== 0 || device.arpFilter;
  if (!limits && !host.ruleset?.guardsDevices) return null;
  const answer = host.policy.ipv4.lookup(requestKey(course));
  if (answer.kind !== 'found' || answer.found.route.type !== 'local') return null;
  if (ignoresArp(course)) return unanswered(course, 'arp_ignore', device.arpIgnore);
  return (device.arpFilter ? filteredArp(course) : null) ?? passSolicitation(course);
}

/** arp_fwd_proxy aside, arp_filter wants the route back to who asks by the device that heard it. */
function filteredArp(course: Course): Fate | null {
  const { packet, device, host } = course;
  const back = host.policy.ipv4.lookup({
    ...requestKey(course),
    destination: packet.source,
    source: packet.destination,
    input: LOOPBACK_INDEX,
    output: device.vrf?.index ?? 0,
  });
  if (back.kind === 'unknown') {
    const what = `whether ARP is answered: ${back.what}`;
    return course.cannotTell('device', { code: 'not-evaluated', what }, what);
  }
  const ways = back.kind === 'found' ? back.found.route.nexthops : [];
  const here = ways.filter((nexthop) => nexthop.interface === device.name).length;
  if (here > 0 && here === ways.length) return null;
  if (here === 0) return unanswered(course, 'arp_filter', 1);
  const what = 'which way of a multipath route arp_filter takes';
  return course.cannotTell('device', { code: 'not-evaluated', what }, what);
}

/** The question is routed as the packet will be, but it has neither protocol nor ports. */
function requestKey(course: Course) {
  return { ...incomingKey(course), mark: 0, protocol: 0, sourcePort: 0, destinationPort: 0 };
}

/** arp_ignore (net/ipv4/arp.c) and confirm_addr_indev (net/ipv4/devinet.c). */
function ignoresArp(course: Course): boolean {
  const { packet, device, host } = course;
  const owners = host.owners(packet.destinationText);
  const here = owners.filter((own) => own.device === device);
  switch (device.arpIgnore) {
    case 1:
    case 2: // asks for a shared network besides, as onLink() has done
      return here.length === 0;
    case 3:
      return !owners.some(({ entry, device: on }) => on.routeLocalnet || entry.scope !== 'host');
    case 8:
      return true;
    default:
      return false; // 0, and what is reserved
  }
}

/**
 * ndisc_recv_ns (net/ipv6/ndisc.c): a neighbour is told of the addresses of that very interface, or
 * of the VRF it is a port of, and of no other.
 */
function passDiscovery(course: Course): Fate | null {
  const { packet, device, host } = course;
  const answers = (own: OwnAddress) => own.device === device || own.device === device.vrf;
  if (host.owners(packet.destinationText).some(answers)) return passSolicitation(course);
  const answer = host.policy.ipv6.lookup({ ...incomingKey(course), input: course.inputIndex });
  const local = answer.kind === 'found' && answer.found.route.type === 'local';
  return local ? unanswered(course, null, 0) : null;
}

/** Do both stand in the network of an address of the interface? */
function onLink({ packet, device }: Course): boolean {
  const { source, destination } = packet;
  return device.networks.some(
    (network) =>
      network.address.family === source.family &&
      prefixHolds(network, source) &&
      prefixHolds(network, destination),
  );
}

/** The peer's own kernel gives up: TCP hears of it, a UDP program does not (icmp_err_convert). */
function unanswered(
  course: Course,
  setting: 'arp_ignore' | 'arp_filter' | null,
  value: number,
): Fate {
  const { packet, device } = course;
  const arp = packet.family === 'ipv4';
  const why = arp
    ? `${setting} is ${value}`
    : 'neighbour discovery answers for addresses of the interface itself alone';
  return course.fails(
    'device',
    {
      code: 'neighbour-not-answered',
      destination: packet.destinationText,
      interface: device.name,
      protocol: arp ? 'arp' : 'ndp',
      rule: null,
      setting: setting && `net.ipv4.conf.${settingOwner(course, setting)}.${setting}`,
    },
    packet.protocol === 'tcp' ? 'EHOSTUNREACH' : 'ETIMEDOUT',
    `${device.name} does not tell neighbours of ${packet.destinationText}: ${why}`,
  );
}

/** Whose setting decides: the interface's own where it is as large as the one of all. */
function settingOwner({ device, host }: Course, setting: 'arp_ignore' | 'arp_filter'): string {
  const own = device.link.ipv4?.[setting] ?? 0;
  return own >= host.setting(`net.ipv4.conf.all.${setting}`, 0) ? device.name : 'all';
}
