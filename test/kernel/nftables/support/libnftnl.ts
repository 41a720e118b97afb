import type { Nftables } from '#earshot/model/firewall.js';
import type {
  Hex,
  NftData,
  NftExpression,
  NftSet,
  NftVerdict,
  Register,
} from '#earshot/model/ruleset.js';

/*
 * A rule set in the words of `nft --debug=netlink list ruleset`, which libnftnl writes of its own
 * reading of the same bytes. What a capture leaves out (counts, log details) is taken out of its
 * text by `withoutDetails`, so that the rest has to be equal.
 */

/** The rules, each headed by its place: `inet filter input 4`, and its expressions in brackets. */
export function rulesAsText({ chains }: Nftables): string[] {
  return chains.flatMap(({ family, table, name, rules }) =>
    rules.map(({ handle, expressions }) =>
      [`${family} ${table} ${name} ${handle}`, ...expressions.map((e) => `[ ${said(e)} ]`)].join(
        '\n',
      ),
    ),
  );
}

/** The sets, each with its elements in no order that matters. */
export function setsAsText({ sets }: Nftables): string[] {
  return sets.map((set) =>
    [`${set.family} ${set.table} @${set.name}`, ...elementsOf(set).sort()].join('\n'),
  );
}

/** libnftnl's text in the same form: rules, and sets. */
export function readText(text: string): { rules: string[]; sets: string[] } {
  const blocks = text
    .split(/\n(?=\w+ \S+ \S+)/)
    .map((block) => block.split('\n').map((line) => line.trim()))
    .map(([head, ...lines]) => [head!.trim(), lines.filter((line) => /^(\[|element)/.test(line))]);
  const isSet = (head: string): boolean => head.split(' ')[2]!.startsWith('@');
  return {
    rules: (blocks as [string, string[]][])
      .filter(([head]) => /^\w+ \S+ \S+ \d+/.test(head) && !isSet(head))
      // A rule's second number is that of the rule before it.
      .map(([head, lines]) =>
        [head.split(' ').slice(0, 4).join(' '), ...lines.map(withoutDetails)].join('\n'),
      ),
    sets: (blocks as [string, string[]][])
      .filter(([head]) => /^\w+ \S+ @/.test(head))
      .map(([head, lines]) =>
        [
          head.split(' ').slice(0, 3).join(' '),
          ...lines.map((line) => line.replaceAll(/\s+/g, ' ').replace(/ userdata.*/, '')).sort(),
        ].join('\n'),
      ),
  };
}

function withoutDetails(line: string): string {
  return line
    .replace(/counter pkts \d+ bytes \d+/, 'counter')
    .replace(/ snaplen \d+/, '')
    .replace(/ qthreshold \d+/, '')
    .replace(/^\[ synproxy .*\]$/, '[ synproxy ]')
    .replace(/^\[ (osf|xfrm) .*\]$/, '[ unknown $1 ]')
    .replace(/^\[ exthdr reset .*\]$/, '[ unknown exthdr ]')
    .replace(/ nfproto \d+/, '')
    .replace(/^(\[ lookup .*) 0x0 \]$/, '$1 ]')
    .replace(/^(\[ lookup .*) 0x1 \]$/, '$1 inverted ]');
}

function said(e: NftExpression): string {
  switch (e.kind) {
    case 'immediate':
      return `immediate reg ${register(e.destination)} ${dataOf(e.data)}`;
    case 'cmp':
      return `cmp ${e.op} reg ${register(e.source)} ${words(e.data)}`;
    case 'range':
      return `range ${e.op} reg ${register(e.source)} ${words(e.from)} ${words(e.to)}`;
    case 'bitwise': {
      const [to, from] = [register(e.destination), register(e.source)];
      if (e.op === 'mask-xor') {
        return `bitwise reg ${to} = ( reg ${from} & ${words(e.mask!)} ) ^ ${words(e.xor!)}`;
      }
      return `bitwise reg ${to} = ( reg ${from} ${e.op === 'lshift' ? '<<' : '>>'} ${words(e.data!)} )`;
    }
    case 'byteorder':
      return `byteorder reg ${register(e.destination)} = ${e.op}(reg ${register(e.source)}, ${e.size}, ${e.length})`;
    case 'payload':
      return `payload load ${e.length}b @ ${e.base} header + ${e.offset} => reg ${register(e.destination)}`;
    case 'payload-set':
      return `payload write reg ${register(e.source)} => ${e.length}b @ ${e.base} header + ${e.offset} csum_type ${e.checksumType} csum_off ${e.checksumOffset} csum_flags 0x${e.checksumFlags.toString(16)}`;
    case 'meta':
      return `meta load ${META[e.key]} => reg ${register(e.destination)}`;
    case 'meta-set':
      return `meta set ${META[e.key]} with reg ${register(e.source)}`;
    case 'ct':
      return `ct load ${CT[e.key]} => reg ${register(e.destination)}${direction(e.direction)}`;
    case 'ct-set':
      return `ct set ${CT[e.key]} with reg ${register(e.source)}${direction(e.direction)}`;
    case 'rt':
      return `rt load ${['classid', 'nexthop4', 'nexthop6', 'tcpmss'][e.key]} => reg ${register(e.destination)}`;
    case 'socket':
      return `socket load ${['transparent', 'mark'][e.key]} => reg ${register(e.destination)}`;
    case 'fib': {
      const asked = ['saddr', 'daddr', 'mark', 'iif', 'oif'].filter(
        (_, bit) => e.flags & (1 << bit),
      );
      const result = ['', 'oif', 'oifname', 'type'][e.result];
      const present = e.flags & 32 ? ' present' : '';
      return `fib ${asked.join(' . ')} ${result}${present} => reg ${register(e.destination)}`;
    }
    case 'exthdr':
      return `exthdr load ${e.protocol} ${e.length}b @ ${e.type} + ${e.offset}${e.flags ? ' present' : ''} => reg ${register(e.destination)}`;
    case 'exthdr-set':
      return `exthdr write ${e.protocol} reg ${register(e.source)} => ${e.length}b @ ${e.type} + ${e.offset}`;
    case 'lookup': {
      const to = e.destination === null ? '' : ` dreg ${register(e.destination)}`;
      return `lookup reg ${register(e.source)} set ${e.set}${to}${e.invert ? ' inverted' : ''}`;
    }
    case 'dynset': {
      const data = e.data === null ? '' : ` sreg_data ${register(e.data)}`;
      const inner = e.expressions.map((one) => ` expr [ ${said(one)} ]`).join('');
      return `dynset ${e.op} reg_key ${register(e.key)} set ${e.set}${data} timeout ${e.timeout}ms${inner}`;
    }
    case 'objref':
      return `objref type ${e.objectType} name ${e.name}`;
    case 'objref-map':
      return `objref sreg ${register(e.source)} set ${e.set}`;
    case 'counter':
    case 'last':
    case 'notrack':
    case 'synproxy':
      return e.kind;
    case 'log':
      return `log${e.prefix ? ` prefix ${e.prefix}` : ''}${e.group === null ? '' : ` group ${e.group}`}${e.level === null ? '' : ` level ${e.level}`}`;
    case 'limit':
      return `limit rate ${e.rate}/${UNITS[e.unitSeconds]} burst ${e.burst} type ${e.bytes ? 'bytes' : 'packets'} flags 0x${e.invert ? 1 : 0}`;
    case 'quota':
      return `quota bytes ${e.bytes} consumed ${e.consumed} flags ${e.invert ? 1 : 0}`;
    case 'connlimit':
      return `connlimit count ${e.count} flags ${e.invert ? 1 : 0}`;
    case 'reject':
      return `reject type ${['icmp', 'tcp-reset', 'icmpx'].indexOf(e.type)} code ${e.code}`;
    case 'nat': {
      const family = { ipv4: 'ip', ipv6: 'ip6', both: 'inet' }[e.family ?? 'both'];
      const addresses =
        e.addressMin === null
          ? ''
          : ` addr_min reg ${register(e.addressMin)} addr_max reg ${register(e.addressMax!)}`;
      return `nat ${e.type} ${family}${addresses}${ports(e)}`;
    }
    case 'masquerade':
      return `masq${ports(e)}`;
    case 'redirect':
      return `redir${ports(e)}`;
    case 'tproxy': {
      const family = e.family === null ? '' : ` ${e.family === 'ipv4' ? 'ip' : 'ip6'}`;
      return `tproxy${family}${e.address === null ? '' : ` addr reg ${register(e.address)}`}${e.port === null ? '' : ` port reg ${register(e.port)}`}`;
    }
    case 'dup':
      return `dup${e.address === null ? '' : ` sreg_addr ${register(e.address)}`}${e.device === null ? '' : ` sreg_dev ${register(e.device)}`}`;
    case 'fwd':
      return `fwd sreg_dev ${register(e.device)}${e.address === null ? '' : ` sreg_addr ${register(e.address)}`}`;
    case 'hash':
      return e.type === 'symmetric'
        ? `hash reg ${register(e.destination)} = symhash() % mod ${e.modulus}${plus(e.offset)}`
        : `hash reg ${register(e.destination)} = jhash(reg ${register(e.source!)}, ${e.length}, 0x${e.seed!.toString(16)}) % mod ${e.modulus}${plus(e.offset)}`;
    case 'numgen':
      return `numgen reg ${register(e.destination)} = ${e.type === 'random' ? 'random' : 'inc'} mod ${e.modulus}${plus(e.offset)}`;
    case 'match':
    case 'target':
      return `${e.kind} name ${e.name} rev ${e.revision}`;
    case 'queue':
      return `queue num ${e.number}`;
    case 'flow-offload':
      return `flow_offload table ${e.table}`;
    case 'unknown':
      return `unknown ${e.name}`;
  }
}

function elementsOf(set: NftSet): string[] {
  const keys = Buffer.from(set.keys, 'base64');
  const keyEnds = set.keyEnds === null ? null : Buffer.from(set.keyEnds, 'base64');
  const ends = set.ends === null ? null : Buffer.from(set.ends, 'base64');
  const data = set.data === null ? null : Buffer.from(set.data, 'base64');
  return Array.from({ length: set.size }, (_, row) => {
    const at = (column: Buffer, width: number): string =>
      bareWords(column.subarray(row * width, (row + 1) * width).toString('hex'));
    const closes = ends !== null && ((ends[row >> 3]! >> (row & 7)) & 1) === 1;
    const verdict =
      set.verdictOf === null || closes ? '' : verdictOf(set.verdicts[set.verdictOf[row]!]!);
    const value = data === null || closes ? verdict : at(data, set.dataLength);
    const last = keyEnds === null ? '' : ` - ${at(keyEnds, set.keyLength)}`;
    return `element ${at(keys, set.keyLength)}${last} : ${value === '' ? '' : `${value} `}${closes ? 1 : 0} [end]`;
  });
}

function dataOf(data: NftData): string {
  return 'verdict' in data ? verdictOf(data.verdict) : words(data.value);
}

function verdictOf(verdict: NftVerdict): string {
  return 'chain' in verdict ? `${verdict.code} -> ${verdict.chain}` : verdict.code;
}

/** libnftnl shows bytes as words of the host, here one of little-endian order. */
function words(hex: Hex): string {
  return `0x${bareWords(hex).replaceAll(' ', ' 0x')}`;
}

function bareWords(hex: Hex): string {
  const padded = hex.padEnd(Math.ceil(hex.length / 8) * 8, '0');
  return padded
    .match(/.{8}/g)!
    .map((word) => word.match(/../g)!.reverse().join(''))
    .join(' ');
}

function register(word: Register): number {
  if (word === 'verdict') return 0;
  return word % 4 === 0 ? word / 4 + 1 : word + 8;
}

function ports(e: { portMin: number | null; portMax: number | null; flags: number }): string {
  const range =
    e.portMin === null
      ? ''
      : ` proto_min reg ${register(e.portMin)} proto_max reg ${register(e.portMax!)}`;
  return `${range}${e.flags ? ` flags 0x${e.flags.toString(16)}` : ''}`;
}

const plus = (offset: number): string => (offset ? ` offset ${offset}` : '');

const direction = (of: string | null): string => (of === null ? '' : ` , dir ${of}`);

const UNITS: Record<number, string> = { 1: 'second', 60: 'minute', 3600: 'hour', 86400: 'day' };

/** enum nft_meta_keys, by the names of libnftnl. */
const META =
  'len protocol priority mark iif oif iifname oifname iiftype oiftype skuid skgid nftrace rtclassid secmark nfproto l4proto bri_iifname bri_oifname pkttype cpu iifgroup oifgroup cgroup prandom secpath iifkind oifkind bri_iifpvid bri_iifvproto time day hour'.split(
    ' ',
  );

/** enum nft_ct_keys, by the names of libnftnl. */
const CT =
  'state direction status mark secmark expiration helper l3protocol src dst protocol proto_src proto_dst label packets bytes avgpkt zone event src_ip dst_ip src_ip6 dst_ip6 ct_id'.split(
    ' ',
  );
