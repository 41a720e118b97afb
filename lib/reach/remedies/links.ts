import { formatPrefix, isLoopback, maskAddress, parseAddress } from '../../model/address.js';
import type { HostState } from '../../model/host-state.js';
import type { Interface } from '../../model/interface.js';
import type { Cause } from '../verdict.js';
import type { Change, Failing } from './change.js';
import { routeTo, withAddress, withInterface, withRoute } from './edit.js';
import { shellLine } from './shell.js';

/* What ip(8) changes in interfaces and their addresses. */

const kernelMade = 2; // RTPROT_KERNEL

/** The interface is switched on; whoever is at the other end is taken to be there. */
export function switchOn(
  { host }: Failing,
  cause: Extract<Cause, { code: 'interface-down' }>,
): Change[] {
  const link = host.devices.get(cause.interface)?.link;
  if (!link) return [];
  const { name } = link;
  return [
    {
      what: `Switch the interface ${name} on`,
      command: shellLine(['ip', 'link', 'set', name, 'up']),
      weight: 5,
      apply: (state) => networksOf(raised(state, name), link),
    },
  ];
}

function raised(state: HostState, name: string): HostState {
  return withInterface(state, name, (link) => ({
    ...link,
    up: true,
    running: true,
    lowerUp: true,
  }));
}

/**
 * Its IPv4 addresses get the routes to their networks again (fib_add_ifaddr). Its IPv6 addresses
 * went with the link, and other routes by it too: what there was of them nobody knows.
 */
function networksOf(state: HostState, link: Interface): HostState {
  return link.addresses.reduce((changed, { address, prefixLength, flags, peer }) => {
    const parsed = parseAddress(peer ?? address);
    const none = flags.includes('noprefixroute') || (prefixLength === 32 && peer === null);
    if (parsed?.family !== 'ipv4' || isLoopback(parsed) || none) return changed;
    const destination = formatPrefix({
      address: maskAddress(parsed, prefixLength),
      length: prefixLength,
    });
    const known = changed.routes.some(
      (route) =>
        route.destination === destination &&
        route.table === 254 &&
        route.nexthops.some((nexthop) => nexthop.interface === link.name),
    );
    if (known) return changed;
    const route = routeTo('ipv4', destination, link.name, null, {
      protocol: kernelMade,
      preferredSource: address,
    });
    return withRoute(changed, route);
  }, state);
}

/** The interface that the packet comes in by gets the address, for itself alone. */
export function addAddress({ host }: Failing, name: string, address: string): Change[] {
  const link = host.devices.get(name)?.link;
  const parsed = parseAddress(address);
  if (!link || !parsed || isLoopback(parsed)) return [];
  const own = host.owners(address).length > 0;
  const ipv6 = parsed.family === 'ipv6';
  const unique = own ? '' : ' (no other machine may have it)';
  return [
    {
      what: `Give ${name} the address ${address}${own ? ' too' : ''}${unique}`,
      command: shellLine([
        ...(ipv6 ? ['ip', '-6'] : ['ip']),
        ...['address', 'add', `${address}/${ipv6 ? 128 : 32}`, 'dev', name],
      ]),
      weight: 20,
      // Duplicate address detection goes on for a second or two.
      ...(ipv6 ? { settles: true as const } : {}),
      apply: (state) => withAddress(state, name, address),
    },
  ];
}
