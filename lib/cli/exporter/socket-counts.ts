import { TCP_STATES, UDP_STATES } from '../library.js';

/** The columns that are counted: no record is made of a socket. */
export interface CountedColumns {
  protocol: Uint8Array;
  family: Uint8Array;
  state: Uint8Array;
}

export interface SocketCount {
  protocol: 'tcp' | 'udp';
  family: 'ipv4' | 'ipv6';
  state: string;
  count: number;
}

const TCP = 6;
const IPV4 = 4;
const STATES = 16; // more than the kernel's TCP_MAX_STATES

const KINDS = [
  { protocol: 'tcp', family: 'ipv4', names: TCP_STATES },
  { protocol: 'tcp', family: 'ipv6', names: TCP_STATES },
  { protocol: 'udp', family: 'ipv4', names: UDP_STATES },
  { protocol: 'udp', family: 'ipv6', names: UDP_STATES },
] as const;

/** How many sockets are in each state, those that none is in included. */
export function countSockets({ protocol, family, state }: CountedColumns): SocketCount[] {
  const counts = new Uint32Array(KINDS.length * STATES);
  for (let row = 0; row < state.length; row++) {
    const kind = (protocol[row] === TCP ? 0 : 2) + (family[row] === IPV4 ? 0 : 1);
    counts[kind * STATES + state[row]!]! += 1;
  }
  return KINDS.flatMap(({ names, ...kind }, at) =>
    names.flatMap((name, number) =>
      name === undefined ? [] : [{ ...kind, state: name, count: counts[at * STATES + number]! }],
    ),
  );
}
