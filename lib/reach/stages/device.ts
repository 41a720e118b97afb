import type { Course, Fate } from '../course.js';
import { familyName } from '../host.js';
import { passNeighbour } from './neighbour.js';

/** The interface exists, is up and has a carrier; a port hands the packet to its master. */
export function passDevice(course: Course): Fate | null {
  const { host, flow } = course;
  const name = flow.ingress;
  const arrival = host.devices.get(name);
  if (!arrival) {
    return course.fails(
      'device',
      { code: 'interface-missing', interface: name },
      'ETIMEDOUT',
      `there is no interface ${name}`,
    );
  }
  course.arrival = arrival;
  course.device = arrival.seenAs;
  const { vrf } = course.device;
  course.inputIndex = vrf?.index ?? course.device.index;
  course.portIndex = vrf ? course.device.index : 0;
  for (const device of arrival === arrival.seenAs ? [arrival] : [arrival, arrival.seenAs]) {
    const closed = device === arrival ? null : closedPort(course);
    if (closed) return closed;
    const down = { code: 'interface-down', interface: device.name } as const;
    if (!device.link.up) return course.fails('device', down, 'ETIMEDOUT', `${device.name} is down`);
    if (device.link.lowerUp || device.link.loopback) continue;
    const carrier = { code: 'no-carrier', interface: device.name } as const;
    return course.fails('device', carrier, 'ETIMEDOUT', `${device.name} has no carrier`);
  }
  if (arrival.unmodelledMaster !== null) {
    const what = `${name} is a port of ${arrival.link.master}, of kind ${arrival.unmodelledMaster}`;
    return course.cannotTell('device', { code: 'not-evaluated', what }, what);
  }
  const { device } = course;
  if (device.link.vrfTable !== null) {
    const what = `what is sent inside the VRF ${device.name} by this host itself`;
    return course.cannotTell('device', { code: 'not-evaluated', what }, what);
  }
  // Rules that are asked before may still answer.
  const disabled = host.ruleset ? null : passFamily(course);
  if (disabled) return disabled;
  const port = arrival === device ? '' : `, a port of ${device.name}, which takes the packet`;
  const inside = vrf ? `, inside the VRF ${vrf.name}` : '';
  course.step('device', 'pass', `arrives on ${name}${port}${inside}`);
  return speaks(course) ? passNeighbour(course) : null;
}

/** ip6_rcv_core and ip_route_input_slow: a device without IPv4 or IPv6 takes no such packet. */
export function passFamily(course: Course): Fate | null {
  if (speaks(course)) return null;
  const { device, packet } = course;
  return course.fails(
    'device',
    { code: 'ip-disabled', interface: device.name, family: packet.family },
    'ETIMEDOUT',
    `${device.name} has no ${familyName(packet.family)}`,
  );
}

function speaks({ device, packet }: Course): boolean {
  return packet.family === 'ipv4' ? device.hasIpv4 : device.hasIpv6;
}

/**
 * Does the master take what comes in by the port (br_handle_frame, bond_handle_frame)? That the
 * ports of a bridge are isolated or turn packets back (hairpin) is a matter between ports.
 */
function closedPort(course: Course): Fate | null {
  const { link, name } = course.arrival;
  const { device } = course;
  if (link.portState === 'blocked') {
    const cause = { code: 'port-blocked', interface: name, master: device.name } as const;
    return course.fails('device', cause, 'ETIMEDOUT', `${device.name} blocks its port ${name}`);
  }
  const what =
    link.portState === 'backup'
      ? `what ${device.name} does with what comes in by ${name}, which it keeps in reserve`
      : device.link.vlanFiltering
        ? `the VLANs that the bridge ${device.name} lets in by ${name}`
        : null;
  return what === null ? null : course.cannotTell('device', { code: 'not-evaluated', what }, what);
}
