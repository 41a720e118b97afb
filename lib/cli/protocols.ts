import type { Transport } from '../model/socket.js';

export interface ProtocolOptions {
  tcp?: boolean;
  udp?: boolean;
}

/** The protocols that --tcp and --udp ask for; both without either. */
export function protocolsAsked({ tcp, udp }: ProtocolOptions): Transport[] {
  if (tcp === udp) return ['tcp', 'udp'];
  return [tcp ? 'tcp' : 'udp'];
}
