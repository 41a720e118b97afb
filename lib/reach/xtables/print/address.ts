import { type Address, addressToBytes, bitsOf, formatAddress } from '../../../model/address.js';
import { prefixLengthOf } from '../../nftables/print/values.js';

/** `10.0.0.0/8`, or with a mask that is no prefix `10.0.0.1/255.0.0.255`. */
export function prefix(address: string, mask: Address): string {
  return `${address}/${prefixLengthOf(addressToBytes(mask)) ?? formatAddress(mask)}`;
}

/** The same, without a prefix length that is all of the address. */
export function masked(address: string, mask: Address): string {
  const length = prefixLengthOf(addressToBytes(mask));
  return length === bitsOf(mask.family) ? address : prefix(address, mask);
}
