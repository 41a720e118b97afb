import { parseAddress } from '../../model/address.js';
import type { Endpoint } from '../../model/socket.js';
import { endpointArgument } from '../arguments.js';

/** Where `earshot exporter` listens unless told otherwise: of this host, for this host. */
export const USUAL_LISTEN = '127.0.0.1:19747';

/** --listen: ADDRESS:PORT, [ADDRESS]:PORT for IPv6. */
export function listenArgument(text: string): Endpoint {
  return endpointArgument(text, '--listen');
}

/** Can nobody but this host send to it? */
export function isLoopback(address: string): boolean {
  const parsed = parseAddress(address);
  return address === '::1' || (parsed?.family === 'ipv4' && address.startsWith('127.'));
}
