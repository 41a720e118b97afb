import { type Address, maskAddress, sameAddress } from '../model/address.js';
import type { Found } from './fib.js';

/**
 * What IPv6 takes for anycast by the route to it (ipv6_anycast_destination in include/net/ip6_route.h):
 * besides what the table holds as such the address of a network itself, without a host's part, which is
 * that of whichever router is nearest.
 */
export function isAnycast({ route, prefixLength, nexthop }: Found, address: Address): boolean {
  if (route.type === 'anycast') return true;
  if (prefixLength >= 127 || (nexthop?.gateway ?? null) !== null) return false;
  return sameAddress(maskAddress(address, prefixLength), address);
}
