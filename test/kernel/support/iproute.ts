import { formatPrefix, parsePrefix } from '#earshot/model/address.js';
import type { Interface, InterfaceAddress } from '#earshot/model/interface.js';
import type { NextHop, Route } from '#earshot/model/route.js';
import type { Rule } from '#earshot/model/rule.js';

/*
 * iproute2's reading of the same network as a second witness: what `ip -j` says, and earshot's
 * records, each turned into the same few words.
 */

// biome-ignore lint/suspicious/noExplicitAny: what ip(8) prints has no declared form
type Json = any;

const ADDRESS_FLAGS = [
  'secondary',
  'temporary',
  'nodad',
  'optimistic',
  'dadfailed',
  'home',
  'deprecated',
  'tentative',
  'mngtmpaddr',
  'noprefixroute',
  'autojoin',
  'stable-privacy',
];

const ROUTE_TYPES = [
  '',
  'unicast',
  'local',
  'broadcast',
  'anycast',
  'multicast',
  'blackhole',
  'unreachable',
  'prohibit',
  'throw',
];

/** `ip -j -d link`, as `linksAsWords` has it. */
export function linksOfIp(links: Json[]): object[] {
  return links.map((link) => ({
    index: link.ifindex,
    name: link.ifname,
    up: link.flags.includes('UP'),
    lowerUp: link.flags.includes('LOWER_UP'),
    running: link.flags.includes('UP') && !link.flags.includes('NO-CARRIER'),
    loopback: link.flags.includes('LOOPBACK'),
    pointToPoint: link.flags.includes('POINTOPOINT'),
    noArp: link.flags.includes('NOARP'),
    mtu: link.mtu,
    mac: link.address ?? null,
    master: link.master ?? null,
    kind: link.linkinfo?.info_kind ?? null,
    portKind: link.linkinfo?.info_slave_kind ?? null,
    lower: link.link_index !== undefined ? 'elsewhere' : (link.link ?? null),
    group: link.group === 'default' ? 0 : Number(link.group),
    hardwareType: { loopback: 772, ether: 1, none: 65534 }[link.link_type as string],
    xdp: link.xdp ? [['', 'driver', 'generic', 'offload'][link.xdp.mode]] : [],
    vrfTable: link.linkinfo?.info_kind === 'vrf' ? link.linkinfo.info_data.table : null,
  }));
}

export function linksAsWords(interfaces: Interface[]): object[] {
  const names = new Map(interfaces.map(({ index, name }) => [index, name]));
  return interfaces.map((entry) => ({
    index: entry.index,
    name: entry.name,
    up: entry.up,
    lowerUp: entry.lowerUp,
    running: entry.up && entry.running,
    loopback: entry.loopback,
    pointToPoint: entry.pointToPoint,
    noArp: entry.noArp,
    mtu: entry.mtu,
    mac: entry.mac,
    master: entry.master,
    kind: entry.kind,
    portKind: entry.portKind,
    lower: entry.lowerElsewhere
      ? 'elsewhere'
      : entry.lowerIndex === null
        ? null
        : names.get(entry.lowerIndex),
    group: entry.group,
    hardwareType: entry.hardwareType,
    xdp: entry.xdp,
    vrfTable: entry.vrfTable,
  }));
}

/** `ip -j -d address`, as `addressesAsWords` has it. */
export function addressesOfIp(links: Json[]): object {
  return Object.fromEntries(
    links.map((link) => [
      link.ifname,
      link.addr_info.map((entry: Json) => ({
        address: entry.local,
        prefixLength: entry.prefixlen,
        scope: entry.scope,
        peer: entry.address ?? null,
        broadcast: entry.broadcast ?? null,
        flags: [
          ...ADDRESS_FLAGS.filter((flag) => entry[flag]),
          ...(entry.dynamic ? [] : ['permanent']),
        ].sort(),
      })),
    ]),
  );
}

export function addressesAsWords(interfaces: Interface[]): object {
  return Object.fromEntries(
    interfaces.map(({ name, addresses }) => [
      name,
      addresses.map((entry: InterfaceAddress) => ({
        address: entry.address,
        prefixLength: entry.prefixLength,
        scope: entry.scope,
        peer: entry.peer,
        broadcast: entry.broadcast,
        flags: [...entry.flags].sort(),
      })),
    ]),
  );
}

/** `ip -j -N -d route show table all` of one family, as `routesAsWords` has it. */
export function routesOfIp(routes: Json[], family: Route['family']): object[] {
  const prefix = (text: string): string =>
    text === 'default'
      ? family === 'ipv4'
        ? '0.0.0.0/0'
        : '::/0'
      : formatPrefix(parsePrefix(text)!);
  return routes.map((route) => {
    const type = ROUTE_TYPES[Number(route.type)]!;
    const hops: Json[] = route.nexthops ?? [route];
    const refuses = ['blackhole', 'unreachable', 'prohibit', 'throw'].includes(type);
    return {
      type,
      destination: prefix(route.dst),
      sourcePrefix: route.from === undefined ? null : prefix(route.from),
      table: Number(route.table),
      protocol: Number(route.protocol),
      scope: Number(route.scope),
      tos: Number(route.tos ?? 0),
      metric: route.metric ?? 0,
      preferredSource: route.prefsrc ?? null,
      nexthopId: route.nhid ?? null,
      preference: route.pref ?? null,
      encapsulated: route.encap !== undefined,
      flags: route.flags,
      nexthops: refuses
        ? [{ interface: null, gateway: null, weight: 1, flags: [] }]
        : hops.map((hop) => ({
            interface: hop.dev ?? null,
            gateway: hop.gateway ?? hop.via?.host ?? null,
            weight: hop.weight ?? 1,
            flags: hop.flags,
          })),
    };
  });
}

export function routesAsWords(routes: Route[]): object[] {
  return routes.map((route) => ({
    type: route.type,
    destination: route.destination,
    sourcePrefix: route.sourcePrefix,
    table: route.table,
    protocol: route.protocol,
    scope: route.scope,
    tos: route.tos,
    metric: route.metric,
    preferredSource: route.preferredSource,
    nexthopId: route.nexthopId,
    preference: route.preference,
    encapsulated: route.encapsulation !== null,
    flags: route.flags,
    nexthops: route.nexthops.map(
      (hop: NextHop): NextHop => ({
        interface: hop.interface,
        gateway: hop.gateway,
        weight: hop.weight,
        flags: hop.flags,
      }),
    ),
  }));
}

/** `ip -j -N -d rule` of one family as the records that earshot makes of the same. */
export function rulesOfIp(rules: Json[], family: Rule['family']): Rule[] {
  const bits = family === 'ipv4' ? 32 : 128;
  const actions: Record<string, Rule['action']> = {
    6: 'blackhole',
    7: 'unreachable',
    8: 'prohibit',
  };
  const range = (one: Json, from: Json, to: Json): Rule['sourcePort'] =>
    one !== undefined ? { from: one, to: one } : from !== undefined ? { from, to } : null;
  return rules.map((rule) => ({
    family,
    priority: rule.priority,
    invert: 'not' in rule,
    from: rule.src === 'all' ? null : `${rule.src}/${rule.srclen ?? bits}`,
    to: rule.dst === undefined ? null : `${rule.dst}/${rule.dstlen ?? bits}`,
    tos: Number(rule.tos ?? 0),
    inputInterface: rule.iif ?? null,
    inputDetached: 'iif_detached' in rule,
    outputInterface: rule.oif ?? null,
    outputDetached: 'oif_detached' in rule,
    mark:
      rule.fwmark === undefined
        ? null
        : { value: Number(rule.fwmark), mask: Number(rule.fwmask ?? 0xffffffff) },
    ipProtocol: rule.ipproto === undefined ? null : Number(rule.ipproto.replace('ipproto-', '')),
    sourcePort: range(rule.sport, rule.sport_start, rule.sport_end),
    destinationPort: range(rule.dport, rule.dport_start, rule.dport_end),
    uidRange: rule.uid_start === undefined ? null : { from: rule.uid_start, to: rule.uid_end },
    l3mdev: 'l3mdev' in rule,
    action: 'goto' in rule ? 'goto' : 'nop' in rule ? 'nop' : (actions[rule.action] ?? 'lookup'),
    table: rule.table === undefined ? null : Number(rule.table),
    goto: rule.goto ?? null,
    suppressPrefixLength: rule.suppress_prefixlen ?? null,
    suppressInterfaceGroup:
      rule.suppress_ifgroup === undefined ? null : Number(rule.suppress_ifgroup),
    protocol: Number(rule.protocol),
    unknownAttributes: rule.tun_id === undefined ? [] : [12],
  }));
}
