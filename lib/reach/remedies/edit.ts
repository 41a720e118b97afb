import { isLinkLocal, isUnspecified, parseAddress } from '../../model/address.js';
import type { HostState } from '../../model/host-state.js';
import type { Interface, Ipv4Settings, Ipv6Settings } from '../../model/interface.js';
import type { Route } from '../../model/route.js';
import type { Rule } from '../../model/rule.js';
import type { Family, Socket } from '../../model/socket.js';

/*
 * Changed copies of a state. What does not change is shared with the original, which is never
 * written to: indexes are kept by the identity of a state.
 */

const kernelMade = 2; // RTPROT_KERNEL
const staticMade = 4; // RTPROT_STATIC
const linkScope = 253;
const hostScope = 254;

/** A socket in the place of another; `null` takes it away, or adds one. */
export function withSocket(state: HostState, from: Socket | null, to: Socket | null): HostState {
  const rest = from === null ? state.sockets : state.sockets.filter((one) => one !== from);
  return { ...state, sockets: to === null ? rest : [...rest, to] };
}

/** The same socket, bound elsewhere by a program that was started anew. */
export function movedSocket(
  state: HostState,
  socket: Socket,
  to: Partial<Pick<Socket, 'boundInterface' | 'v6only'>> & { address?: string },
): Socket {
  const { address = socket.local.address } = to;
  // A link-local address is bound with its link (sin6_scope_id), which another one does without.
  const scoped = isLinkLocal(parseAddress(socket.local.address)!) && to.address !== undefined;
  const { boundInterface = scoped ? null : socket.boundInterface } = to;
  const family = address.includes(':') ? 'ipv6' : 'ipv4';
  const parsed = parseAddress(address);
  const everywhere = parsed !== null && isUnspecified(parsed);
  const standsOn = state.interfaces.filter(
    ({ addresses }) => everywhere || addresses.some((entry) => entry.address === address),
  );
  const v6only = to.v6only ?? (socket.family === 'ipv6' ? socket.v6only : false);
  return {
    ...socket,
    family,
    local: { address, port: socket.local.port },
    boundInterface,
    v6only: family === 'ipv4' ? null : everywhere ? v6only : true,
    interfaces: boundInterface === null ? standsOn.map(({ name }) => name) : [boundInterface],
    backlog: socket.backlog && { ...socket.backlog, length: 0 },
    receiveQueue: 0,
  };
}

/** A setting of the namespace. */
export function withSetting(state: HostState, name: string, value: number): HostState {
  return { ...state, settings: { ...state.settings, [name]: value } };
}

/** One interface, changed. */
export function withInterface(
  state: HostState,
  name: string,
  change: (link: Interface) => Interface,
): HostState {
  const interfaces = state.interfaces.map((link) => (link.name === name ? change(link) : link));
  return { ...state, interfaces };
}

/** A setting of one interface. */
export function withInterfaceSetting<Version extends 'ipv4' | 'ipv6'>(
  state: HostState,
  name: string,
  version: Version,
  changes: Partial<Version extends 'ipv4' ? Ipv4Settings : Ipv6Settings>,
): HostState {
  return withInterface(state, name, (link) => {
    const settings = link[version];
    return settings === null ? link : { ...link, [version]: { ...settings, ...changes } };
  });
}

/** An interface with one more address that stands for itself alone (/32 or /128). */
export function withAddress(state: HostState, name: string, address: string): HostState {
  const family: Family = address.includes(':') ? 'ipv6' : 'ipv4';
  const prefixLength = family === 'ipv6' ? 128 : 32;
  const changed = withInterface(state, name, (link) => ({
    ...link,
    addresses: [
      ...link.addresses,
      {
        address,
        prefixLength,
        scope: 'global',
        flags: ['permanent'],
        peer: null,
        broadcast: null,
      },
    ],
  }));
  const inVrf = masterOf(state, name)?.vrfTable ?? null;
  const local = routeTo(family, `${address}/${prefixLength}`, name, null, {
    table: inVrf ?? 255,
    type: 'local',
    scope: family === 'ipv4' ? hostScope : 0,
    protocol: kernelMade,
    preferredSource: family === 'ipv4' ? address : null,
  });
  if (family === 'ipv4') return withRoute(changed, local);
  const prefix = routeTo(family, `${address}/128`, name, null, {
    table: inVrf ?? 254,
    protocol: kernelMade,
    metric: 256,
  });
  return withRoute(withRoute(changed, local), prefix);
}

function masterOf(state: HostState, name: string): Interface | undefined {
  const master = state.interfaces.find((link) => link.name === name)?.master;
  return state.interfaces.find((link) => link.name === master);
}

/** A route as `ip route add` makes it. */
export function routeTo(
  family: Family,
  destination: string,
  device: string,
  gateway: string | null,
  more: Partial<Route> = {},
): Route {
  return {
    family,
    table: 254,
    type: 'unicast',
    destination,
    sourcePrefix: null,
    tos: 0,
    scope: family === 'ipv4' && gateway === null ? linkScope : 0,
    protocol: staticMade,
    metric: family === 'ipv6' ? 1024 : 0,
    preferredSource: null,
    nexthops: [{ interface: device, gateway, weight: 1, flags: [] }],
    nexthopId: null,
    preference: family === 'ipv6' ? 'medium' : null,
    flags: [],
    encapsulation: null,
    ...more,
  };
}

/** One more route. */
export function withRoute(state: HostState, route: Route): HostState {
  return { ...state, routes: [...state.routes, route] };
}

/** Without a route. */
export function withoutRoute(state: HostState, route: Route): HostState {
  return { ...state, routes: state.routes.filter((one) => one !== route) };
}

/** One more policy rule, asked after those of its priority: then the kernel asks the rules at all. */
export function withRule(state: HostState, rule: Rule): HostState {
  const { rules } = state;
  const before = rules.filter((one) =>
    one.family === rule.family ? one.priority <= rule.priority : one.family < rule.family,
  );
  const after = rules.filter((one) => !before.includes(one));
  return asksRules({ ...state, rules: [...before, rule, ...after] }, rule.family);
}

/** Without a policy rule. */
export function withoutRule(state: HostState, rule: Rule): HostState {
  return asksRules({ ...state, rules: state.rules.filter((one) => one !== rule) }, rule.family);
}

function asksRules(state: HostState, family: Family): HostState {
  const known = state.customRules ?? { ipv4: null, ipv6: null };
  return { ...state, customRules: { ...known, [family]: true } };
}
