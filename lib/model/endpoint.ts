import type { Endpoint } from './socket.js';

/** ADDRESS:PORT, an IPv6 address in brackets. */
export function formatEndpoint({ address, port }: Endpoint): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}
