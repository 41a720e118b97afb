import {
  type Address,
  canonicalText,
  isMulticast,
  isUnspecified,
  isV4Mapped,
  parseAddress,
} from '../../model/address.js';
import { checkKeys, checkOneOf, invalid, show } from '../../model/arguments.js';
import type { Transport } from '../../model/socket.js';
import type { Host } from '../host.js';

/** The bind() that is asked about. */
export interface BindSpec {
  /** TCP or UDP. For TCP the answer covers listen() too, which checks for conflicts once more. */
  protocol: Transport;
  /**
   * The address, without a zone. `::` and other IPv6 addresses mean an IPv6 socket, also the v4-mapped
   * `::ffff:192.0.2.1`.
   */
  address: string;
  /** 0 to 65535; 0 lets the kernel choose. */
  port: number;
  /** SO_BINDTODEVICE; for a link-local address also what the zone in `fe80::1%eth0` does. */
  boundInterface?: string;
  /** IPV6_V6ONLY of an IPv6 socket; default: as net.ipv6.bindv6only has it. */
  v6only?: boolean;
  /** SO_REUSEADDR, which Node sets on every TCP server. Default false. */
  reuseAddress?: boolean;
  /** SO_REUSEPORT. Default false. */
  reusePort?: boolean;
  /** The user who binds; default: the one who made the capture, else root. */
  uid?: number;
  /** Has the process CAP_NET_BIND_SERVICE? Default: root has, nobody else. */
  privileged?: boolean;
}

/** A bind() that was looked at, with nothing left out. */
export interface CheckedSpec {
  readonly protocol: Transport;
  readonly family: 'ipv4' | 'ipv6';
  readonly address: Address;
  /** Canonical text. */
  readonly text: string;
  readonly port: number;
  readonly boundInterface: string | null;
  /** As it was asked for; see `v6onlyInForce`. */
  readonly v6only: boolean;
  readonly reuseAddress: boolean;
  readonly reusePort: boolean;
  readonly uid: number;
  readonly privileged: boolean;
}

const keys: readonly (keyof BindSpec)[] = [
  'protocol',
  'address',
  'port',
  'boundInterface',
  'v6only',
  'reuseAddress',
  'reusePort',
  'uid',
  'privileged',
];
const transports: readonly Transport[] = ['tcp', 'udp'];
const largestUid = 0xffffffff;

/** Checks a bind: `ERR_INVALID_ARGUMENT` names the key and the value met. */
export function checkSpec(bind: BindSpec, host: Host): CheckedSpec {
  checkKeys(bind, 'bind', keys);
  const { address, port, boundInterface = null, uid = host.state.where.uid ?? 0 } = bind;
  const parsed = typeof address === 'string' ? parseAddress(address) : null;
  if (!parsed) throw invalid(`bind.address is ${show(address)}: ${addressRemedy(address)}`);
  if (!Number.isInteger(port) || port < 0 || port > 65535) {
    throw invalid(`bind.port is ${show(port)}: a port is a whole number from 0 to 65535`);
  }
  if (boundInterface !== null && (typeof boundInterface !== 'string' || boundInterface === '')) {
    throw invalid(
      `bind.boundInterface is ${show(boundInterface)}: give the name of an interface, such as 'eth0'`,
    );
  }
  if (!Number.isInteger(uid) || uid < 0 || uid > largestUid) {
    throw invalid(`bind.uid is ${show(uid)}: it is a whole number from 0 to ${largestUid}`);
  }
  const v6onlyByDefault = host.setting('net.ipv6.bindv6only', 0) !== 0;
  return {
    protocol: checkOneOf(bind.protocol, 'bind.protocol', transports),
    family: parsed.family,
    address: parsed,
    text: canonicalText(address, parsed),
    port,
    boundInterface,
    v6only: parsed.family === 'ipv6' && flag(bind, 'v6only', v6onlyByDefault),
    reuseAddress: flag(bind, 'reuseAddress', false),
    reusePort: flag(bind, 'reusePort', false),
    uid,
    privileged: flag(bind, 'privileged', uid === 0),
  };
}

function flag(
  bind: BindSpec,
  key: 'v6only' | 'reuseAddress' | 'reusePort' | 'privileged',
  absent: boolean,
): boolean {
  const value = bind[key] ?? absent;
  if (typeof value === 'boolean') return value;
  throw invalid(`bind.${key} is ${show(value)}, not true or false`);
}

function addressRemedy(address: unknown): string {
  const [bare = '', zone] = typeof address === 'string' ? address.split('%') : [];
  if (zone !== undefined && parseAddress(bare)) {
    return `give ${bare}, and the interface ${zone} as bind.boundInterface`;
  }
  return "give an IP address such as '0.0.0.0', '::' or '192.0.2.1' (names are not looked up)";
}

/** A socket on one IPv6 address takes IPv6 alone, whatever was asked for (__inet6_bind). */
export function v6onlyInForce({ address, v6only }: CheckedSpec): boolean {
  if (address.family === 'ipv4') return false;
  return v6only || !(isUnspecified(address) || isV4Mapped(address));
}

/** IPv6 addresses that mean nothing without an interface (__ipv6_addr_needs_scope_id). */
export function needsScope(address: Address): boolean {
  if (address.family === 'ipv4') return false;
  if (!isMulticast(address)) return address.a >>> 22 === 0x3fa;
  const scope = (address.a >>> 16) & 0xf;
  return scope === 1 || scope === 2;
}
