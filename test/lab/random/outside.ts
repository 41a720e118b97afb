import type { Sysctls } from '../namespaces.js';
import type { ListenerSpec } from '../sockets.js';
import type { HostDescription, NetworkDescription, PeerDescription } from '../topology.js';
import {
  type Asker,
  askersOf,
  isIpv6,
  isLinkLocalText,
  type LinkSpec,
  type PeerSpec,
  plain,
  type Scenario,
} from './scenario.js';

/*
 * The world around the host of a scenario helps: whatever the host sends by whatever interface to
 * whatever neighbour arrives, so that what happens is the host's doing alone. All peers stand on a
 * network of their own too, the core, and pass on by it what is for somebody else. What is for
 * nobody goes to the machine `world`, which holds every address and answers: what the host forwards
 * or sends out is taken there.
 */

/** The machine that takes what is for no one else. */
export const WORLD = 'world';

/** The ports that flows ask for. */
export const ports = [4000, 4001, 4002, 4003, 4004];

const core4 = (number: number): string => `10.254.0.${number}`;
const core6 = (number: number): string => `fd00:fe::${number.toString(16)}`;
const worldNumber = 250;

/** A peer of the outside decides nothing itself: it takes and passes on what would be martians to it. */
const openMinded: Sysctls = {
  'net.ipv4.conf.all.route_localnet': 1,
  'net.ipv4.conf.all.accept_local': 1,
  'net.ipv4.conf.all.rp_filter': 0,
  'net.ipv4.conf.eth0.rp_filter': 0,
  'net.ipv4.ip_forward': 1,
  'net.ipv6.conf.all.forwarding': 1,
  'net.ipv4.conf.all.accept_redirects': 0,
  'net.ipv6.conf.all.accept_redirects': 0,
  'net.ipv4.conf.all.send_redirects': 0,
  'net.ipv4.conf.eth0.send_redirects': 0,
};

/** The host of a scenario and the world around it. */
export function withOutside(scenario: Scenario): HostDescription {
  const { links } = scenario;
  const askers = askersOf(links);
  const numbers = new Map(
    askers.filter(({ near }) => near).map(({ machine }, place) => [machine, place + 1]),
  );
  const outside: Outside = { links, askers, numbers, strangers: strangers(scenario) };
  const interfaces = Object.fromEntries(
    links.map((link) => [link.name, networkOf(link, outside)] as const),
  );
  return { interfaces };
}

/** The listeners of `world`. */
export const worldListeners: ListenerSpec[] = ports.flatMap((port): ListenerSpec[] => [
  { protocol: 'tcp', address: '::', port, v6only: false },
  { protocol: 'udp', address: '0.0.0.0', port, answerFrom: 'asked' },
  { protocol: 'udp', address: '::', port, v6only: true, answerFrom: 'asked' },
]);

interface Outside {
  links: LinkSpec[];
  askers: Asker[];
  /** On the core, by machine. */
  numbers: Map<string, number>;
  /** Addresses that may be sent to and are nobody's. */
  strangers: string[];
}

function networkOf(link: LinkSpec, outside: Outside): NetworkDescription {
  const { kind, segment, addresses, peers } = link;
  const network: NetworkDescription = { kind, addresses };
  if (segment !== undefined) network.segment = segment;
  network.peers = Object.fromEntries(
    peers.map((peer, place) => [peer.machine, describe(peer, place, link, outside)] as const),
  );
  return network;
}

function describe(
  peer: PeerSpec,
  place: number,
  link: LinkSpec,
  outside: Outside,
): PeerDescription {
  const { machine, addresses, duplicates, behind } = peer;
  if (duplicates) {
    const ip = duplicates.map((address) => `address add ${address} dev eth0 nodad`);
    return { addresses, ip };
  }
  const number = outside.numbers.get(machine)!;
  const proxies = [
    ...(place === 0 ? standsInFor(link, outside) : []),
    ...(behind ? behind.addresses.map(plain) : []),
  ];
  const description: PeerDescription = { addresses, proxies, sysctls: openMinded };
  const core: NetworkDescription = {
    segment: 'core',
    addresses: [`${core4(number)}/16`, `${core6(number)}/64`],
  };
  if (number === 1) core.peers = { [WORLD]: world(outside) };
  description.interfaces = { core };
  if (behind) {
    description.interfaces.inner = {
      addresses: behind.router,
      peers: { [behind.machine]: { addresses: behind.addresses, sysctls: openMinded } },
    };
  }
  description.ip = [...passingOn(peer, outside), ...askingByGateway(peer, link)];
  return description;
}

/** What comes from the host goes to whom it is for, over the core; and if it is nobody's, to the world. */
function passingOn({ machine, behind }: PeerSpec, { askers, links, numbers }: Outside): string[] {
  const ways = askers.flatMap((asker) => {
    const gateway = gatewayOf(asker, links);
    const number = numbers.get(gateway)!;
    if (gateway === machine) return [];
    return asker.addresses.map(
      (address) => `route add ${address} via ${isIpv6(address) ? core6(number) : core4(number)}`,
    );
  });
  const inner = (behind?.addresses ?? []).map((address) => `route add ${plain(address)} dev inner`);
  const rest = [`route add default via ${core4(worldNumber)}`];
  return [
    'rule add priority 10 iif eth0 lookup 77',
    ...[...ways, ...inner, ...rest].map((line) => `${line} table 77`),
    '-6 rule add priority 10 iif eth0 lookup 77',
    `-6 route add default via ${core6(worldNumber)} table 77`,
  ];
}

/** It asks for some addresses of the host by its gateway, although they look on-link. */
export function askingByGateway({ byGateway }: PeerSpec, link: LinkSpec): string[] {
  return byGateway.map((address) => {
    const gateway = link.addresses.map(plain).find((own) => isIpv6(own) === isIpv6(address));
    const via = link.kind === 'tun' ? '' : ` via ${gateway}`;
    return `route replace ${address}${via} dev eth0`;
  });
}

/** The machine on the link by which an asker is reached: itself, or its router. */
function gatewayOf(asker: Asker, links: LinkSpec[]): string {
  const peers = links.flatMap((link) => link.peers);
  return peers.find(({ behind }) => behind?.machine === asker.machine)?.machine ?? asker.machine;
}

/** Who is not on this link, but is sent to there all the same. */
function standsInFor(link: LinkSpec, { links, askers, strangers }: Outside): string[] {
  const together = links.filter(
    (other) => other === link || (link.segment !== undefined && other.segment === link.segment),
  );
  const here = new Set(
    together.flatMap(({ peers }) =>
      peers.flatMap(({ addresses, behind }) => [
        ...addresses.map(plain),
        ...(behind ? behind.addresses.map(plain) : []),
      ]),
    ),
  );
  const elsewhere = askers.flatMap(({ addresses }) => addresses);
  return [...new Set([...elsewhere, ...strangers])].filter((address) => !here.has(address));
}

/** The destinations of the flows that are no interface address of the host from the start. */
function strangers({ links, flows }: Scenario): string[] {
  const own = new Set(links.flatMap(({ addresses }) => addresses.map(plain)));
  const asked = new Set(flows.map(({ destination }) => destination.address));
  return [...asked].filter(
    (address) =>
      !own.has(address) &&
      !isLinkLocalText(address) &&
      !/^(127\.|::1?$|::ffff:|255\.|0\.)/.test(address),
  );
}

/** Everything that comes to it over the core is for it; what it sends finds every asker. */
function world(outside: Outside): PeerDescription {
  const { askers, links, numbers } = outside;
  const ways = askers.flatMap((asker) => {
    const number = numbers.get(gatewayOf(asker, links))!;
    return asker.addresses.map(
      (address) =>
        `route replace ${address} via ${isIpv6(address) ? core6(number) : core4(number)}`,
    );
  });
  return {
    addresses: [`${core4(worldNumber)}/16`, `${core6(worldNumber)}/64`],
    sysctls: { ...openMinded, 'net.ipv6.ip_nonlocal_bind': 1 },
    ip: [
      ...ways,
      ...['', '-6 '].flatMap((family) => [
        `${family}rule add priority 5 iif eth0 lookup local`,
        `${family}rule del priority 0`,
        `${family}route add local ${family ? '::/0' : '0.0.0.0/0'} dev eth0 table local`,
      ]),
    ],
  };
}
