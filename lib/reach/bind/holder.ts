import { type Address, isUnspecified, isV4Mapped, parseAddress } from '../../model/address.js';
import type { HeldPorts } from '../../model/held-ports.js';
import type { Socket, Transport } from '../../model/socket.js';
import type { Host } from '../host.js';
import { type CheckedSpec, v6onlyInForce } from './spec.js';
import { and, not, type Tri } from './tri.js';

/** One end of a conflict: what a bind() compares of two sockets on one port. */
export interface Holder {
  readonly address: Address;
  readonly v6only: Tri;
  /** Name of the device; `null` for none. */
  readonly device: string | null;
  /** False where /proc/net left the device untold. */
  readonly deviceTold: boolean;
  readonly reuseAddress: Tri;
  readonly reusePort: Tri;
  readonly uid: number;
  readonly listens: boolean;
  readonly timeWait: boolean;
}

/** What holds a port: a socket, or connections of which no more is known. */
export interface Taken extends Holder {
  readonly socket: Socket | null;
  readonly held: HeldPorts | null;
}

/** The socket that is to be bound. */
export function wouldHold(spec: CheckedSpec): Holder {
  const { address, boundInterface, reuseAddress, reusePort, uid } = spec;
  return {
    address,
    v6only: v6onlyInForce(spec),
    device: boundInterface,
    deviceTold: true,
    reuseAddress,
    reusePort,
    uid,
    listens: false,
    timeWait: false,
  };
}

/** All that holds a port, in the order of the state; without a port, all that hold any. */
export function holdersOf(host: Host, protocol: Transport, port: number): Taken[] {
  const { sockets, held = [] } = host.state;
  const taken: Taken[] = [];
  for (const socket of sockets) {
    if (socket.protocol !== protocol || socket.local.port !== port) continue;
    const address = parseAddress(socket.local.address);
    if (address) taken.push(ofSocket(socket, address));
  }
  if (protocol === 'udp') return taken;
  for (const connections of held) {
    if (!connections.ports.includes(port)) continue;
    const address = parseAddress(connections.address);
    if (address) taken.push(ofConnections(connections, address));
  }
  return taken;
}

function ofSocket(socket: Socket, address: Address): Taken {
  return {
    address,
    v6only: address.family === 'ipv4' ? false : socket.v6only,
    device: socket.boundInterface,
    deviceTold: socket.source === 'netlink',
    reuseAddress: socket.reuseAddress ?? null,
    reusePort: socket.reusePort ?? null,
    uid: socket.uid,
    listens: socket.state === 'listen',
    timeWait: false,
    socket,
    held: null,
  };
}

function ofConnections(held: HeldPorts, address: Address): Taken {
  return {
    address,
    v6only: address.family === 'ipv4' ? false : (held.v6only ?? null),
    device: held.boundInterface,
    deviceTold: held.source === 'netlink',
    reuseAddress: held.reuseAddress ?? null,
    reusePort: held.reusePort ?? null,
    uid: held.uid,
    listens: false,
    timeWait: held.timeWait,
    socket: null,
    held,
  };
}

/** Two sockets on devices of their own do not meet. */
export function sameDevice(one: Holder, other: Holder): Tri {
  const apart = (device: Holder) => (device.deviceTold ? device.device !== null : null);
  const differ = one.device !== other.device;
  return not(and(apart(one), apart(other), one.deviceTold && other.deviceTold ? differ : null));
}

/** Both have SO_REUSEPORT, and one user. What is left of a closed connection has no user. */
export function sharePort(ours: Holder, other: Holder): Tri {
  const sameUser = other.timeWait || ours.uid === other.uid;
  return and(ours.reusePort, other.reusePort, sameUser);
}

/** Do the receive addresses of two sockets meet (inet_rcv_saddr_equal)? */
export function sameAddress(one: Holder, other: Holder): Tri {
  return receiveAddressesMeet(one, other, true);
}

/**
 * inet_rcv_saddr_equal and what it calls in net/ipv4/inet_connection_sock.c. A wildcard of `one` meets
 * every address, one of `other` too where `wildcards` says so.
 */
export function receiveAddressesMeet(one: Holder, other: Holder, wildcards: boolean): Tri {
  if (other.v6only === null) {
    const [yes, no] = [true, false].map((v6only) =>
      receiveAddressesMeet(one, { ...other, v6only }, wildcards),
    );
    return yes === no ? (yes as Tri) : null;
  }
  const ipv4 = () => {
    if (other.v6only === true) return false;
    const [own, theirs] = [ipv4Of(one.address), ipv4Of(other.address)];
    return own === theirs || own === 0 || (wildcards && theirs === 0);
  };
  if (one.address.family === 'ipv4') return ipv4();
  const mapped = kindOf(one.address) === 'mapped';
  const otherMapped = kindOf(other.address) === 'mapped';
  if (mapped && otherMapped) return ipv4();
  const any = kindOf(one.address) === 'any';
  const otherAny = kindOf(other.address) === 'any';
  if (any && otherAny) return true;
  if (otherAny && wildcards && !(other.v6only && mapped)) return true;
  if (any && !(one.v6only && otherMapped)) return true;
  return other.address.family === 'ipv6' && equal(one.address, other.address);
}

/** How the kernel sees an address that an IPv6 socket is compared with (ipv6_addr_type). */
export function kindOf(address: Address): 'any' | 'mapped' | 'native' {
  if (address.family === 'ipv4' || isV4Mapped(address)) return 'mapped';
  return isUnspecified(address) ? 'any' : 'native';
}

/** The IPv4 address that the kernel keeps in every socket: of a native IPv6 one 127.0.0.6 (LOOPBACK4_IPV6). */
function ipv4Of(address: Address): number {
  if (address.family === 'ipv4') return address.a;
  if (isV4Mapped(address)) return address.d;
  return isUnspecified(address) ? 0 : 0x7f000006;
}

function equal(one: Address, other: Address): boolean {
  return one.a === other.a && one.b === other.b && one.c === other.c && one.d === other.d;
}
