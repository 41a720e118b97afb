import type { Namespace } from '../namespaces.js';
import type { Draft } from './draft.js';
import { ports } from './outside.js';
import { isIpv6, isLinkLocalText } from './scenario.js';

/*
 * Random rule sets of nftables: several tables of several families, several base chains at a hook,
 * named sets and maps, marks, conntrack, the routing's own look-ups, and NAT. What is decided by
 * something that cannot be known (rates, random numbers) is rare; what packets leave behind for
 * later ones (dynamic sets) is left out, for flows run at the same time.
 */

type TableFamily = 'ip' | 'ip6' | 'inet' | 'netdev';

const filterHooks = ['prerouting', 'input', 'forward', 'output', 'postrouting'] as const;
type FilterHook = (typeof filterHooks)[number] | 'ingress' | 'egress';

interface ChainDraft {
  table: TableDraft;
  name: string;
  /** `null` for a chain that others jump to. */
  hook: FilterHook | null;
  type: 'filter' | 'nat' | 'route';
}

interface TableDraft {
  family: TableFamily;
  name: string;
  /** Names by what they hold. */
  sets: Map<string, string[]>;
  chains: ChainDraft[];
}

/** Lines for nft(8), in an order in which each finds what it names. */
export function addNftables(draft: Draft): void {
  if (
    !draft.often(1, 'nftables') ||
    (draft.family !== 'nftables' && !draft.random.chance(draft.family === 'iptables' ? 0.4 : 0.3))
  )
    return;
  const { random, nft } = draft;
  const tables: TableDraft[] = [];
  // Of equal priority, the chain that was added last is asked first, whichever table is the older.
  const later = random.chance(0.4);
  for (let number = random.between(1, 3); number > 0; number--) {
    const family = random.pick(['ip', 'ip6', 'inet', 'inet', 'inet', 'netdev'] as const);
    const table: TableDraft = { family, name: `t${tables.length}`, sets: new Map(), chains: [] };
    nft.push(`add table ${family} ${table.name}`);
    if (family !== 'netdev' || random.chance(0.5)) addSets(draft, table);
    if (!later) addChains(draft, table);
    tables.push(table);
  }
  if (later) for (const table of [...tables].reverse()) addChains(draft, table);
  for (const { chains } of tables)
    for (const chain of chains)
      for (let count = random.between(1, 5); count > 0; count--)
        nft.push(`add rule ${placeOf(chain)} ${ruleOf(draft, chain)}`);
}

function placeOf({ table, name }: ChainDraft): string {
  return `${table.family} ${table.name} ${name}`;
}

function addChains(draft: Draft, table: TableDraft): void {
  const { random, nft } = draft;
  const plain: ChainDraft[] = [];
  for (let count = random.between(0, 2); count > 0; count--) {
    const chain: ChainDraft = { table, name: `sub${count}`, hook: null, type: 'filter' };
    plain.push(chain);
    nft.push(`add chain ${placeOf(chain)}`);
  }
  const bases = random.between(1, 4);
  for (let count = 0; count < bases; count++) {
    const nat = table.family !== 'netdev' && random.chance(0.25);
    const hook: FilterHook =
      table.family === 'netdev'
        ? random.pick(['ingress', 'ingress', 'egress'] as const)
        : nat
          ? random.pick(['prerouting', 'prerouting', 'output', 'input', 'postrouting'] as const)
          : random.pick(filterHooks);
    const type = nat ? 'nat' : hook === 'output' && random.chance(0.3) ? 'route' : 'filter';
    const priority = nat
      ? random.pick([-150, -100, -100, 0, 100])
      : random.pick([-300, -150, -50, 0, 0, 0, 10, 150]);
    const policy = random.chance(0.15) && !nat ? 'drop' : 'accept';
    const device =
      hook === 'ingress' || hook === 'egress'
        ? `device ${random.pick([...draft.names, 'lo'])}`
        : '';
    const chain: ChainDraft = { table, name: `base${count}`, hook, type };
    table.chains.push(chain);
    nft.push(
      `add chain ${placeOf(chain)} { type ${type} hook ${hook} ${device} priority ${priority}; policy ${policy}; }`,
    );
    if (policy === 'drop') nft.push(`add rule ${placeOf(chain)} ${usual(draft, chain)}`);
  }
  table.chains.push(...plain);
}

/** What a chain that drops by default lets pass in the real world. */
function usual({ random }: Draft, { table }: ChainDraft): string {
  if (table.family === 'netdev') return `meta l4proto ${random.pick(['tcp', 'udp'])} accept`;
  return random.pick([
    'ct state established,related accept',
    'ct state vmap { established : accept, related : accept, invalid : drop }',
    'iif lo accept',
    `meta l4proto { tcp, udp } th dport ${random.pick(ports)} accept`,
    'ct state { established, new } accept',
  ]);
}

// ------------------------------------------------------------------ sets

const setKinds = [
  'ipv4_addr',
  'ipv6_addr',
  'inet_service',
  'ipv4_addr . inet_service',
  'ipv6_addr . inet_service',
  'mark',
  'ifname',
] as const;
type SetKind = (typeof setKinds)[number];

function addSets(draft: Draft, table: TableDraft): void {
  const { random, nft } = draft;
  for (let count = random.between(0, 4); count > 0; count--) {
    const kind = random.pick(setKinds);
    const map = random.chance(0.4);
    const to = map ? random.pick(['verdict', 'mark'] as const) : null;
    const interval = kind !== 'mark' && kind !== 'ifname' && random.chance(0.6);
    const name = `${map ? 'm' : 's'}${count}`;
    const elements = new Set(random.times(0, 5, () => elementOf(draft, kind, interval)));
    const data = () =>
      to === 'mark' ? random.between(0, 3) : random.pick(['accept', 'drop', 'continue', 'return']);
    const written = [...elements].map((key) => (map ? `${key} : ${data()}` : key));
    // nft(8) 1.0.6 does not survive one that catches all beside intervals.
    if (!interval && random.chance(0.15)) written.push(map ? `* : ${data()}` : '*');
    nft.push(
      `add ${map ? 'map' : 'set'} ${table.family} ${table.name} ${name} { type ${kind}${to ? ` : ${to}` : ''}; ${interval ? 'flags interval; ' : ''}}`,
    );
    // One by one, so that one that overlaps does not take the others with it.
    for (const element of written)
      nft.push(`add element ${table.family} ${table.name} ${name} { ${element} }`);
    const key = `${kind} ${to ?? ''}`;
    table.sets.set(key, [...(table.sets.get(key) ?? []), name]);
  }
}

function elementOf(draft: Draft, kind: SetKind, interval: boolean): string {
  const { random } = draft;
  switch (kind) {
    case 'ipv4_addr':
      return addressOf(draft, false, interval);
    case 'ipv6_addr':
      return addressOf(draft, true, interval);
    case 'inet_service':
      return portOf(draft, interval);
    case 'ipv4_addr . inet_service':
      return `${addressOf(draft, false, interval)} . ${portOf(draft, interval)}`;
    case 'ipv6_addr . inet_service':
      return `${addressOf(draft, true, interval)} . ${portOf(draft, interval)}`;
    case 'mark':
      return String(random.between(0, 4));
    case 'ifname':
      return `"${random.pick([...draft.names, 'lo'])}"`;
  }
}

function portOf({ random }: Draft, interval: boolean): string {
  const port = random.pick(ports);
  return interval && random.chance(0.4) ? `${port}-${port + random.between(1, 3)}` : String(port);
}

function addressOf(draft: Draft, ipv6: boolean, wide: boolean): string {
  const { random } = draft;
  const held = [...draft.askers.flatMap(({ addresses }) => addresses), ...draft.ownAddresses()];
  const fitting = held.filter((one) => isIpv6(one) === ipv6 && !isLinkLocalText(one));
  const address = fitting.length > 0 ? random.pick(fitting) : ipv6 ? '2001:db8::9' : '203.0.113.9';
  if (!wide || random.chance(0.4)) return address;
  const lengths = ipv6 ? [127, 120, 64, 48, 16] : [31, 28, 24, 16, 8];
  return `${address}/${random.pick(lengths)}`;
}

// ------------------------------------------------------------------ rules

function ruleOf(draft: Draft, chain: ChainDraft): string {
  const { random } = draft;
  const { family } = chain.table;
  const words: string[] = [];
  const ipv6 = family === 'ip6' || (family !== 'ip' && random.chance(0.4));
  // Traffic of other kinds than what is asked for is no matter: neighbours are known.
  words.push(...random.times(chain.type === 'nat' ? 1 : 0, 2, () => matchOf(draft, chain, ipv6)));
  return [...words, statementOf(draft, chain, ipv6)].join(' ');
}

function matchOf(draft: Draft, chain: ChainDraft, ipv6: boolean): string {
  const { random } = draft;
  const { family, sets } = chain.table;
  const ip = ipv6 ? 'ip6' : 'ip';
  const end = random.pick(['saddr', 'daddr'] as const);
  const not = random.chance(0.2) ? '!= ' : '';
  const side = random.pick(['dport', 'dport', 'dport', 'sport'] as const);
  const protocol = random.pick(['tcp', 'udp'] as const);
  const named = (kind: SetKind, of = ''): string | null => {
    const names = sets.get(`${kind} ${of}`);
    return names ? `@${random.pick(names)}` : null;
  };
  // What has come to a socket is no longer looked up (nft_fib_can_skip): then its data fares otherwise.
  const leaves = ['forward', 'output', 'postrouting'].includes(chain.hook ?? '');
  const far = leaves ? ('daddr' as const) : ('saddr' as const);
  const address = ipv6 ? ('ipv6_addr' as const) : ('ipv4_addr' as const);
  const options: (() => string | null)[] = [
    () => `${protocol} ${side} ${not}${portOf(draft, true)}`,
    () =>
      `${protocol} ${side} ${not}{ ${random.times(1, 3, () => portOf(draft, false)).join(', ')} }`,
    () => `meta l4proto ${protocol}`,
    () => `meta l4proto { tcp, udp }`,
    () => `${ip} ${end} ${not}${addressOf(draft, ipv6, true)}`,
    () =>
      `${ip} ${end} ${not}{ ${random.times(1, 3, () => addressOf(draft, ipv6, false)).join(', ')} }`,
    () => wrap(named(address), (name) => `${ip} ${end} ${not}${name}`),
    () => wrap(named('inet_service'), (name) => `${protocol} ${side} ${not}${name}`),
    () =>
      wrap(
        named(`${address} . inet_service`),
        (name) => `${ip} ${end} . ${protocol} ${side} ${not}${name}`,
      ),
    () => wrap(named('mark'), (name) => `meta mark ${not}${name}`),
    () => wrap(named('ifname'), (name) => `iifname ${not}${name}`),
    () => `meta mark ${not}${random.between(0, 3)}`,
    () =>
      `meta mark & 0x${random.between(1, 3)} ${random.pick(['==', '!='])} ${random.between(0, 2)}`,
    () => `meta mark ${random.pick(['<', '>', '<=', '>='])} ${random.between(0, 3)}`,
    () => `iifname ${not}"${random.pick([...draft.names, 'lo', 'eth*'])}"`,
    () => `oifname ${not}"${random.pick([...draft.names, 'lo', 'eth*'])}"`,
    () => `meta nfproto ${random.pick(['ipv4', 'ipv6'])}`,
    () => `meta pkttype ${random.pick(['host', 'broadcast', 'multicast'])}`,
    () => `meta iifkind "${random.pick(['veth', 'bridge', 'macvlan', 'tun'])}"`,
    () => `iifgroup ${not}0`,
    () =>
      random.pick([
        'tcp flags & (syn | ack) == syn',
        'tcp flags syn / syn,ack',
        'tcp flags rst',
        'tcp flags & (syn | rst) != 0',
        'tcp flags { syn, syn | ack }',
      ]),
    () =>
      random.pick([
        'tcp option maxseg exists',
        'tcp option sack-perm exists',
        'tcp option maxseg size < 1000',
      ]),
    () => `tcp dport ${random.pick(ports)} meta length ${not}${random.pick([60, 80])}`,
    () => `meta l4proto { tcp, udp } @th,16,16 ${random.pick(ports)}`,
  ];
  if (family !== 'netdev') {
    options.push(
      () =>
        `ct state ${not}${random.pick(['new', 'established', 'invalid', 'untracked', 'established,related', 'new,untracked'])}`,
      () => `ct state ${random.pick(['new', 'established'])}`,
      () => `ct direction ${random.pick(['original', 'reply'])}`,
      () => `ct status ${random.pick(['dnat', 'snat', 'seen-reply', 'confirmed', 'assured'])}`,
      () => `ct mark ${not}${random.between(0, 3)}`,
      () => `ct original ${ip} ${end} ${addressOf(draft, ipv6, true)}`,
      () => `ct reply ${ip} ${end} ${addressOf(draft, ipv6, true)}`,
      () => `meta l4proto ${protocol} ct original proto-dst ${random.pick(ports)}`,
      () => `fib ${end} type ${not}${random.pick(['local', 'unicast', 'broadcast', 'anycast'])}`,
      () =>
        `fib ${random.pick(['saddr . iif', 'saddr', far, 'saddr . mark . iif', 'saddr . mark'])} oif ${random.pick(['missing', 'exists'])}`,
      () =>
        `fib ${random.pick(['saddr', far])} oifname ${not}"${random.pick([...draft.names, 'lo'])}"`,
      () => `fib ${random.pick(['daddr . iif', 'saddr . iif'])} type ${not}local`,
      () => `ct zone ${not}0`,
      () => `${random.pick(['iif', 'oif'])} ${not}lo`,
    );
    // Rules look at who opened a socket, which is told of sockets that nobody was given.
    if (chain.hook === 'output' && draft.listeners.every(({ uid }) => uid === undefined))
      options.push(() => `meta skuid ${not}${random.pick([0, 1000])}`);
  }
  // On the way out it depends on the kernel which device it means.
  if (['ingress', 'prerouting', 'input'].includes(chain.hook ?? ''))
    options.push(() => `iiftype ${random.pick(['ether', 'loopback'])}`);
  for (;;) {
    const words = random.pick(options)();
    if (words !== null) return words;
  }
}

function wrap(name: string | null, words: (name: string) => string): string | null {
  return name === null ? null : words(name);
}

function statementOf(draft: Draft, chain: ChainDraft, ipv6: boolean): string {
  const { random } = draft;
  if (chain.type === 'nat') return natOf(draft, chain, ipv6);
  const { family, sets } = chain.table;
  const protocol = random.pick(['tcp', 'udp'] as const);
  const ip = ipv6 ? 'ip6' : 'ip';
  const subs = chain.table.chains.filter(({ hook }) => hook === null);
  const options: (() => string | null)[] = [
    () => 'accept',
    () => 'accept',
    () => 'accept',
    () => 'drop',
    () => 'drop',
    () => 'return',
    () => `meta mark set ${random.between(0, 3)}`,
    () => `meta mark set meta mark ${random.pick(['|', '&', '^'])} ${random.between(1, 3)}`,
    () =>
      `meta mark set ${protocol} dport map { ${ports[0]} : 1, ${ports[1]} : 2, ${ports[2]}-${ports[4]} : 3 }`,
    () => `${protocol} dport vmap { ${ports[0]} : drop, ${ports[1]}-${ports[2]} : accept }`,
    () =>
      `${ip} saddr . ${protocol} dport vmap { ${addressOf(draft, ipv6, false)} . ${random.pick(ports)} : drop }`,
    () =>
      wrap(
        pickNamed(draft, sets, `${ipv6 ? 'ipv6' : 'ipv4'}_addr verdict`),
        (name) => `${ip} saddr vmap @${name}`,
      ),
    () =>
      wrap(
        pickNamed(draft, sets, 'inet_service verdict'),
        (name) => `${protocol} dport vmap @${name}`,
      ),
    () =>
      wrap(
        pickNamed(draft, sets, 'inet_service mark'),
        (name) => `meta mark set ${protocol} dport map @${name}`,
      ),
    () =>
      wrap(
        pickNamed(draft, sets, `${ipv6 ? 'ipv6' : 'ipv4'}_addr . inet_service verdict`),
        (name) => `${ip} saddr . ${protocol} dport vmap @${name}`,
      ),
    () => wrap(pickNamed(draft, sets, 'mark verdict'), (name) => `meta mark vmap @${name}`),
    () => 'counter',
    () => 'log prefix "lab " accept',
    () => (random.chance(0.2) ? 'limit rate 10/minute accept' : 'counter accept'),
  ];
  if (subs.length > 0 && chain.hook !== null)
    options.push(
      () => `jump ${random.pick(subs).name}`,
      () => `jump ${random.pick(subs).name}`,
      () => `goto ${random.pick(subs).name}`,
    );
  // A switch sends frames for strangers to every port of a segment, and such a rule answers them.
  const alone = draft.links.every(({ segment }) => segment === undefined);
  if (chain.hook === 'ingress' && alone) options.push(() => rejectOf(draft, chain, ipv6));
  if (family !== 'netdev') {
    options.push(
      () => `ct mark set ${random.between(0, 3)}`,
      () => 'ct mark set meta mark',
      () => 'meta mark set ct mark',
      () =>
        `ct state vmap { new : ${random.pick(['accept', 'continue'])}, established : ${random.pick(['accept', 'accept', 'drop', 'continue'])}, invalid : drop }`,
      () => 'notrack',
      () => rejectOf(draft, chain, ipv6),
      () => rejectOf(draft, chain, ipv6),
      () => `tcp flags syn tcp option maxseg size set 1200`,
    );
  }
  for (;;) {
    const words = random.pick(options)();
    if (words !== null) return words;
  }
}

function pickNamed(draft: Draft, sets: Map<string, string[]>, key: string): string | null {
  const names = sets.get(key);
  return names ? draft.random.pick(names) : null;
}

function rejectOf({ random }: Draft, { table: { family } }: ChainDraft, ipv6: boolean): string {
  const tcp = 'meta l4proto tcp reject with tcp reset';
  const x = `reject with icmpx ${random.pick(['no-route', 'port-unreachable', 'host-unreachable', 'admin-prohibited'])}`;
  const four = `reject with icmp ${random.pick(['net-unreachable', 'host-unreachable', 'prot-unreachable', 'port-unreachable', 'net-prohibited', 'host-prohibited', 'admin-prohibited'])}`;
  const six = `reject with icmpv6 ${random.pick(['no-route', 'admin-prohibited', 'addr-unreachable', 'port-unreachable', 'policy-fail', 'reject-route'])}`;
  return random.pick([
    tcp,
    family === 'inet' || family === 'netdev' ? x : family === 'ip6' ? six : four,
    ipv6 ? six : four,
  ]);
}

function natOf(draft: Draft, { hook, table: { family } }: ChainDraft, ipv6: boolean): string {
  const { random } = draft;
  const protocol = random.pick(['tcp', 'udp'] as const);
  const match = `${protocol} dport ${random.pick(ports)}`;
  const port = random.pick(ports);
  const held = [...draft.ownAddresses(ipv6), ...draft.askers.flatMap(({ addresses }) => addresses)];
  const address = random.pick(held.filter((one) => isIpv6(one) === ipv6 && !isLinkLocalText(one)));
  const of = family === 'inet' ? (ipv6 ? ' ip6' : ' ip') : '';
  const target = ipv6 ? `[${address}]` : address;
  if (hook === 'prerouting' || hook === 'output')
    return random.pick([
      `${match} redirect to :${port}`,
      `${match} dnat${of} to ${target}:${port}`,
      `${match} dnat${of} to ${address}`,
      `${match} redirect to :${port}-${port + 1}`,
      'accept',
      `${match} drop`,
    ]);
  const source = random.pick([...draft.ownAddresses(ipv6), ipv6 ? 'fd00:77::7' : '198.51.100.77']);
  if (hook === 'input') return random.pick([`${match} snat${of} to ${source}`, 'accept', 'drop']);
  return random.pick([
    `${match} masquerade`,
    `oifname "${random.pick([...draft.names, 'lo'])}" masquerade`,
    `${match} snat${of} to ${source}`,
    'accept',
  ]);
}

// ------------------------------------------------------------------ loading

/** Loads the lines at once, without those that nft(8) or the kernel does not take; gives these. */
export async function loadNftables(host: Namespace, lines: readonly string[]): Promise<string[]> {
  const refused: string[] = [];
  let left = [...lines];
  while (left.length > 0) {
    try {
      await host.nft(`${left.join('\n')}\n`);
      return refused;
    } catch (error) {
      const said = [...String(error).matchAll(/\/dev\/stdin:(\d+):/g)];
      const named = new Set(said.map(([, line]) => Number(line) - 1));
      // It may name none, and sometimes it ends by a signal: then the latter half goes without.
      const goes = (place: number) =>
        named.size > 0 ? named.has(place) : place >= Math.floor(left.length / 2);
      refused.push(...left.filter((_, place) => goes(place)));
      left = left.filter((_, place) => !goes(place));
    }
  }
  return refused;
}
