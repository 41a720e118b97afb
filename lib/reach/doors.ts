import {
  type Address,
  formatAddress,
  fromV4Mapped,
  isLinkLocal,
  isUnspecified,
  isV4Mapped,
  parseAddress,
} from '../model/address.js';
import type { Socket } from '../model/socket.js';
import type { Device, Host } from './host.js';
import type { Door } from './knock.js';

/** Where a peer would knock: an interface's own addresses, and the one the socket is bound to. */
export function doors(host: Host, socket: Socket | null): Door[] {
  const entrances = entrancesOf(host);
  const bound = socket && boundTo(socket);
  if (!bound || isUnspecified(bound) || isLinkLocal(bound))
    return entrances.flatMap(({ own }) => own);
  const address = formatAddress(bound);
  return entrances.flatMap(({ device, own }) =>
    own.some((door) => door.address === address)
      ? own
      : [...own, { device, address, family: bound.family, linkOnly: false }],
  );
}

/** An interface by which packets come in, and the addresses of its own. */
interface Entrance {
  readonly device: Device;
  readonly own: readonly Door[];
}

const entrances = new WeakMap<Host, readonly Entrance[]>();

function entrancesOf(host: Host): readonly Entrance[] {
  const known = entrances.get(host);
  if (known) return known;
  // What a port of a bridge or bond receives, its master answers; a VRF's ports answer for it.
  const made = [...host.devices.values()]
    .filter((device) => device.link.up && device.seenAs === device && device.link.vrfTable === null)
    .map((device) => ({
      device,
      own: device.link.addresses.flatMap((entry) => doorAt(device, entry.address)),
    }));
  entrances.set(host, made);
  return made;
}

function doorAt(device: Device, address: string): Door[] {
  const parsed = parseAddress(address);
  return parsed ? [{ device, address, family: parsed.family, linkOnly: isLinkLocal(parsed) }] : [];
}

/** The address a socket is bound to; an IPv4 one for its v4-mapped form. */
function boundTo(socket: Socket): Address | null {
  const address = parseAddress(socket.local.address);
  return address && isV4Mapped(address) ? fromV4Mapped(address) : address;
}
