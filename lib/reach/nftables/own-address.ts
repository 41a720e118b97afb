import {
  type Address,
  ipv4,
  ipv6,
  isLinkLocal,
  isV4Mapped,
  prefixHolds,
} from '../../model/address.js';
import type { Hook } from '../../model/firewall.js';
import type { Device, Host, OwnAddress } from '../host.js';
import { selectSourceIpv6 } from '../source-address.js';
import type { Frame } from './frame.js';

/**
 * nf_nat_redirect_ipv4 and _ipv6: loopback for what this host sends, else the first address of the
 * interface it came in on. Null where that has none: the packet is dropped.
 */
export function redirectAddress(host: Host, frame: Frame, hook: Hook): Address | null {
  const { family, input, tuple } = frame;
  if (hook === 'output') return family === 'ipv4' ? ipv4(0x7f000001) : ipv6(0, 0, 0, 1);
  const own = host.own.filter(
    ({ address, device }) => device === input && address.family === family,
  );
  if (family === 'ipv4') return own[0]?.address ?? null;
  const linkLocal = isLinkLocal(tuple.destination);
  const usable = ({ address, entry: { flags } }: OwnAddress): boolean => {
    if (isV4Mapped(address)) return false;
    if (flags.includes('tentative') && !flags.includes('optimistic')) return false;
    return !linkLocal || isLinkLocal(address);
  };
  return own.find(usable)?.address ?? null;
}

/**
 * nf_nat_masquerade_ipv4 and _ipv6: the address that the interface itself would send from; several
 * where it takes the next hop or the order of the interfaces to know which. None: it is dropped.
 */
export function masqueradeAddresses(host: Host, frame: Frame): readonly Address[] {
  const { family, output, tuple } = frame;
  if (family === 'ipv6') {
    const chosen = selectSourceIpv6(host, tuple.destination, output);
    return chosen ? [chosen] : [];
  }
  const primary = host.own.filter(({ address, entry, device }) => {
    if (address.family !== 'ipv4' || !device.hasIpv4 || entry.flags.includes('secondary'))
      return false;
    return (
      entry.scope === 'global' ||
      (entry.scope === 'link' && device.routeLocalnet && device === output)
    );
  });
  const here = primary.filter(({ device }) => device === output);
  const near = here.find(({ prefix }) => prefixHolds(prefix, tuple.destination));
  // Over lo there is no next hop but the destination itself.
  if (near && (here.length === 1 || output?.link.loopback)) return [near.address];
  if (here.length > 0) return output?.link.loopback ? [here[0]!.address] : here.map(addressOf);
  // inet_select_addr goes through the other interfaces then, in the order they came to be.
  const firsts = new Map<Device, Address>();
  for (const { address, device, entry } of primary)
    if (entry.scope === 'global' && !firsts.has(device)) firsts.set(device, address);
  return [...firsts.values()];
}

function addressOf({ address }: OwnAddress): Address {
  return address;
}
