import type { Namespace } from '../namespaces.js';
import type { Draft } from './draft.js';
import { ports } from './outside.js';
import { isIpv6, isLinkLocalText } from './scenario.js';

/*
 * Random rules of iptables and ip6tables, in tables of nftables, in legacy tables, or in both at
 * once; beside native chains of nftables where these are drawn too. What is decided by something that
 * cannot be known is rare.
 */

/** A line for iptables-restore, and which of them takes it. */
export interface IptablesLine {
  command: 'iptables' | 'ip6tables';
  backend: 'nft' | 'legacy';
  table: string;
  line: string;
}

const hooksOf = {
  raw: ['PREROUTING', 'OUTPUT'],
  mangle: ['PREROUTING', 'INPUT', 'FORWARD', 'OUTPUT', 'POSTROUTING'],
  nat: ['PREROUTING', 'PREROUTING', 'OUTPUT', 'INPUT', 'POSTROUTING'],
  filter: ['INPUT', 'INPUT', 'INPUT', 'FORWARD', 'OUTPUT'],
  security: ['INPUT', 'OUTPUT'],
} as const;

type Table = keyof typeof hooksOf;

interface Place {
  table: Table;
  chain: string;
  ipv6: boolean;
  /** Chains of the user's own in the table. */
  own: string[];
}

export function addIptables(draft: Draft): void {
  if (draft.family !== 'iptables') return;
  const { random } = draft;
  const both = random.chance(0.35);
  const backends = both ? (['nft', 'legacy'] as const) : [random.pick(['nft', 'legacy'] as const)];
  for (const backend of backends)
    for (const ipv6 of [false, true])
      for (const table of Object.keys(hooksOf) as Table[]) {
        const likely = table === 'filter' ? 0.9 : table === 'security' ? 0.1 : 0.4;
        if (random.chance(both ? likely * 0.7 : likely)) addTable(draft, backend, ipv6, table);
      }
}

function addTable(
  draft: Draft,
  backend: IptablesLine['backend'],
  ipv6: boolean,
  table: Table,
): void {
  const { random, iptables } = draft;
  const command = ipv6 ? 'ip6tables' : 'iptables';
  const say = (line: string) => iptables.push({ command, backend, table, line });
  const own = ['sub1', 'sub2'].slice(0, random.between(0, 2));
  for (const name of own) say(`-N ${name}`);
  const chains = new Set(random.times(1, 3, () => random.pick(hooksOf[table])));
  for (const chain of chains) {
    if (table === 'filter' && random.chance(0.2)) {
      say(`:${chain} DROP [0:0]`);
      say(`-A ${chain} ${usual(draft)} -j ACCEPT`);
    }
    for (const line of random.times(1, 5, () => ruleOf(draft, { table, chain, ipv6, own })))
      say(`-A ${chain} ${line}`);
  }
  for (const chain of own)
    for (const line of random.times(1, 3, () => ruleOf(draft, { table, chain, ipv6, own: [] })))
      say(`-A ${chain} ${line}`);
}

/** What a chain that drops by default lets pass in the real world. */
function usual({ random }: Draft): string {
  return random.pick([
    '-m conntrack --ctstate RELATED,ESTABLISHED',
    '-m state --state NEW,ESTABLISHED',
    '-i lo',
    `-p tcp -m tcp --dport ${random.pick(ports)}`,
    '-p udp',
  ]);
}

function addressOf(draft: Draft, ipv6: boolean, wide: boolean): string {
  const { random } = draft;
  const held = [...draft.askers.flatMap(({ addresses }) => addresses), ...draft.ownAddresses()];
  const fitting = held.filter((one) => isIpv6(one) === ipv6 && !isLinkLocalText(one));
  const address = fitting.length > 0 ? random.pick(fitting) : ipv6 ? '2001:db8::9' : '203.0.113.9';
  if (!wide || random.chance(0.4)) return address;
  return `${address}/${random.pick(ipv6 ? [127, 120, 64, 48, 16] : [31, 28, 24, 16, 8])}`;
}

function ruleOf(draft: Draft, place: Place): string {
  const { random } = draft;
  const protocol = random.pick(['tcp', 'udp'] as const);
  const needs = place.table === 'nat' || random.chance(0.6);
  const words = needs ? [`-p ${protocol}`] : [];
  // Once for each option that stands by itself.
  const seen = new Set<string>();
  const matches = random.times(0, 2, () => matchOf(draft, place, needs ? protocol : null));
  for (const match of matches) {
    const key = match.replace(/^! /, '').split(' ').slice(0, 2).join(' ');
    const name = key.startsWith('-m') ? key : key.split(' ')[0]!;
    if (!seen.has(name)) words.push(match);
    seen.add(name);
  }
  return [...words, targetOf(draft, place, needs ? protocol : null)].join(' ').trim();
}

function matchOf(
  draft: Draft,
  { chain, ipv6, table }: Place,
  protocol: 'tcp' | 'udp' | null,
): string {
  const { random } = draft;
  const not = random.chance(0.2) ? '! ' : '';
  const end = random.pick(['src', 'dst'] as const);
  const side = random.pick(['dport', 'dport', 'sport'] as const);
  const port = () => {
    const first = random.pick(ports);
    return random.chance(0.3) ? `${first}:${first + random.between(1, 3)}` : `${first}`;
  };
  const early = chain === 'PREROUTING' || chain === 'INPUT';
  const late = chain === 'OUTPUT' || chain === 'POSTROUTING';
  const options: (() => string | null)[] = [
    () => `${not}-${end[0]} ${addressOf(draft, ipv6, true)}`,
    () => `${not}-${end[0]} ${addressOf(draft, ipv6, true)}`,
    () =>
      late || chain.startsWith('sub')
        ? null
        : `${not}-i ${random.pick([...draft.names, 'lo', 'eth+'])}`,
    () =>
      early || chain.startsWith('sub')
        ? null
        : `${not}-o ${random.pick([...draft.names, 'lo', 'eth+'])}`,
    () => protocol && `-m ${protocol} ${not}--${side} ${port()}`,
    () => protocol && `-m ${protocol} ${not}--${side} ${port()}`,
    () =>
      protocol &&
      `-m multiport ${not}--${random.pick(['dports', 'dports', 'sports', 'ports'])} ${random.times(1, 4, port).join(',')}`,
    () =>
      protocol === 'tcp'
        ? `-m tcp ${not}--tcp-flags ${random.pick(['SYN,ACK SYN', 'SYN,RST,ACK,FIN SYN', 'ALL SYN', 'RST RST', 'SYN,ACK ACK'])}`
        : null,
    () =>
      protocol === 'tcp' ? `-m tcp ${not}--tcp-option ${random.pick([2, 3, 4, 8, 19])}` : null,
    () =>
      `-m conntrack ${not}--ctstate ${random.pick(['NEW', 'ESTABLISHED', 'INVALID', 'UNTRACKED', 'RELATED,ESTABLISHED', 'NEW,UNTRACKED', 'DNAT', 'SNAT', 'NEW,DNAT'])}`,
    () => `-m conntrack --ctstate ${random.pick(['NEW', 'ESTABLISHED', 'RELATED,ESTABLISHED'])}`,
    () => `-m conntrack --ctdir ${random.pick(['ORIGINAL', 'REPLY'])}`,
    () =>
      `-m conntrack ${not}--ctstatus ${random.pick(['SEEN_REPLY', 'ASSURED', 'CONFIRMED', 'NONE'])}`,
    () =>
      `-m conntrack ${not}--ct${random.pick(['orig', 'repl'])}${end} ${addressOf(draft, ipv6, true)}`,
    () => protocol && `-m conntrack --ctproto ${protocol} ${not}--ctorigdstport ${port()}`,
    () => `-m state ${not}--state ${random.pick(['NEW', 'ESTABLISHED', 'INVALID,UNTRACKED'])}`,
    () =>
      `-m addrtype ${not}--${end}-type ${random.pick(ipv6 ? ['LOCAL', 'UNICAST', 'MULTICAST', 'ANYCAST', 'UNREACHABLE'] : ['LOCAL', 'UNICAST', 'BROADCAST', 'UNICAST,LOCAL', 'ANYCAST'])}`,
    () =>
      early && !chain.startsWith('sub') ? `-m addrtype --${end}-type LOCAL --limit-iface-in` : null,
    () => `-m mark ${not}--mark ${random.between(0, 3)}`,
    () => `-m mark ${not}--mark ${random.between(0, 2)}/${random.between(1, 3)}`,
    () => `-m connmark ${not}--mark ${random.between(0, 3)}`,
    () => '-m comment --comment "drawn"',
    () => `-m iprange ${not}--${end}-range ${rangeOf(draft, ipv6)}`,
    () => `-m pkttype ${not}--pkt-type ${random.pick(['unicast', 'broadcast', 'multicast'])}`,
    () =>
      ipv6
        ? `-m hl --hl-${random.pick(['lt', 'gt'])} ${random.pick([1, 10])}`
        : `-m ttl --ttl-${random.pick(['lt', 'gt'])} ${random.pick([1, 10])}`,
    () => (ipv6 ? `-m rt ${not}--rt-type 0` : null),
    () =>
      chain === 'PREROUTING' && (table === 'raw' || table === 'mangle')
        ? `-m rpfilter ${random.pick(['--invert', '', '--loose', '--loose --invert', '--validmark', '--accept-local --invert'])}`.trim()
        : null,
    // The match asks who opened a socket: one that was given to another user later says nothing of that.
    () =>
      late && draft.listeners.every(({ uid }) => uid === undefined)
        ? `-m owner ${not}--uid-owner ${random.pick(['0', '0-9', '1000'])}`
        : null,
    () =>
      protocol === 'tcp'
        ? `-m length ${not}--length ${random.pick(['60', '80', '40:70', '0:1500'])}`
        : null,
    () => `-m dscp ${not}--dscp 0`,
    () => `-m tos ${not}--tos 0`,
    () => (random.chance(0.1) ? '-m limit --limit 10/min' : null),
    () => (random.chance(0.1) ? '-m physdev --physdev-is-in' : null),
  ];
  for (;;) {
    const words = random.pick(options)();
    if (words !== null) return words;
  }
}

function rangeOf(draft: Draft, ipv6: boolean): string {
  const address = addressOf(draft, ipv6, false);
  if (ipv6) return `${address}-${address}`;
  const last = Number(address.split('.')[3]);
  return `${address}-${address.replace(/\d+$/, String(Math.min(last + draft.random.between(0, 30), 255)))}`;
}

function targetOf(draft: Draft, place: Place, protocol: 'tcp' | 'udp' | null): string {
  const { random } = draft;
  const { table, chain, own, ipv6 } = place;
  if (table === 'nat') return natOf(draft, place, protocol ?? 'tcp');
  const options: (() => string | null)[] = [
    () => '-j ACCEPT',
    () => '-j ACCEPT',
    () => '-j DROP',
    () => '-j RETURN',
    () => '',
    () => `-j LOG --log-prefix "lab "`,
    () => (own.length > 0 ? `-${random.pick(['j', 'j', 'g'])} ${random.pick(own)}` : null),
    () => (own.length > 0 ? `-${random.pick(['j', 'j', 'g'])} ${random.pick(own)}` : null),
    () => (table === 'filter' ? rejectOf(draft, ipv6, protocol) : null),
    () => (table === 'filter' ? rejectOf(draft, ipv6, protocol) : null),
    () => (table === 'filter' ? '-j NFLOG --nflog-group 5' : null),
    () =>
      table === 'mangle'
        ? `-j MARK --set-xmark 0x${random.between(0, 3)}/0x${random.pick(['3', '1', 'ffffffff'])}`
        : null,
    () => (table === 'mangle' ? `-j MARK --set-mark ${random.between(0, 3)}` : null),
    () =>
      table === 'mangle'
        ? `-j CONNMARK ${random.pick(['--save-mark', '--restore-mark', `--set-mark ${random.between(0, 3)}`, '--save-mark --nfmask 1 --ctmask 3'])}`
        : null,
    () =>
      table === 'mangle' && protocol === 'tcp'
        ? '-m tcp --tcp-flags SYN,RST SYN -j TCPMSS --set-mss 1200'
        : null,
    () => (table === 'raw' ? `-j CT ${random.pick(['--notrack', '--notrack', '--zone 5'])}` : null),
    () => (table === 'raw' && !chain.startsWith('sub') ? '-j NOTRACK' : null),
  ];
  for (;;) {
    const words = random.pick(options)();
    if (words !== null) return words;
  }
}

function rejectOf({ random }: Draft, ipv6: boolean, protocol: 'tcp' | 'udp' | null): string {
  if (protocol === 'tcp' && random.chance(0.4)) return '-j REJECT --reject-with tcp-reset';
  const kinds = ipv6
    ? [
        'icmp6-no-route',
        'icmp6-adm-prohibited',
        'icmp6-addr-unreachable',
        'icmp6-port-unreachable',
        'icmp6-policy-fail',
        'icmp6-reject-route',
      ]
    : [
        'icmp-net-unreachable',
        'icmp-host-unreachable',
        'icmp-proto-unreachable',
        'icmp-port-unreachable',
        'icmp-net-prohibited',
        'icmp-host-prohibited',
        'icmp-admin-prohibited',
      ];
  return `-j REJECT --reject-with ${random.pick(kinds)}`;
}

function natOf(draft: Draft, { chain, ipv6, own }: Place, protocol: 'tcp' | 'udp'): string {
  const { random } = draft;
  const match = `-m ${protocol} --dport ${random.pick(ports)}`;
  const port = random.pick(ports);
  const held = [...draft.ownAddresses(ipv6), ...draft.askers.flatMap(({ addresses }) => addresses)];
  const address = random.pick(held.filter((one) => isIpv6(one) === ipv6 && !isLinkLocalText(one)));
  const target = ipv6 ? `[${address}]` : address;
  if (chain.startsWith('sub')) return random.pick(['-j ACCEPT', '-j RETURN', '-j ACCEPT']);
  if (own.length > 0 && random.chance(0.15)) return `-j ${random.pick(own)}`;
  if (chain === 'PREROUTING' || chain === 'OUTPUT')
    return random.pick([
      `${match} -j REDIRECT --to-ports ${port}`,
      `${match} -j DNAT --to-destination ${target}:${port}`,
      `${match} -j DNAT --to-destination ${address}`,
      `${match} -j REDIRECT --to-ports ${port}-${port + 1}`,
      `-m ${protocol} --dport ${port}:${port + 3} -j DNAT --to-destination :${ports[0]}-${ports[0]! + 3}/${port}`,
      '-j ACCEPT',
      '-j RETURN',
    ]);
  const source = random.pick([...draft.ownAddresses(ipv6), ipv6 ? 'fd00:77::7' : '198.51.100.77']);
  if (chain === 'INPUT')
    return random.pick([`${match} -j SNAT --to-source ${source}`, '-j ACCEPT']);
  return random.pick([
    `${match} -j MASQUERADE`,
    `-o ${random.pick([...draft.names, 'lo'])} -j MASQUERADE`,
    `${match} -j SNAT --to-source ${source}`,
    '-j ACCEPT',
  ]);
}

// ------------------------------------------------------------------ loading

/** Loads the lines table by table, without those that are refused; gives these. */
export async function loadIptables(
  host: Namespace,
  lines: readonly IptablesLine[],
): Promise<string[]> {
  const refused: string[] = [];
  const groups = new Map<string, IptablesLine[]>();
  for (const one of lines) {
    const key = `${one.command}-${one.backend}-restore ${one.table}`;
    groups.set(key, [...(groups.get(key) ?? []), one]);
  }
  for (const [key, group] of groups) {
    const [program, table] = key.split(' ') as [string, string];
    const load = (part: readonly IptablesLine[]) =>
      host
        .run([program, '-n'], `*${table}\n${part.map(({ line }) => line).join('\n')}\nCOMMIT\n`)
        .then(() => true)
        .catch(() => false);
    if (await load(group)) continue;
    for (const one of group) if (!(await load([one]))) refused.push(`${key}: ${one.line}`);
  }
  return refused;
}
