import { setTimeout } from 'node:timers/promises';
import { capture } from '#earshot/kernel/capture.js';
import type { HostState } from '#earshot/model/host-state.js';
import { makeNamespaces, type Namespace, type Sysctls } from '../namespaces.js';
import type { Random } from '../random/random.js';

/*
 * A namespace with routing as rich as chance makes it. The lines for ip(8) are independent of each
 * other: what the kernel refuses is left out, and what it took is read back from it.
 */

/** The Ethernet cards; the other end of each, in the same namespace, is named with an f. */
const cards = ['e0', 'e1', 'e2', 'e3'];
const farEnds = ['f0', 'f1', 'f2', 'f3'];
/** Tables beyond local and main, one of them the one named default. */
const tables = ['100', '101', '102', 'default'];
const groups = [0, 7, 8];
const marks = ['1', '2', '0x10', '0x10/0xf0', '0/0x1', '3/0x3'];

const prefixes4 = [
  '0.0.0.0/0',
  '0.0.0.0/0',
  '0.0.0.0/1',
  '128.0.0.0/1',
  '10.0.0.0/8',
  '10.0.0.0/9',
  '10.0.0.0/16',
  '10.1.0.0/16',
  '10.2.0.0/24',
  '10.0.0.0/25',
  '10.1.0.128/25',
  '10.1.0.1/32',
  '10.2.0.9/32',
  '127.1.0.0/16',
  '127.0.0.5/32',
  '172.16.0.0/12',
  '192.0.0.0/16',
  '192.0.2.0/24',
  '192.0.2.0/25',
  '192.0.2.7/32',
];

const prefixes6 = [
  '::/0',
  '::/0',
  '2000::/3',
  '2001:db8::/32',
  '2001:db8::/48',
  '2001:db8:1::/48',
  '2001:db8:1::/64',
  '2001:db8:2::/64',
  '2001:db8:2::/65',
  '2001:db8:2::9/128',
  '2001:db8:1::1/128',
  'fd00::/8',
  'fd00::/16',
  'fd00:1::/32',
  'fd00:1::7/128',
];

const sources6 = ['2001:db8::/32', '2001:db8:1::/64', '2001:db8:2::/48', 'fd00::/8', 'fd00:1::/32'];

/** A namespace that was built, and what earshot read of it. */
export interface Network {
  readonly namespace: Namespace;
  readonly state: HostState;
}

/** Builds a namespace by the choices of `random`, and captures it. The caller closes it. */
export async function buildNetwork(random: Random): Promise<Network> {
  const [namespace] = makeNamespaces(['routes']) as [Namespace];
  try {
    await namespace.ip(links(random));
    namespace.sysctl(settings(random), true);
    await namespace.settle();
    await offer(namespace, '-4', [...objects(random, false), ...routes4(random)]);
    const failed = failures(random);
    const routes = routes6(random, failed.length === 0);
    await offer(namespace, '-6', [...objects(random, true), ...routes]);
    // Until there is a rule of somebody's own, IPv4 keeps local and main in one trie.
    if (random.chance(0.7)) await offer(namespace, '-4', rules(random, false));
    else if (random.chance(0.3)) await offer(namespace, '-4', aRuleThatGoes);
    if (random.chance(0.75)) await offer(namespace, '-6', rules(random, true));
    await namespace.ip(failed.map((name) => `link set ${name} down`));
    await namespace.settle();
    return { namespace, state: await captureSettled(namespace, failed) };
  } catch (error) {
    namespace.close();
    throw error;
  }
}

/** Gives ip(8) lines of which the kernel may refuse any. */
async function offer(namespace: Namespace, family: '-4' | '-6', lines: string[]): Promise<void> {
  const batch = lines.map((line) => `${line}\n`).join('');
  await namespace.run(['sh', '-c', `ip ${family} -force -batch - 2>&1 || true`], batch);
}

function links(random: Random): string[] {
  const lines = ['link set lo up'];
  for (const [index, card] of cards.entries()) {
    lines.push(`link add ${card} type veth peer name ${farEnds[index]}`);
    lines.push(`link set ${card} up group ${random.pick(groups)}`);
    lines.push(`link set ${farEnds[index]} up group ${random.pick(groups)}`);
    lines.push(`address add 10.${index}.0.1/${random.pick([24, 24, 16, 30])} dev ${card}`);
    lines.push(`address add 2001:db8:${index}::1/64 dev ${card} nodad`);
    if (random.chance(0.4)) lines.push(`address add 10.${index}.0.77/24 dev ${card}`);
    if (random.chance(0.3)) lines.push(`address add 10.9.${index}.1 peer 10.9.9.9 dev ${card}`);
    if (random.chance(0.3)) lines.push(`address add fd00:1::${index}/128 dev ${card} nodad`);
  }
  if (random.chance(0.5)) lines.push('address add 10.99.0.1/32 dev lo');
  if (random.chance(0.5)) lines.push('address add 2001:db8:99::1/128 dev lo nodad');
  return lines;
}

function settings(random: Random): Sysctls {
  const all: Sysctls = {};
  const bit = (probability: number) => (random.chance(probability) ? 1 : 0);
  // First: what it says is copied to every interface.
  all['net.ipv4.ip_forward'] = bit(0.5);
  all['net.ipv6.conf.all.forwarding'] = bit(0.5);
  for (const name of ['all', 'lo', ...cards, ...farEnds]) {
    const ipv4 = `net.ipv4.conf.${name}`;
    const rare = name === 'all' ? 0.1 : 0.3;
    all[`${ipv4}.rp_filter`] = random.chance(rare) ? random.between(1, 2) : 0;
    all[`${ipv4}.accept_local`] = bit(rare);
    all[`${ipv4}.route_localnet`] = bit(rare);
    all[`${ipv4}.src_valid_mark`] = bit(rare);
    all[`${ipv4}.bc_forwarding`] = bit(name === 'all' ? 0.3 : 0.5);
    all[`${ipv4}.ignore_routes_with_linkdown`] = bit(rare);
    // Redirects make the kernel validate more of what it forwards; captures do not have them.
    all[`${ipv4}.send_redirects`] = 0;
    if (name === 'all') continue;
    all[`net.ipv6.conf.${name}.ignore_routes_with_linkdown`] = bit(rare);
    if (random.chance(0.2)) all[`${ipv4}.forwarding`] = bit(0.5);
  }
  return all;
}

/** Nexthop objects: ids 1 to 4 by gateway or device, 5 a blackhole, 6 to 8 groups; IPv6 has 20 more. */
function objects(random: Random, ipv6: boolean): string[] {
  const first = ipv6 ? 20 : 0;
  const lines: string[] = [];
  for (let id = 1; id <= 4; id++) {
    const card = random.between(0, 3);
    const via = random.chance(0.6) ? ` via ${gateway(card, ipv6)}` : '';
    lines.push(`nexthop add id ${first + id}${via} dev ${cards[card]}`);
  }
  lines.push(`nexthop add id ${first + 5} blackhole`);
  for (let id = 6; id <= 8; id++) {
    const members = [1, 2, 3, 4].filter(() => random.chance(0.5));
    const weighed = members.map((one) => `${first + one},${random.between(1, 9)}`);
    lines.push(`nexthop add id ${first + id} group ${weighed.join('/')}`);
  }
  return lines;
}

function gateway(card: number, ipv6: boolean): string {
  return ipv6 ? `2001:db8:${card}::2` : `10.${card}.0.2`;
}

const withoutWay = ['blackhole', 'unreachable', 'prohibit', 'throw'];

function routes4(random: Random): string[] {
  return random.times(15, 45, () => {
    const words = ['route', random.pick(['add', 'append', 'prepend'])];
    const refuses = random.chance(0.15);
    const special = random.chance(0.1);
    if (refuses) words.push(random.pick(withoutWay));
    else if (special) words.push(random.pick(['local', 'broadcast', 'unicast']));
    words.push(random.pick(prefixes4));
    if (random.chance(0.15)) words.push('tos', random.pick(['0x04', '0x08', '0x10', '0x1c']));
    if (random.chance(0.4)) words.push('metric', String(random.pick([1, 5, 100])));
    words.push('table', random.chance(0.45) ? 'main' : special ? 'local' : random.pick(tables));
    if (refuses) return words.join(' ');
    return [...words, ...way(random, special, false)].join(' ');
  });
}

/**
 * `bySource`: with routes for some sources only. Not where interfaces go down later: a destination
 * that loses its routes for any source, but keeps some by source, is from then on passed over for
 * most addresses if there are routes to longer prefixes of it (fib6_repair_tree gives its node the
 * key of one of those). No dump shows that it happened.
 */
function routes6(random: Random, bySource: boolean): string[] {
  return random.times(15, 45, () => {
    const words = ['route', random.pick(['add', 'append', 'prepend'])];
    const refuses = random.chance(0.15);
    const special = random.chance(0.1);
    if (refuses) words.push(random.pick(withoutWay));
    else if (special) words.push(random.pick(['local', 'anycast', 'unicast']));
    words.push(random.pick(prefixes6));
    if (bySource && random.chance(0.25)) words.push('from', random.pick(sources6));
    const out = refuses ? [] : way(random, special, true);
    // Routes by gateways become one multipath route, and a dump leaves out all that stands between
    // its members (fib6_dump_node): so they share no metric with others.
    const metrics = out.includes('via') ? [2, 6, 101] : [1, 5, 100, 1024];
    words.push('metric', String(random.pick(metrics)));
    words.push('table', random.chance(0.45) ? 'main' : special ? 'local' : random.pick(tables));
    if (refuses) return words.join(' ');
    words.push(...out);
    if (random.chance(0.2)) words.push('pref', random.pick(['high', 'low']));
    return words.join(' ');
  });
}

/** The end of a route's line: where it leads. */
function way(random: Random, plain: boolean, ipv6: boolean): string[] {
  if (plain) return ['dev', random.pick([...cards, 'lo'])];
  if (random.chance(0.2)) return ['nhid', String(random.between(1, 8) + (ipv6 ? 20 : 0))];
  const single = () => {
    const card = random.between(0, 3);
    const via = ['via', gateway(card, ipv6), 'dev', cards[card]!, 'onlink'];
    if (!ipv6 && random.chance(0.15)) via.splice(0, 2, 'via', 'inet6', 'fe80::2');
    return random.chance(0.4) ? ['dev', random.pick([...cards, ...farEnds])] : via;
  };
  if (random.chance(0.75)) return single();
  return random
    .times(2, 3, () => ['nexthop', ...single(), 'weight', String(random.between(1, 4))])
    .flat();
}

const aRuleThatGoes = ['rule add pref 300 table 100', 'rule del pref 300'];

function rules(random: Random, ipv6: boolean): string[] {
  const lines = random.times(2, 10, () => {
    const priority = random.between(1, 60) * 10;
    return `rule add pref ${priority} ${selectors(random, ipv6)} ${action(random, priority)}`;
  });
  const first = 'rule del pref 0';
  // The local table is sometimes not asked first, as some VPNs want it.
  if (random.chance(0.2)) lines.push('rule add pref 300 table local', first);
  if (random.chance(0.1)) lines.push('rule del pref 32766');
  if (ipv6 && random.chance(0.3)) lines.push('rule add pref 32767 table default');
  return lines;
}

function selectors(random: Random, ipv6: boolean): string {
  const words: string[] = [];
  const some = (probability: number, ...more: (string | number)[]) => {
    if (random.chance(probability)) words.push(...more.map(String));
  };
  const prefix = () => random.pick(ipv6 ? [...prefixes6, ...sources6] : prefixes4);
  const range = () => {
    const from = random.pick([1, 22, 4000, 4001, 5000]);
    return random.chance(0.5) ? `${from}` : `${from}-${from + random.between(1, 2000)}`;
  };
  some(0.15, 'not');
  some(0.3, 'from', prefix());
  some(0.3, 'to', prefix());
  some(0.15, 'tos', random.pick(ipv6 ? ['0x04', '0x10', '0x40'] : ['0x04', '0x10', '0x1c']));
  some(0.2, 'fwmark', random.pick(marks));
  some(0.15, 'iif', random.pick([...cards, 'lo', 'gone0']));
  some(0.1, 'oif', random.pick([...cards, 'gone1']));
  some(0.15, 'uidrange', random.pick(['0-0', '0-999', '1000-1000', '1000-60000']));
  some(0.15, 'ipproto', random.pick(ipv6 ? ['tcp', 'udp', 'ipv6-icmp'] : ['tcp', 'udp', 'icmp']));
  some(0.1, 'sport', range());
  some(0.15, 'dport', range());
  return words.length > 0 ? words.join(' ') : 'from all';
}

function action(random: Random, priority: number): string {
  const chance = random.next();
  if (chance < 0.06) return random.pick(['unreachable', 'prohibit', 'blackhole']);
  if (chance < 0.1) return 'nop';
  if (chance < 0.2) return `goto ${random.pick([priority + 10, 300, 400, 32766, 32767])}`;
  const suppress =
    chance < 0.35
      ? ` suppress_prefixlength ${random.pick([0, 1, 8, 16, 24, 48, 64])}`
      : chance < 0.45
        ? ` suppress_ifgroup ${random.pick([7, 8])}`
        : '';
  return `table ${random.pick(['main', ...tables, ...tables, '999'])}${suppress}`;
}

/** What goes wrong after the routes are there: cards without a carrier, and cards that are down. */
function failures(random: Random): string[] {
  return cards.flatMap((card, index) => {
    if (random.chance(0.15)) return [farEnds[index]!];
    return random.chance(0.1) ? [card] : [];
  });
}

/** Waits until the other ends of what was taken down know that they have no carrier (linkwatch). */
async function captureSettled(namespace: Namespace, failed: string[]): Promise<HostState> {
  const without = failed.map((name) => `${name.startsWith('e') ? 'f' : 'e'}${name.slice(1)}`);
  for (let tries = 0; ; tries++) {
    const state = await capture({ netns: namespace.path, owners: false });
    const late = state.interfaces.filter(({ name, running }) => running && without.includes(name));
    if (late.length === 0) return state;
    if (tries === 200) throw new Error(`${late.map(({ name }) => name)} still have a carrier`);
    await setTimeout(25);
  }
}
