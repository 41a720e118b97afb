import { isLinkLocal, isLoopback, parseAddress } from '../../model/address.js';
import { formatEndpoint } from '../../model/endpoint.js';
import type { HostState } from '../../model/host-state.js';
import type { Interface } from '../../model/interface.js';
import type { Reach } from '../../reach/exposure-row.js';
import { interfacesByInterest } from './interface-names.js';
import type { PeerNames } from './peers.js';

/** What to give to a colleague. */
export interface Share {
  /** A URL, or ADDRESS:PORT where a URL would not be understood. */
  text: string;
  /** The interface by which it works. */
  interface: string;
}

/**
 * The address to share: one that peers on the network get in by. The interface with the default
 * route comes first, IPv4 before IPv6, an address that stays before a temporary one. `null` when no
 * address works from beyond this host.
 */
export function share(state: HostState, reach: readonly Reach[], names: PeerNames): Share | null {
  for (const device of interfacesByInterest(state)) {
    if (device.loopback) continue;
    const own = ownAddresses(device);
    const fitting = reach.filter(
      (entry) => entry.interface === device.name && own.includes(entry.address),
    );
    // An address that admits the whole network before one that admits a few.
    const wide = (entry: Reach) =>
      Number(!names.isAnyone({ interface: device.name, peers: entry.peers }));
    fitting.sort(
      (one, other) =>
        wide(one) - wide(other) || own.indexOf(one.address) - own.indexOf(other.address),
    );
    const [best] = fitting;
    if (best) return { text: reachText(best), interface: device.name };
  }
  return null;
}

/** The address that peers on the network would use, whether they get in or not; `null` without any. */
export function shareableAddress(state: HostState): string | null {
  for (const device of interfacesByInterest(state)) {
    if (device.loopback) continue;
    const [address] = ownAddresses(device);
    if (address) return address;
  }
  return null;
}

/** What to type to get in: the URL, and without one the address and port. */
export function reachText(reach: Reach): string {
  return reach.url === null || notForBrowsers.has(reach.port) ? formatEndpoint(reach) : reach.url;
}

/** Ports of well-known services that a browser does not speak to: mail, shells, files, databases, brokers. */
const notForBrowsers: ReadonlySet<number> = new Set([
  21, 22, 23, 25, 53, 110, 111, 139, 143, 389, 445, 465, 587, 636, 853, 993, 995, 1433, 1521, 1883,
  2049, 3306, 3389, 5432, 5672, 5900, 6379, 9042, 9092, 11211, 27017,
]);

/** An interface's addresses that others can be given, the best first. */
function ownAddresses(device: Interface): string[] {
  const rank = (flags: readonly string[], address: string) =>
    Number(address.includes(':')) * 4 +
    Number(flags.includes('deprecated')) * 2 +
    Number(flags.includes('temporary') || flags.includes('secondary'));
  return device.addresses
    .filter(({ address }) => {
      const parsed = parseAddress(address);
      return parsed !== null && !isLinkLocal(parsed) && !isLoopback(parsed);
    })
    .sort((one, other) => rank(one.flags, one.address) - rank(other.flags, other.address))
    .map(({ address }) => address);
}
