import {
  type Address,
  formatAddress,
  ipv4,
  ipv6,
  isLinkLocal,
  isLoopback,
  isMulticast,
  isUnspecified,
  parsePrefix,
  unspecified,
} from '#earshot/model/address.js';
import type { NextHop, Route } from '#earshot/model/route.js';
import type { Family } from '#earshot/model/socket.js';
import { Course, type Fate } from '#earshot/reach/course.js';
import type { Found, RouteKey } from '#earshot/reach/fib.js';
import { Host, LOOPBACK_INDEX } from '#earshot/reach/host.js';
import type { RoutingAnswer } from '#earshot/reach/policy.js';
import { incomingKey, routeIncoming } from '#earshot/reach/stages/routing.js';
import type { Random } from '../random/random.js';
import type { Network } from './network.js';
import { type Answer, askKernel, type KernelAnswer, type Question } from './question.js';

/** A question on which earshot and the kernel differ, in words. */
export interface Disagreement {
  readonly question: Question;
  readonly about: string;
  readonly kernel: KernelAnswer;
  readonly earshot: unknown;
}

/** What one network gave. */
export interface Held {
  readonly asked: number;
  /** Questions that earshot leaves open. */
  readonly unknown: number;
  readonly disagreements: readonly Disagreement[];
  /** How often the kernel answered what, by its name: a witness that only ever refuses is none. */
  readonly answers: ReadonlyMap<string, number>;
}

const EACCES = 13;
const EINVAL = 22;
const ENETUNREACH = 101;
const EHOSTUNREACH = 113;

const errnos = { EACCES, EINVAL, ENETUNREACH, EHOSTUNREACH } as const;
const types = ['', 'unicast', 'local', 'broadcast', 'anycast'];

/** Asks the kernel and earshot the same random questions about a network. */
export async function holdNetwork(network: Network, random: Random, count: number): Promise<Held> {
  const host = new Host(network.state);
  const names = new Map(network.state.interfaces.map(({ index, name }) => [index, name]));
  const ask = questioner(host, random);
  const questions = Array.from({ length: count }, ask);
  const kernel = await askKernel(network.namespace.path, questions, names);
  const disagreements: Disagreement[] = [];
  const answers = new Map<string, number>();
  let unknown = 0;
  for (const [index, question] of questions.entries()) {
    const theirs = kernel[index]!;
    const name = nameOf(question, theirs);
    answers.set(name, (answers.get(name) ?? 0) + 1);
    const ours = question.input ? arriving(host, question) : leaving(host, question);
    if (ours === 'unknown') unknown++;
    else {
      const about = differ(host, ours, theirs);
      if (about) disagreements.push({ question, about, kernel: theirs, earshot: shown(ours) });
    }
  }
  return { asked: count, unknown, disagreements, answers };
}

function nameOf({ input, family }: Question, { routed }: KernelAnswer): string {
  const what = typeof routed === 'number' ? errnoName(routed) : types[routed.type];
  return `${family} ${input ? 'in' : 'out'} ${what}`;
}

function errnoName(errno: number): string {
  return Object.entries(errnos).find(([, value]) => value === errno)?.[0] ?? `errno ${errno}`;
}

/** What earshot expects: an errno, or the kind of route, the ways it may take, and the entry. */
type Expected =
  | number
  | {
      readonly type: string;
      readonly ways: readonly NextHop[] | null;
      readonly entry: Found | null;
    };

function shown(expected: Expected): unknown {
  return typeof expected === 'number'
    ? errnoName(expected)
    : { ...expected, entry: expected.entry?.route };
}

/** A packet that arrives: the routing stage itself, and the entry that its look-up finds. */
function arriving(host: Host, question: Question): Expected | 'unknown' {
  const device = host.byIndex.get(question.input)!;
  const { family, destination, mark, sourcePort, destinationPort } = question;
  const protocol = question.protocol === 6 ? 'tcp' : 'udp';
  const source = question.source!;
  const address = formatAddress(destination);
  const flow = {
    protocol,
    ingress: device.name,
    destination: { address, port: destinationPort },
  } as const;
  const packet = {
    protocol,
    protocolNumber: question.protocol as 6 | 17,
    family,
    source,
    sourceText: formatAddress(source),
    sourcePort,
    destination,
    destinationText: address,
    destinationPort,
    mark,
  } as const;
  const course = new Course(host, flow, packet, false);
  course.arrival = device;
  course.device = device;
  course.inputIndex = device.index;
  const fate = routeIncoming(course);
  const answer = host.policy[family].lookup(incomingKey(course), device.index);
  const entry = answer.kind === 'found' ? answer.found : null;
  const errno = fate && errnoOf(family, device.forwardsIpv4, fate, answer);
  if (errno === 'unknown' || typeof errno === 'number') return errno;
  if (!fate) return { type: course.destinationType, ways: null, entry };
  const { cause } = fate;
  if (cause?.code === 'not-a-unicast-address') return { type: cause.type, ways: null, entry };
  // The stage found a route where this look-up finds none: the kernel agrees with one of them at most.
  if (!entry) return { type: 'another route', ways: null, entry };
  return { type: entry.route.type, ways: usableWays(host, entry, 0), entry };
}

/** The errno by which RTM_GETROUTE tells of a fate; null: it tells of none. */
function errnoOf(
  family: Family,
  forwards: boolean,
  fate: Fate,
  answer: RoutingAnswer,
): number | 'unknown' | null {
  const { cause } = fate;
  switch (cause?.code) {
    case 'martian-source':
    case 'martian-destination':
    case 'source-is-ours':
    case 'reverse-path':
      return EINVAL;
    case 'not-our-address':
      // IPv6 finds out when it forwards (ip6_forward), behind what is asked here.
      return family === 'ipv4' ? EHOSTUNREACH : null;
    case 'no-route':
    case 'route-refuses':
      // ip_route_input_slow: a host that does not forward has but one refusal.
      if (family === 'ipv4' && !forwards) return EHOSTUNREACH;
      return answer.kind === 'refused' ? refusal(answer) : null;
    case 'forwarded':
    case 'wrong-scope':
    case 'not-a-unicast-address':
      return null;
    default:
      return 'unknown';
  }
}

function refusal(answer: RoutingAnswer & { kind: 'refused' }): number {
  return errnos[answer.error];
}

/** What this host sends: ip_route_output_key_hash_rcu, and ip6_route_output_flags. */
function leaving(host: Host, question: Question): Expected | 'unknown' {
  const { family, destination, output } = question;
  const policy = host.policy[family];
  const source = question.source ?? unspecified(family);
  const out = host.byIndex.get(output);
  if (family === 'ipv4') {
    if (question.source && !policy.mayBeSource(question.source)) return ENETUNREACH;
    if (out && !out.link.up) return ENETUNREACH;
  }
  const key: RouteKey = {
    destination,
    source,
    input: LOOPBACK_INDEX,
    output,
    strict:
      family === 'ipv6' && (isLinkLocal(destination) || (output !== 0 && isUnspecified(source))),
    mark: question.mark,
    tos: question.tos,
    protocol: question.protocol,
    sourcePort: question.sourcePort,
    destinationPort: question.destinationPort,
    uid: question.uid,
  };
  const answer = policy.lookup(key);
  if (answer.kind === 'unknown') return 'unknown';
  if (answer.kind === 'refused') {
    if (family === 'ipv6' || !out) return refusal(answer);
    return mayLeave(source, out.name, host)
      ? {
          type: 'unicast',
          ways: [{ interface: out.name, gateway: null, weight: 1, flags: [] }],
          entry: null,
        }
      : EINVAL;
  }
  const { found } = answer;
  const { type } = found.route;
  if (type === 'local' || type === 'anycast') return { type, ways: null, entry: found };
  // IPv6 holds all ways of a multipath route to an interface only where it is strict (fib6_select_path).
  const ways = usableWays(host, found, family === 'ipv4' || key.strict ? output : 0);
  const free = ways.filter((way) => mayLeave(source, way.interface, host));
  if (free.length > 0 && free.length < ways.length) return 'unknown'; // by a hash of the flow
  return free.length > 0 ? { type, ways: free, entry: found } : EINVAL;
}

/** __mkroute_output: 127.0.0.0/8 leaves by nothing but lo, unless route_localnet is on. */
function mayLeave(source: Address, name: string | null, host: Host): boolean {
  const device = host.devices.get(name ?? '');
  if (source.family === 'ipv6' || !isLoopback(source)) return true;
  return device?.routeLocalnet === true || device?.link.loopback === true;
}

/** The ways of a route that may be taken: any member of a multipath route may. */
function usableWays(host: Host, { route, nexthop }: Found, output: number): NextHop[] {
  const { family } = route;
  return route.nexthops.filter((way) => {
    const device = host.devices.get(way.interface ?? '');
    if (way === nexthop) return true;
    if (way.flags.includes('dead')) return false;
    if (way.flags.includes('linkdown') && device?.ignoresLinkdown[family]) return false;
    return output === 0 || device?.index === output;
  });
}

/** What the two answers differ in; null for nothing. */
function differ(host: Host, ours: Expected, { routed, match }: KernelAnswer): string | null {
  if (typeof ours === 'number' || typeof routed === 'number') {
    if (ours === routed) return null;
    return typeof ours === 'number' && typeof routed === 'number'
      ? 'which refusal'
      : 'whether it is routed';
  }
  if (types[routed.type] !== ours.type) return 'the type of route';
  if (ours.ways && !ours.ways.some((way) => isWay(host, way, routed))) return 'the way out';
  if (ours.entry === null) return match === null ? null : 'the entry of the table';
  if (match && !sameEntry(ours.entry.route, match)) return 'the entry of the table';
  return null;
}

function isWay(host: Host, way: NextHop, routed: Answer): boolean {
  const index = host.devices.get(way.interface ?? '')?.index ?? 0;
  return index === routed.output && (way.gateway ?? null) === routed.gateway;
}

/**
 * A merged trie has no tables to tell of. Of IPv6 routes that share a nexthop object the kernel may
 * name any: the object keeps one cached result for all of them (rt6_get_pcpu_route).
 */
function sameEntry(ours: Route, theirs: Route): boolean {
  const shared = ours.family === 'ipv6' && ours.nexthopId !== null;
  if (shared) return ours.nexthopId === theirs.nexthopId;
  return describe(ours) === describe(theirs);
}

function describe(route: Route): string {
  const ways = route.nexthops.map((way) => `${way.interface} ${way.gateway}`).sort();
  const { destination, sourcePrefix, type, metric, tos, nexthopId } = route;
  const where = nexthopId ?? ways.join();
  return [destination, sourcePrefix, type, metric, tos, where].join(' ');
}

/** Makes questions that the network has something to say to. */
function questioner(host: Host, random: Random): () => Question {
  const pools = { ipv4: pool(host, 'ipv4'), ipv6: pool(host, 'ipv6') };
  const indexes = [...host.devices.values()]
    .filter(({ link }) => link.up)
    .map(({ index }) => index);
  const outputs = [...host.devices.values()].map(({ index }) => index);
  const own = {
    ipv4: host.own.filter(({ address }) => address.family === 'ipv4').map(({ address }) => address),
    ipv6: host.own.filter(({ address }) => address.family === 'ipv6').map(({ address }) => address),
  };
  return () => {
    const family: Family = random.chance(0.5) ? 'ipv4' : 'ipv6';
    const any = () => near(random, random.pick(pools[family]));
    const input = random.chance(0.5)
      ? random.pick(indexes.filter((index) => index !== LOOPBACK_INDEX))
      : 0;
    const ours = () => random.pick(own[family].filter(askable));
    const to = random.chance(0.2) ? ours() : any();
    const source = input
      ? random.chance(0.1)
        ? ours()
        : any()
      : random.chance(0.4)
        ? null
        : random.chance(0.9)
          ? ours()
          : any();
    return {
      family,
      destination: askable(to) ? to : ours(),
      source: source && askable(source) ? source : input ? ours() : null,
      input,
      output: !input && random.chance(0.3) ? random.pick(outputs) : 0,
      mark: random.chance(0.5) ? 0 : random.pick([1, 2, 3, 0x10, 0x1f, 0x11]),
      // The routing stage asks for packets of no special service.
      tos: input || random.chance(0.6) ? 0 : random.pick([0x04, 0x08, 0x10, 0x1c, 0x40, 0x44]),
      protocol: random.chance(0.5) ? 6 : 17,
      sourcePort: random.pick([1, 22, 4000, 4001, 5000, 6000, 50000]),
      destinationPort: random.pick([1, 22, 4000, 4001, 5000, 6000, 50000]),
      uid: input ? 0 : random.pick([0, 5, 1000, 1001, 70000]),
    };
  };
}

/** Addresses at the edges of everything that the host's routing compares with. */
function pool(host: Host, family: Family): Address[] {
  const { routes, rules } = host.state;
  const texts = [
    ...routes.flatMap(({ destination, sourcePrefix }) => [destination, sourcePrefix]),
    ...rules.flatMap(({ from, to }) => [from, to]),
  ];
  const prefixes = [...new Set(texts)].flatMap((text) => (text && parsePrefix(text)) || []);
  return prefixes.map(({ address }) => address).filter((address) => address.family === family);
}

/** The address itself, or one that differs from it in its last bits, or in any. */
function near(random: Random, address: Address): Address {
  const chance = random.next();
  const noise =
    chance < 0.25 ? 0 : random.pick([1, 2, 7, 9, 0x4d, 0x80, 0xff, 0x100, 0xffff, 0x1000000]);
  if (address.family === 'ipv4') return ipv4(address.a ^ noise);
  if (chance < 0.7) return ipv6(address.a, address.b, address.c, address.d ^ noise);
  return ipv6(address.a, address.b ^ noise, random.chance(0.5) ? address.c : 0x80000000, address.d);
}

/**
 * Broadcast to all, multicast and the unspecified address are not a matter of the tables; and that
 * ::1 is a martian is found out before routing (ip6_rcv_core), where RTM_GETROUTE does not look.
 */
function askable(address: Address): boolean {
  if (isMulticast(address) || isUnspecified(address)) return false;
  return address.family === 'ipv4' ? address.a >>> 28 !== 15 : !isLoopback(address);
}
