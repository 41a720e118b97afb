import type { Missing } from '../model/host-state.js';
import type { Interface } from '../model/interface.js';
import type { Route } from '../model/route.js';
import { impliedRules, type Rule } from '../model/rule.js';
import type { Family } from '../model/socket.js';
import { type NetlinkRefusal, native } from '../native.js';
import { addressesRequest, decodeAddresses, joinAddresses } from './addresses.js';
import { NETLINK_ROUTE, readFilters } from './interfaces.js';
import { decodeLinks, interfaceNames, linksRequest } from './links.js';
import { decodeNeighbours, type KnownNeighbours, neighboursRequest } from './neighbours.js';
import { decodeNexthops, type NextHopObject, nexthopsRequest } from './nexthops.js';
import { qdiscsRequest } from './qdiscs.js';
import { bytesOf, partOrMissing } from './refusal.js';
import { decodeRoutes, routesRequest } from './routes.js';
import { decodeRules, rulesRequest } from './rules.js';

const EINVAL = 22;
const EOPNOTSUPP = 95;
const EAFNOSUPPORT = 97;

/** RTNLGRP_* of all that is read here: LINK, IPV4_IFADDR, _ROUTE, _RULE, IPV6_IFADDR, _ROUTE, _RULE. */
const WATCH_GROUPS = [1, 5, 7, 8, 9, 11, 19];

/** How often a network that changes while it is read is read again. */
const TRIES = 3;

/** Links, addresses, routes and rules of one moment. */
export interface Network {
  interfaces: Interface[];
  routes: Route[];
  rules: Rule[];
  /** Which families the interfaces have settings for. */
  families: { ipv4: boolean; ipv6: boolean };
  /** Whose link-layer address is known, by interface index; `null` where it was not told. */
  neighbours: Map<number, KnownNeighbours> | null;
  missing: Missing[];
}

/** The answers to one round of requests, in the order of `REQUESTS`. */
export interface NetworkReplies {
  links: Reply;
  addresses: Reply;
  nexthops: Reply;
  qdiscs: Reply;
  routes: Record<Family, Reply>;
  rules: Record<Family, Reply>;
  neighbours: Reply;
}

type Reply = Uint8Array | NetlinkRefusal;

/**
 * Reads the network of a namespace as it is at one moment: the kernel is listened to meanwhile, and
 * what changed while it was read is read again.
 */
export async function readNetwork(netns: string | null): Promise<Network> {
  for (let tried = 1; ; tried++) {
    const { replies, changed } = await native.netlink({
      protocol: NETLINK_ROUTE,
      requests: [
        linksRequest(),
        addressesRequest(),
        nexthopsRequest(),
        qdiscsRequest(),
        routesRequest('ipv4'),
        routesRequest('ipv6'),
        rulesRequest('ipv4'),
        rulesRequest('ipv6'),
        neighboursRequest(),
      ],
      watchGroups: WATCH_GROUPS,
      netns,
    });
    if (changed && tried < TRIES) continue;
    const [links, addresses, nexthops, qdiscs, routes4, routes6, rules4, rules6, neighbours] =
      replies as [Reply, Reply, Reply, Reply, Reply, Reply, Reply, Reply, Reply];
    const network = await decodeNetwork({
      links,
      addresses,
      nexthops,
      qdiscs,
      routes: { ipv4: routes4, ipv6: routes6 },
      rules: { ipv4: rules4, ipv6: rules6 },
      neighbours,
    });
    await partOrMissing('programs', network.missing, undefined, () =>
      readFilters(network.interfaces, qdiscs, netns),
    );
    if (changed) {
      network.missing.push({
        what: 'consistency',
        reason: `links, addresses, routes or rules changed during each of ${TRIES} reads`,
        remedy: 'capture again when the network is quiet',
      });
    }
    return network;
  }
}

/** The network in recorded answers; what was refused or cannot be read is in `missing`. */
export async function decodeNetwork(replies: NetworkReplies): Promise<Network> {
  const missing: Missing[] = [];
  const interfaces = await partOrMissing('interfaces', missing, [], () =>
    decodeLinks(bytesOf(replies.links, 'links')),
  );
  await partOrMissing('interfaces', missing, undefined, () =>
    joinAddresses(interfaces, decodeAddresses(bytesOf(replies.addresses, 'addresses'))),
  );
  const families = {
    ipv4: interfaces.some((entry) => entry.ipv4 !== null),
    ipv6: interfaces.some((entry) => entry.ipv6 !== null),
  };
  const names = interfaceNames(interfaces);
  const objects = await partOrMissing('routes', missing, new Map<number, NextHopObject>(), () =>
    // Linux before 5.3 has no nexthop objects.
    refusedWith(replies.nexthops, EOPNOTSUPP, EINVAL)
      ? new Map<number, NextHopObject>()
      : decodeNexthops(bytesOf(replies.nexthops, 'nexthops'), names),
  );
  const routesOf = (family: Family): Promise<Route[]> =>
    partOrMissing('routes', missing, [], () =>
      !families[family] && refusedWith(replies.routes[family], EOPNOTSUPP, EAFNOSUPPORT)
        ? []
        : decodeRoutes(bytesOf(replies.routes[family], `${family} routes`), family, names, objects),
    );
  const rulesOf = (family: Family): Promise<Rule[]> =>
    partOrMissing('rules', missing, [], () => {
      const reply = replies.rules[family];
      if (!refusedWith(reply, EOPNOTSUPP, EAFNOSUPPORT)) {
        return decodeRules(bytesOf(reply, `${family} rules`), family);
      }
      // A kernel without policy routing (CONFIG_IP_MULTIPLE_TABLES).
      return families[family] ? impliedRules(family) : [];
    });
  const routes = [...(await routesOf('ipv4')), ...(await routesOf('ipv6'))];
  const rules = [...(await rulesOf('ipv4')), ...(await rulesOf('ipv6'))];
  missing.push(...unresolved(routes, objects));
  const { neighbours: told } = replies;
  const neighbours =
    told instanceof Uint8Array
      ? await partOrMissing('interfaces', missing, null, () => decodeNeighbours(told))
      : null;
  return { interfaces, routes, rules, families, neighbours, missing };
}

function refusedWith(reply: Reply, ...errnos: number[]): boolean {
  return !(reply instanceof Uint8Array) && errnos.includes(reply.errno);
}

/** A route through a nexthop object that was not told has no way out that could be evaluated. */
function unresolved(routes: Route[], objects: ReadonlyMap<number, NextHopObject>): Missing[] {
  const ids = new Set(
    routes.flatMap(({ nexthopId, nexthops }) =>
      nexthopId !== null &&
      !objects.has(nexthopId) &&
      nexthops.every((nexthop) => nexthop.interface === null)
        ? [nexthopId]
        : [],
    ),
  );
  if (ids.size === 0) return [];
  return [
    {
      what: 'routes',
      reason: `routes use the nexthop objects ${[...ids].join(', ')}, which the kernel did not show`,
      remedy: 'capture again',
    },
  ];
}
