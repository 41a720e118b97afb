import type { LabFlow } from '../harness.js';
import type { Sysctls } from '../namespaces.js';
import type { ListenerSpec } from '../sockets.js';
import type { HostDescription, NetworkDescription, PeerDescription } from '../topology.js';
import { Random } from './random.js';
import { families, type Scenario, type ScenarioFamily } from './scenario.js';

/** One who asks: a machine, and the addresses it may ask from. */
interface Asker {
  machine: string;
  addresses: string[];
  /** The interface of the host it is behind. */
  behind: string;
  /** Its own address on the link, by which the host may send on; null for who stands behind a router. */
  gateway: { ipv4: string; ipv6: string } | null;
}

/** What a scenario is made of, as far as it is made. */
interface Draft {
  readonly random: Random;
  readonly interfaces: Record<string, NetworkDescription>;
  readonly askers: Asker[];
  /** Addresses of the host, by interface. */
  readonly own: Map<string, string[]>;
  /** Other addresses to ask for: on lo, AnyIP, nobody's. */
  readonly others: string[];
  readonly broadcast: string[];
  readonly ip: string[];
}

/**
 * What a peer must not decide itself: it takes answers from 127.0.0.0/8, which are martians to it
 * too, and passes on what the host sends by it to another peer of the link.
 */
const openMinded: Sysctls = {
  'net.ipv4.conf.all.route_localnet': 1,
  'net.ipv4.ip_forward': 1,
  'net.ipv6.conf.all.forwarding': 1,
  'net.ipv4.conf.all.accept_redirects': 0,
  'net.ipv6.conf.all.accept_redirects': 0,
  'net.ipv4.conf.all.send_redirects': 0,
  'net.ipv4.conf.eth0.send_redirects': 0,
};

const ports = [4000, 4001, 4002, 4003, 4004];

/** The scenario of a seed. */
export function generate(seed: number): Scenario {
  const random = new Random(seed);
  const family = families[seed % families.length] as ScenarioFamily;
  const draft: Draft = {
    random,
    interfaces: {},
    askers: [],
    own: new Map(),
    others: [],
    broadcast: [],
    ip: [],
  };
  const count = random.between(1, 3);
  for (let index = 1; index <= count; index++) addInterface(draft, index);
  addLocal(draft);
  const much = (wanted: ScenarioFamily): number => (wanted === family ? 1 : 0.25);
  const sysctls = settings(draft, much('settings'), much('ipv6'));
  if (random.chance(much('routes')) || family === 'ipv6') addRoutes(draft, family);
  const listeners = random.times(3, family === 'bind' ? 16 : 8, () => listener(draft));
  const description: HostDescription = { interfaces: draft.interfaces };
  const flows = random.times(60, 90, () => flow(draft, family, listeners));
  return { seed, family, description, sysctls, ip: draft.ip, listeners, flows };
}

function addInterface(draft: Draft, index: number): void {
  const { random } = draft;
  const name = `eth${index}`;
  const kind = random.pick(['veth', 'veth', 'veth', 'bridge', 'macvlan', 'tun'] as const);
  const own = [`10.${index}.0.1/24`, `fd00:${index}::1/64`];
  if (random.chance(0.3)) own.push(`10.${index}.0.9/24`); // secondary
  if (random.chance(0.2)) own.push(`fd00:${index}::9/64`);
  if (random.chance(0.2)) own.push(`192.168.${index}.1/32`);
  const peers: Record<string, PeerDescription> = {};
  const many = kind === 'tun' ? 1 : random.between(1, 2);
  for (let place = 0; place < many; place++) addPeer(draft, index, place, name, peers, kind);
  knowEachOther(draft, peers, name);
  draft.interfaces[name] = { kind, addresses: own, peers };
  draft.own.set(
    name,
    own.map((address) => address.split('/')[0] as string),
  );
  // A frame for all comes in twice on a macvlan: there, and on the card below it.
  if (kind !== 'macvlan') draft.broadcast.push(`10.${index}.0.255`);
}

function addPeer(
  draft: Draft,
  index: number,
  place: number,
  behind: string,
  peers: Record<string, PeerDescription>,
  kind: string,
): void {
  const { random } = draft;
  const machine = `p${index}${place}`;
  const ipv4 = `10.${index}.0.${place + 2}`;
  const ipv6 = `fd00:${index}::${place + 2}`;
  const far = [`203.0.${index}${place}.5`, `2001:db8:${index}${place}::5`];
  const peer: PeerDescription = {
    addresses: [`${ipv4}/24`, `${ipv6}/64`, `${far[0]}/32`, `${far[1]}/128`],
    sysctls: openMinded,
  };
  draft.askers.push({ machine, behind, addresses: [ipv4, ipv6, ...far], gateway: { ipv4, ipv6 } });
  if (place === 0 && kind !== 'tun' && random.chance(0.4)) {
    const beyond = `r${index}`;
    const addresses = [`172.2${index}.0.2`, `fd00:a${index}::2`];
    peer.interfaces = {
      inner: {
        addresses: [`172.2${index}.0.1/24`, `fd00:a${index}::1/64`],
        peers: {
          [beyond]: {
            addresses: [`${addresses[0]}/24`, `${addresses[1]}/64`],
            sysctls: openMinded,
          },
        },
      },
    };
    draft.askers.push({ machine: beyond, behind, addresses, gateway: null });
  }
  peers[machine] = peer;
}

/** The peers of a link have routes to whatever stands on or behind one another. */
function knowEachOther(draft: Draft, peers: Record<string, PeerDescription>, behind: string): void {
  const here = draft.askers.filter((asker) => asker.behind === behind);
  const router = here.find((asker) => asker.gateway !== null);
  for (const [machine, peer] of Object.entries(peers)) {
    peer.ip = here.flatMap((asker) => {
      const via = asker.gateway ?? router?.gateway;
      const reached = asker.gateway ? asker.addresses.slice(2) : asker.addresses;
      const itself = asker.machine === machine || (!asker.gateway && router?.machine === machine);
      if (itself || !via) return [];
      return reached.map(
        (address) => `route add ${address} via ${address.includes(':') ? via.ipv6 : via.ipv4}`,
      );
    });
  }
}

/** Addresses that stand on no network: on lo, and whole prefixes that are local (AnyIP). */
function addLocal(draft: Draft): void {
  const { random, ip, others } = draft;
  others.push('127.0.0.1', '127.0.0.1', '127.9.9.9', '::1', '8.8.8.8', '2001:db8:dead::1');
  if (random.chance(0.4)) {
    ip.push('address add 10.99.0.1/32 dev lo', 'address add fd00:99::1/128 dev lo');
    others.push('10.99.0.1', 'fd00:99::1');
  }
  if (random.chance(0.2)) {
    ip.push('address add 10.98.0.1/24 dev lo');
    others.push('10.98.0.77');
  }
  if (random.chance(0.3)) {
    const table = random.pick(['local', 'local', 'main', '100']);
    ip.push(`route add local 198.51.100.0/24 dev lo table ${table}`);
    ip.push(`-6 route add local 2001:db8:ff::/48 dev lo table ${table}`);
    others.push('198.51.100.7', '2001:db8:ff::7');
  }
}

function settings(draft: Draft, much: number, ipv6: number): Sysctls {
  const { random, interfaces } = draft;
  const sysctls: Sysctls = {
    // What a router says of better ways would change the host under the test's hands.
    'net.ipv4.conf.all.accept_redirects': 0,
    'net.ipv6.conf.all.accept_redirects': 0,
    'net.ipv4.conf.all.rp_filter': 0,
  };
  const maybe = (name: string, values: readonly number[], probability: number): void => {
    if (random.chance(probability)) sysctls[name] = random.pick(values);
  };
  maybe('net.ipv4.ip_forward', [0, 1], 0.5 * much);
  maybe('net.ipv6.conf.all.forwarding', [0, 1], 0.5 * Math.max(much, ipv6));
  maybe('net.ipv6.bindv6only', [0, 1], 0.3 * much);
  maybe('net.ipv4.conf.all.rp_filter', [0, 1, 2], 0.4 * much);
  maybe('net.ipv4.conf.all.accept_local', [0, 1], 0.2 * much);
  maybe('net.ipv4.conf.all.route_localnet', [0, 1], 0.2 * much);
  maybe('net.ipv4.conf.all.src_valid_mark', [0, 1], 0.2 * much);
  maybe('net.ipv4.conf.all.bc_forwarding', [0, 1], 0.2 * much);
  for (const name of Object.keys(interfaces)) {
    const of = `net.ipv4.conf.${name}`;
    maybe(`${of}.rp_filter`, [0, 1, 2], 0.5 * much);
    maybe(`${of}.accept_local`, [0, 1], 0.3 * much);
    maybe(`${of}.route_localnet`, [0, 1], 0.4 * much);
    maybe(`${of}.forwarding`, [0, 1], 0.2 * much);
    maybe(`${of}.bc_forwarding`, [0, 1], 0.2 * much);
    maybe(`net.ipv6.conf.${name}.disable_ipv6`, [0, 1], 0.2 * Math.max(much, ipv6));
    maybe(`net.ipv6.conf.${name}.forwarding`, [0, 1], 0.2 * ipv6);
  }
  return sysctls;
}

/** Prefixes that hold some peer's or some own address, or everything. */
function somePrefix(draft: Draft, ipv6: boolean): string {
  const { random, askers, own } = draft;
  const address = random.pick(
    [...askers.flatMap((asker) => asker.addresses), ...[...own.values()].flat()].filter(
      (candidate) => candidate.includes(':') === ipv6,
    ),
  );
  const length = random.pick(ipv6 ? [128, 64, 48, 32, 16] : [32, 32, 24, 16, 8]);
  return random.chance(0.1) ? 'default' : `${address}/${length}`;
}

function addRoutes(draft: Draft, family: ScenarioFamily): void {
  const { random, ip } = draft;
  const only = family === 'ipv6' ? [true] : [false, false, true];
  const most = family === 'routes' || family === 'ipv6' ? 10 : 4;
  for (let count = random.between(1, most); count > 0; count--)
    ip.push(routeLine(draft, random.pick(only)));
  if (random.chance(0.6))
    for (let count = random.between(1, 5); count > 0; count--)
      ip.push(ruleLine(draft, random.pick(only)));
}

function routeLine(draft: Draft, ipv6: boolean): string {
  const { random } = draft;
  const version = ipv6 ? '-6' : '-4';
  const prefix = somePrefix(draft, ipv6);
  const table = random.pick(['main', 'main', 'main', '100', '200', 'local', 'default']);
  const metric = random.chance(0.5) ? ` metric ${random.between(1, 50)}` : '';
  const tail = `table ${table}${metric}`;
  if (random.chance(0.3)) {
    const type = random.pick(['blackhole', 'unreachable', 'prohibit', 'throw']);
    return `${version} route add ${type} ${prefix} ${tail}`;
  }
  if (random.chance(0.15)) {
    const ways = random.times(2, 3, () => `nexthop ${wayOut(draft, ipv6)}`);
    return `${version} route add ${prefix} ${tail} ${ways.join(' ')}`;
  }
  return `${version} route add ${prefix} ${wayOut(draft, ipv6)} ${tail}`;
}

function wayOut(draft: Draft, ipv6: boolean): string {
  const { random, askers, interfaces } = draft;
  const routers = askers.filter((asker) => asker.gateway !== null);
  const router = random.pick(routers);
  if (random.chance(0.25)) return `dev ${random.pick(Object.keys(interfaces))}`;
  const via = ipv6 ? router.gateway?.ipv6 : router.gateway?.ipv4;
  return `via ${via} dev ${router.behind}`;
}

function ruleLine(draft: Draft, ipv6: boolean): string {
  const { random, interfaces } = draft;
  const selectors: string[] = [];
  const maybe = (probability: number, make: () => string): void => {
    if (random.chance(probability)) selectors.push(make());
  };
  const prefix = (): string => {
    const text = somePrefix(draft, ipv6);
    return text === 'default' ? 'all' : text;
  };
  maybe(0.4, () => `from ${prefix()}`);
  maybe(0.3, () => `to ${prefix()}`);
  maybe(0.2, () => `iif ${random.pick([...Object.keys(interfaces), 'lo', 'gone0'])}`);
  maybe(0.1, () => `oif ${random.pick([...Object.keys(interfaces), 'lo'])}`);
  maybe(0.1, () => `fwmark ${random.pick(['1', '2/3', '0/1'])}`);
  maybe(0.15, () => `ipproto ${random.pick(['tcp', 'udp'])}`);
  maybe(0.1, () => `dport ${random.pick(['4000', '4001-4002', '30000-65535'])}`);
  maybe(0.1, () => `sport ${random.pick(['4000', '4001-4003'])}`);
  maybe(0.1, () => `uidrange ${random.pick(['0-0', '1000-2000'])}`);
  const not = random.chance(0.1) ? 'not ' : '';
  const priority = random.pick([10, 20, 50, 100, 1000, 33000]);
  const version = ipv6 ? '-6' : '-4';
  const table = random.pick(['main', '100', '200', 'local', '999']);
  const action = random.pick([
    `lookup ${table}`,
    `lookup ${table}`,
    `lookup ${table}`,
    `lookup ${table} suppress_prefixlength ${random.pick([0, 8, 24])}`,
    `goto ${random.pick([50, 1000, 32766, 40000])}`,
    'blackhole',
    'unreachable',
    'prohibit',
    'nop',
  ]);
  return `${version} rule add ${not}${selectors.join(' ')} priority ${priority} ${action}`;
}

function listener(draft: Draft): ListenerSpec {
  const { random, own, others, interfaces, askers } = draft;
  const ownAddresses = [...own.values()].flat();
  const address = random.pick([
    '0.0.0.0',
    '0.0.0.0',
    '::',
    '::',
    '127.0.0.1',
    '::1',
    random.pick(ownAddresses),
    random.pick(ownAddresses),
    random.pick([...own.get(random.pick([...own.keys()]))!]),
    random.pick(others),
    `::ffff:${ownAddresses.find((candidate) => candidate.includes('.'))}`,
  ]);
  const protocol = random.pick(['tcp', 'udp'] as const);
  const spec: ListenerSpec = { protocol, address, port: random.pick(ports) };
  if (address.includes(':') && random.chance(0.5)) spec.v6only = random.chance(0.5);
  if (random.chance(0.2)) spec.device = random.pick([...Object.keys(interfaces), 'lo']);
  if (random.chance(0.3)) spec.reusePort = true;
  if (random.chance(0.3)) spec.reuseAddress = true;
  if (random.chance(0.3)) spec.freebind = true;
  if (random.chance(0.1)) spec.transparent = true;
  if (random.chance(0.1)) spec.mark = random.pick([1, 2, 3]);
  if (random.chance(0.15)) spec.uid = random.pick([1000, 1500, 3000]);
  if (protocol === 'udp' && random.chance(0.1)) {
    const peer = random
      .pick(askers)
      .addresses.find((candidate) => candidate.includes(':') === address.includes(':'));
    if (peer) spec.connectedTo = { address: peer, port: 5555 };
  }
  return spec;
}

function flow(draft: Draft, family: ScenarioFamily, listeners: ListenerSpec[]): LabFlow {
  const { random, askers, own, others, broadcast } = draft;
  const ownAddresses = [...own.values()].flat();
  const protocol = random.pick(['tcp', 'udp'] as const);
  const bound = listeners
    .map(({ address }) => address)
    .filter(
      (address) => !address.startsWith('::ffff:') && address !== '::' && address !== '0.0.0.0',
    );
  const fromHost = random.chance(family === 'local' ? 0.8 : 0.15);
  const asker = random.pick(askers);
  const wanted = family === 'ipv6' ? random.chance(0.85) : random.chance(0.3);
  const candidates = [
    ...(own.get(asker.behind) ?? []),
    random.pick(ownAddresses),
    random.pick(ownAddresses),
    random.pick(others),
    // Who may send to many at once is a matter of the sender; TCP never may.
    ...(protocol === 'udp' && !fromHost && asker.gateway ? broadcast.slice(0, 1) : []),
    ...(bound.length > 0 ? [random.pick(bound)] : []),
  ].filter((address) => address.includes(':') === wanted);
  const address = candidates.length > 0 ? random.pick(candidates) : random.pick(ownAddresses);
  const result: LabFlow = {
    from: fromHost ? 'host' : asker.machine,
    protocol,
    destination: { address, port: random.pick(ports) },
  };
  const sources = fromHost ? [...ownAddresses, '127.0.0.1'] : asker.addresses;
  const fitting = sources.filter((source) => source.includes(':') === address.includes(':'));
  if (!fromHost || random.chance(0.4)) {
    const source = random.pick(fitting.length > 0 ? fitting : ['127.0.0.1']);
    if (source.includes(':') === address.includes(':')) result.source = { address: source };
  }
  if (random.chance(0.08) && result.protocol === 'udp')
    result.source = { ...result.source, port: 5555 };
  return result;
}
