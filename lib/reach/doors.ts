import {
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

const doorsByAddress = new WeakMap<Host, Map<string, readonly Door[]>>();

/** Where a peer would knock: an interface's own addresses, and the one the socket is bound to. */
export function doors(host: Host, socket: Socket | null): readonly Door[] {
  const ofHost = doorsByAddress.get(host) ?? new Map<string, readonly Door[]>();
  doorsByAddress.set(host, ofHost);
  const address = socket ? socket.local.address : '';
  const made = ofHost.get(address) ?? doorsOf(entrancesOf(host), address);
  ofHost.set(address, made);
  return made;
}

/** `to`: the address a socket is bound to, an IPv4 one perhaps in its v4-mapped form. */
function doorsOf(entrances: readonly Entrance[], to: string): readonly Door[] {
  const parsed = parseAddress(to);
  const bound = parsed && isV4Mapped(parsed) ? fromV4Mapped(parsed) : parsed;
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
  const found = entrances.get(host);
  if (found) return found;
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
