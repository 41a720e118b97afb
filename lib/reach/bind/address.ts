import {
  type Address,
  fromV4Mapped,
  isLinkLocal,
  isLoopback,
  isMulticast,
  isUnspecified,
  isV4Mapped,
} from '../../model/address.js';
import type { Device, Host, OwnAddress } from '../host.js';
import { type CheckedSpec, needsScope } from './spec.js';

/** Why a bind() fails before it looks at the port. */
export type BindError =
  | 'EADDRINUSE'
  | 'EADDRNOTAVAIL'
  | 'EACCES'
  | 'ENODEV'
  | 'EINVAL'
  | 'EAFNOSUPPORT';

/** A refusal with its reason, or what would have to be known; `null` where nothing is refused. */
export type Refusal =
  | { readonly error: BindError; readonly reason: string }
  | { readonly unknown: string; readonly remedy: string | null }
  | null;

/** All that socket(), SO_BINDTODEVICE and bind() check before the port, in their order. */
export function refusalOf(host: Host, spec: CheckedSpec): Refusal {
  const { family, boundInterface, text } = spec;
  if (!host.state.families[family]) {
    const name = family === 'ipv4' ? 'IPv4' : 'IPv6';
    return refuse('EAFNOSUPPORT', `this kernel, or this namespace, has no ${name}`);
  }
  if (boundInterface !== null && !host.devices.has(boundInterface)) {
    return refuse('ENODEV', `there is no interface ${boundInterface}`);
  }
  const privilege = lacksPrivilege(host, spec);
  if (family === 'ipv4') return ipv4Refusal(host, spec.address, spec) ?? privilege;
  if (isMulticast(spec.address) && spec.protocol === 'tcp') {
    return refuse('EINVAL', `${text} is a multicast address, and TCP has no groups`);
  }
  return privilege ?? ipv6Refusal(host, spec);
}

function refuse(error: BindError, reason: string): Refusal {
  return { error, reason };
}

/** inet_port_requires_bind_service. */
function lacksPrivilege(host: Host, { port, privileged, uid }: CheckedSpec): Refusal {
  const first = host.setting('net.ipv4.ip_unprivileged_port_start', 1024);
  if (port === 0 || port >= first || privileged) return null;
  return refuse(
    'EACCES',
    `user ${uid} may not bind ports below ${first} without CAP_NET_BIND_SERVICE (net.ipv4.ip_unprivileged_port_start)`,
  );
}

/** __inet_bind in net/ipv4/af_inet.c, and for v4-mapped addresses __inet6_bind. */
function ipv4Refusal(host: Host, address: Address, spec: CheckedSpec): Refusal {
  if (isUnspecified(address) || host.setting('net.ipv4.ip_nonlocal_bind', 0) !== 0) return null;
  const limitedBroadcast = address.a === -1;
  if (isMulticast(address) || limitedBroadcast) return null;
  const type = host.policy.ipv4.addressType(address, vrfTableOf(host, spec.boundInterface));
  if (type === 'local' || type === 'broadcast' || type === 'multicast') return null;
  if (type === 'no-table') {
    return {
      unknown: `whether ${spec.text} may be bound: there is no route in the table that says which addresses are local, and a namespace that never had one lets every address be bound`,
      remedy: null,
    };
  }
  return notOurs(spec);
}

function notOurs({ address, text, boundInterface }: CheckedSpec): Refusal {
  const where = isOfOneLink(address) && boundInterface !== null ? boundInterface : 'this host';
  return refuse('EADDRNOTAVAIL', `${text} is not an address of ${where}`);
}

/** Such an address counts on its own interface alone. */
function isOfOneLink(address: Address): boolean {
  return address.family === 'ipv6' && (isLinkLocal(address) || isLoopback(address));
}

/** The VRF that a device is, or is a port of (l3mdev_fib_table). */
function vrfOf(host: Host, name: string | null): Device | null {
  const device = name === null ? undefined : host.devices.get(name);
  if (!device) return null;
  return device.link.vrfTable === null ? device.vrf : device;
}

function vrfTableOf(host: Host, name: string | null): number | undefined {
  return vrfOf(host, name)?.link.vrfTable ?? undefined;
}

/** __inet6_bind in net/ipv6/af_inet6.c. */
function ipv6Refusal(host: Host, spec: CheckedSpec): Refusal {
  const { address, text, boundInterface } = spec;
  if (isV4Mapped(address)) {
    if (spec.v6only) {
      return refuse('EINVAL', `${text} is an IPv4 address, and IPV6_V6ONLY is on`);
    }
    return ipv4Refusal(host, fromV4Mapped(address), spec);
  }
  if (isUnspecified(address)) return null;
  if (needsScope(address) && boundInterface === null) {
    return refuse('EINVAL', `${text} is of one link, and no interface is named`);
  }
  if (isMulticast(address) || host.setting('net.ipv6.ip_nonlocal_bind', 0) !== 0) return null;
  const owners = host.owners(text);
  if (owners.some((own) => isThere(host, own, boundInterface))) return null;
  const [waiting] = owners.filter(isTentative);
  if (!waiting) return notOurs(spec);
  return refuse(
    'EADDRNOTAVAIL',
    waiting.entry.flags.includes('dadfailed')
      ? `${text} failed duplicate address detection: another host on the link has it`
      : `${text} is still tentative: duplicate address detection has not passed`,
  );
}

/** __ipv6_chk_addr_and_flags, tentative addresses banned. */
function isThere(host: Host, own: OwnAddress, boundInterface: string | null): boolean {
  const { address, device } = own;
  if (isTentative(own)) return false;
  if (vrfOf(host, device.name) !== vrfOf(host, boundInterface)) return false;
  return boundInterface === null || device.name === boundInterface || !isOfOneLink(address);
}

function isTentative({ entry: { flags } }: OwnAddress): boolean {
  return flags.includes('tentative') && !flags.includes('optimistic');
}
