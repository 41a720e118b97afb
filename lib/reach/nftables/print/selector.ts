import type { NftFamily } from '../../../model/firewall.js';
import type { NftExpression } from '../../../model/ruleset.js';
import { isAddress, type ValueType } from './values.js';

/** What a register holds, in words, and how values compared with it are written. */
export interface Selector {
  readonly text: string;
  readonly type: ValueType;
  /** It says what the packet is, and the rule goes on: left out where the next word says it too. */
  readonly implies?: 'ipv4' | 'ipv6' | 'tcp' | 'udp' | 'family' | 'protocol';
}

const metaKeys: readonly (readonly [string, ValueType] | undefined)[] = [
  ['meta length', 'number'],
  ['meta protocol', 'ethertype'],
  ['meta priority', 'number'],
  ['meta mark', 'mark'],
  ['iif', 'interface'],
  ['oif', 'interface'],
  ['iifname', 'name'],
  ['oifname', 'name'],
  ['iiftype', 'number'],
  ['oiftype', 'number'],
  ['meta skuid', 'number'],
  ['meta skgid', 'number'],
  ['meta nftrace', 'number'],
  ['rtclassid', 'number'],
  ['meta secmark', 'number'],
  ['meta nfproto', 'family'],
  ['meta l4proto', 'protocol'],
  ['ibrname', 'name'],
  ['obrname', 'name'],
  ['meta pkttype', 'packet-type'],
  ['meta cpu', 'number'],
  ['iifgroup', 'number'],
  ['oifgroup', 'number'],
  ['meta cgroup', 'number'],
  ['meta random', 'number'],
  ['meta ipsec', 'flag'],
  ['iifkind', 'name'],
  ['oifkind', 'name'],
  undefined,
  undefined,
  ['meta time', 'number'],
  ['meta day', 'number'],
  ['meta hour', 'number'],
  ['sdif', 'number'],
  ['sdifname', 'name'],
];

const ctKeys: readonly (readonly [string, ValueType] | undefined)[] = [
  ['state', 'ct-state'],
  ['direction', 'ct-direction'],
  ['status', 'ct-status'],
  ['mark', 'mark'],
  ['secmark', 'number'],
  ['expiration', 'number'],
  ['helper', 'name'],
  ['l3proto', 'family'],
  ['saddr', 'address'],
  ['daddr', 'address'],
  ['protocol', 'protocol'],
  ['proto-src', 'network-number'],
  ['proto-dst', 'network-number'],
  ['label', 'hex'],
  ['packets', 'number'],
  ['bytes', 'number'],
  ['avgpkt', 'number'],
  ['zone', 'number'],
  ['event', 'number'],
  ['ip saddr', 'address'],
  ['ip daddr', 'address'],
  ['ip6 saddr', 'ipv6-address'],
  ['ip6 daddr', 'ipv6-address'],
  ['id', 'number'],
];

/** `meta mark`, `iifname`, … */
export function metaSelector(key: number): Selector | null {
  const known = metaKeys[key];
  if (!known) return null;
  const [text, type] = known;
  if (text === 'meta nfproto') return { text, type, implies: 'family' };
  if (text === 'meta l4proto') return { text, type, implies: 'protocol' };
  if (text === 'meta protocol') return { text, type, implies: 'family' };
  return { text, type };
}

/** `ct state`, `ct original saddr`, … */
export function ctSelector({
  key,
  direction,
}: Extract<NftExpression, { kind: 'ct' | 'ct-set' }>): Selector | null {
  const known = ctKeys[key];
  if (!known) return null;
  return { text: `ct ${direction === null ? '' : `${direction} `}${known[0]}`, type: known[1] };
}

type Field = readonly [offset: number, length: number, name: string, type: ValueType];

const ipv4Fields: readonly Field[] = [
  [1, 1, 'dscp', 'hex'],
  [2, 2, 'length', 'network-number'],
  [4, 2, 'id', 'network-number'],
  [6, 2, 'frag-off', 'hex'],
  [8, 1, 'ttl', 'network-number'],
  [9, 1, 'protocol', 'protocol'],
  [10, 2, 'checksum', 'hex'],
  [12, 4, 'saddr', 'address'],
  [16, 4, 'daddr', 'address'],
];

const ipv6Fields: readonly Field[] = [
  [4, 2, 'length', 'network-number'],
  [6, 1, 'nexthdr', 'protocol'],
  [7, 1, 'hoplimit', 'network-number'],
  [8, 16, 'saddr', 'ipv6-address'],
  [24, 16, 'daddr', 'ipv6-address'],
];

const linkFields: readonly Field[] = [
  [0, 6, 'daddr', 'mac'],
  [6, 6, 'saddr', 'mac'],
  [12, 2, 'type', 'ethertype'],
];

const tcpFields: readonly Field[] = [
  [0, 2, 'sport', 'network-number'],
  [2, 2, 'dport', 'network-number'],
  [4, 4, 'sequence', 'network-number'],
  [8, 4, 'ackseq', 'network-number'],
  [13, 1, 'flags', 'tcp-flags'],
  [14, 2, 'window', 'network-number'],
];

const udpFields: readonly Field[] = [
  [0, 2, 'sport', 'network-number'],
  [2, 2, 'dport', 'network-number'],
  [4, 2, 'length', 'network-number'],
];

/** What the rule has said of the packet so far. */
export interface PacketKind {
  family: 'ipv4' | 'ipv6' | null;
  protocol: number | null;
}

/** `ip saddr`, `tcp dport`, …; bytes that have no name as `@th,16,16`. */
export function payloadSelector(
  { base, offset, length }: Extract<NftExpression, { kind: 'payload' | 'payload-set' }>,
  kind: PacketKind,
): Selector {
  const find = (fields: readonly Field[], prefix: string): Selector | null => {
    const field = fields.find(([at, size]) => at === offset && size >= length);
    if (!field || (field[1] !== length && !isAddress(field[3]))) return null;
    return { text: `${prefix} ${field[2]}`, type: field[3] };
  };
  let found: Selector | null = null;
  if (base === 'link') found = find(linkFields, 'ether');
  else if (base === 'network' && kind.family === 'ipv6') found = find(ipv6Fields, 'ip6');
  else if (base === 'network' && kind.family === 'ipv4') found = find(ipv4Fields, 'ip');
  else if (base === 'transport' && kind.protocol === 6) found = find(tcpFields, 'tcp');
  else if (base === 'transport' && kind.protocol === 17) found = find(udpFields, 'udp');
  else if (base === 'transport') found = find(udpFields, 'th');
  if (found) {
    const { text } = found;
    const implies = text === 'ip protocol' || text === 'ip6 nexthdr' ? 'protocol' : null;
    return implies ? { ...found, implies } : found;
  }
  const names = { link: 'll', network: 'nh', transport: 'th', inner: 'ih', tunnel: 'ih' } as const;
  return { text: `@${names[base]},${offset * 8},${length * 8}`, type: 'hex' };
}

/** What a table's family alone says. */
export function kindOfFamily(family: NftFamily): PacketKind {
  const of = family === 'ip' ? 'ipv4' : family === 'ip6' ? 'ipv6' : null;
  return { family: of, protocol: null };
}
