import {
  type Address,
  ipv4,
  ipv6,
  isLinkLocal,
  isUnspecified,
  isV4Mapped,
} from '../../model/address.js';
import type { Hook } from '../../model/firewall.js';
import type { Host, OwnAddress } from '../host.js';
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

/** nf_nat_masquerade_ipv4 and _ipv6: the address that the interface itself would send from. */
export function masqueradeAddress(host: Host, frame: Frame): Address | null | 'unknown' {
  const { family, output, tuple } = frame;
  if (!output) return 'unknown';
  if (family === 'ipv6') return selectSourceIpv6(host, tuple.destination, output);
  const candidates = host.own.filter(
    ({ address, entry, device }) =>
      device === output && address.family === 'ipv4' && entry.scope === 'global',
  );
  const first = candidates[0]?.address;
  if (first && !isUnspecified(first)) return first;
  // inet_select_addr goes through the other interfaces then, in an order of its own.
  const elsewhere = host.own.filter(
    ({ address, entry }) => address.family === 'ipv4' && entry.scope === 'global',
  );
  return elsewhere.length > 1 ? 'unknown' : (elsewhere[0]?.address ?? null);
}
