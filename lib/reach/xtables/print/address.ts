import { type Address, addressToBytes, formatAddress } from '../../../model/address.js';
import { prefixLengthOf } from '../../nftables/print/values.js';

/** `10.0.0.0/8`, `10.0.0.1`, or with a mask that is no prefix `10.0.0.1/255.0.0.255`. */
export function masked(address: string, mask: Address): string {
  const length = prefixLengthOf(addressToBytes(mask));
  if (length === (mask.family === 'ipv4' ? 32 : 128)) return address;
  return `${address}/${length ?? formatAddress(mask)}`;
}
