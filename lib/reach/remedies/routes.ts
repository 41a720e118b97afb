import {
  formatAddress,
  isLinkLocal,
  parseAddress,
  parsePrefix,
  prefixHolds,
} from '../../model/address.js';
import type { Route } from '../../model/route.js';
import { defaultRule, type Rule } from '../../model/rule.js';
import type { Family } from '../../model/socket.js';
import type { Device, Host } from '../host.js';
import { keyTo } from '../policy.js';
import type { Cause } from '../verdict.js';
import type { Change, Failing } from './change.js';
import { routeTo, withoutRoute, withoutRule, withRoute, withRule } from './edit.js';
import { shellLine } from './shell.js';

/* What ip(8) changes in routes and policy rules. */

const localTable = 255;
const mainTable = 254;

/** The kernel says that a destination of its own is none, or refuses it, before its local table is asked. */
export function routeRequest(failing: Failing, cause: RoutingCause): Change[] {
  const { packet } = failing.followed.course;
  const destination = formatAddress(packet.destination);
  const own = failing.host.owners(destination).length > 0;
  return [
    ...(own ? ruleBefore(failing, packet.family, destination, localTable) : []),
    ...refusing(failing, cause, packet.family),
  ];
}

type RoutingCause = Extract<Cause, { code: 'no-route' | 'route-refuses' }>;

/** A way back to the peer: a route, a rule that leads to one, or without what refuses. */
export function routeBack(failing: Failing, cause: RoutingCause): Change[] {
  const { packet, device, fromHere } = failing.followed.course;
  const peer = formatAddress(packet.source);
  const { family } = packet;
  const table = cause.code === 'route-refuses' ? (cause.table ?? mainTable) : mainTable;
  const tables = [...new Set([device.vrf?.link.vrfTable ?? table, mainTable])];
  const ways = fromHere ? [] : waysTo(failing, device, peer);
  return [
    ...tables.flatMap((id) => ways.map((gateway) => add(family, peer, device.name, gateway, id))),
    ...ruleBefore(failing, family, peer, fromHere ? localTable : mainTable),
    ...refusing(failing, cause, family),
  ];
}

/** A way back to the peer by the interface it comes in by, for the reverse path filter. */
export function routeBackBy(
  failing: Failing,
  cause: Extract<Cause, { code: 'reverse-path' }>,
): Change[] {
  const { packet } = failing.followed.course;
  const device = failing.host.devices.get(cause.interface);
  const peer = formatAddress(packet.source);
  if (!device) return [];
  return waysTo(failing, device, peer).map((gateway) =>
    add(packet.family, peer, device.name, gateway, device.vrf?.link.vrfTable ?? mainTable),
  );
}

/** The destination of a socket that is bound to a device, on its link. */
export function routeOnLink(
  failing: Failing,
  cause: Extract<Cause, { code: 'assumed-on-link' }>,
): Change[] {
  const { packet } = failing.followed.course;
  const device = failing.host.devices.get(cause.interface);
  if (!device) return [];
  return waysTo(failing, device, cause.destination).map((gateway) =>
    add(packet.family, cause.destination, device.name, gateway, mainTable),
  );
}

/**
 * How an address may be reached by an interface: straight, where it is of a network there or there is
 * but one other end; and by those that routes know as gateways there.
 */
function waysTo({ state, host }: Failing, device: Device, text: string): (string | null)[] {
  const { link, name, networks } = device;
  const prefix = parsePrefix(`${text}/${text.includes(':') ? 128 : 32}`);
  if (!prefix) return [];
  const { address } = prefix;
  const near = networks.some(
    (network) => network.address.family === address.family && prefixHolds(network, address),
  );
  const gateways = state.routes
    .filter(({ family }) => family === address.family)
    .flatMap(({ nexthops }) => nexthops)
    .flatMap(({ interface: by, gateway }) => (by === name && gateway !== null ? [gateway] : []))
    .filter((gateway) => gateway.includes(':') === text.includes(':') && gateway !== text)
    .filter((gateway) => isOnLink(host, device, gateway));
  return [...(near || link.pointToPoint ? [null] : []), ...new Set(gateways)];
}

/** Is it a gateway to the kernel: does the way to it lead straight there (fib_check_nh_v4_gw, ip6_route_check_nh)? */
function isOnLink(host: Host, device: Device, text: string): boolean {
  const gateway = parseAddress(text);
  if (!gateway) return false;
  if (isLinkLocal(gateway)) return true;
  const answer = host.policy[gateway.family].lookup(keyTo(gateway, { output: device.index }));
  if (answer.kind !== 'found') return false;
  const { route, nexthop, device: out } = answer.found;
  return route.type === 'unicast' && out === device && nexthop?.gateway == null;
}

function ip(family: Family): string[] {
  return family === 'ipv6' ? ['ip', '-6'] : ['ip'];
}

function inTable(table: number): string[] {
  return table === mainTable ? [] : ['table', tableName(table)];
}

function tableName(table: number): string {
  return table === localTable ? 'local' : table === mainTable ? 'main' : `${table}`;
}

function add(
  family: Family,
  peer: string,
  device: string,
  gateway: string | null,
  table: number,
): Change {
  const via = gateway === null ? [] : ['via', gateway];
  const route = routeTo(family, `${peer}/${family === 'ipv6' ? 128 : 32}`, device, gateway, {
    table,
  });
  const in_ = table === mainTable ? '' : ` in table ${tableName(table)}`;
  return {
    what: `Add a route to ${peer} by ${device}${gateway === null ? '' : ` via ${gateway}`}${in_}`,
    command: shellLine([
      ...ip(family),
      'route',
      'add',
      peer,
      ...via,
      'dev',
      device,
      ...inTable(table),
    ]),
    weight: gateway === null ? 15 : 16,
    apply: (state) => withRoute(state, route),
  };
}

/** A policy rule for one destination, before all that are not the kernel's first. */
function ruleBefore(
  { state }: Failing,
  family: Family,
  destination: string,
  table: number,
): Change[] {
  const priorities = state.rules
    .filter((rule) => rule.family === family && rule.priority > 0)
    .map(({ priority }) => priority);
  const priority = Math.min(...priorities, 32766) - 1;
  if (priority < 1) return [];
  const prefix = `${destination}/${family === 'ipv6' ? 128 : 32}`;
  const rule: Rule = { ...defaultRule(family, priority, table), to: prefix, protocol: 3 };
  return [
    {
      what: `Let a policy rule look up ${destination} in the table ${tableName(table)} first`,
      command: shellLine([
        ...ip(family),
        ...['rule', 'add', 'priority', `${priority}`, 'to', destination],
        ...['lookup', tableName(table)],
      ]),
      weight: 18,
      apply: (before) => withRule(before, rule),
    },
  ];
}

/** Without the route or rule that refuses. */
function refusing({ state }: Failing, cause: RoutingCause, family: Family): Change[] {
  if (cause.code !== 'route-refuses') return [];
  const { type, by, destination, table, priority } = cause;
  if (by === 'rule') {
    const rules = state.rules.filter((one) => one.family === family && one.priority === priority);
    const [rule] = rules;
    if (!rule || rules.length > 1 || rule.action !== type) return [];
    return [
      {
        what: `Take away the policy rule ${rule.priority}, which is ${type}`,
        command: shellLine([...ip(family), 'rule', 'del', 'priority', `${rule.priority}`]),
        weight: 40,
        apply: (before) => withoutRule(before, rule),
      },
    ];
  }
  const found = state.routes
    .filter((one) => one.family === family && one.table === table && one.type === type)
    .filter((one) => one.destination === destination)
    .sort((one, other) => one.metric - other.metric);
  const [route] = found;
  if (!route || table === null) return [];
  return [
    {
      what: `Take away the route ${type} ${destination} of table ${tableName(table)}`,
      command: deletion(route),
      weight: 40,
      apply: (before) => withoutRoute(before, route),
    },
  ];
}

function deletion(route: Route): string {
  const { family, type, destination, table, metric, tos, sourcePrefix, nexthopId } = route;
  return shellLine([
    ...ip(family),
    ...['route', 'del', ...(nexthopId === null ? [type] : []), destination],
    ...(nexthopId === null ? [] : ['nhid', `${nexthopId}`]),
    ...(sourcePrefix === null ? [] : ['from', sourcePrefix]),
    ...(tos === 0 ? [] : ['tos', `${tos}`]),
    ...['table', tableName(table)],
    ...(metric === 0 ? [] : ['metric', `${metric}`]),
  ]);
}
