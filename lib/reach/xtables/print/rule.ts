import { addressFromBytes, formatAddress } from '../../../model/address.js';
import type { NftChain } from '../../../model/firewall.js';
import type { Hex, NftExpression, NftRule } from '../../../model/ruleset.js';
import type { Family } from '../../../model/socket.js';
import { bytesFromHex, fromBigEndian, fromLittleEndian } from '../../nftables/bytes.js';
import { META } from '../../nftables/expressions/meta.js';
import { readExtension, type XtExpression } from '../compile.js';
import { option } from '../extension.js';
import type { IpSets } from '../ipset/sets.js';
import { markText } from '../matches/mark.js';
import { limitText } from '../matches/meters.js';
import { flagNames } from '../matches/tcp.js';
import { prefix } from './address.js';

/**
 * A rule as iptables-save(8) writes it, with the command that adds it: `iptables -t nat -A …`.
 * `null` where it says what iptables has no words for.
 */
export function printRule(rule: NftRule, chain: NftChain, sets: IpSets): string | null {
  const family = chain.family === 'ip' ? 'ipv4' : 'ipv6';
  const text = new RuleText(chain, family, sets);
  for (const expression of rule.expressions) if (!text.add(expression)) return null;
  const command = family === 'ipv4' ? 'iptables' : 'ip6tables';
  const table = chain.table === 'filter' ? [] : ['-t', chain.table];
  const comment = rule.comment === null ? [] : ['-m comment --comment', `"${rule.comment}"`];
  return [command, ...table, '-A', chain.name, ...text.words, ...comment, ...text.target].join(' ');
}

const headers = ['source', 'destination', 'input', 'output', 'protocol', 'fragment'] as const;

const protocols: Readonly<Record<number, string>> = {
  1: 'icmp',
  2: 'igmp',
  6: 'tcp',
  17: 'udp',
  33: 'dccp',
  47: 'gre',
  50: 'esp',
  51: 'ah',
  58: 'ipv6-icmp',
  132: 'sctp',
  136: 'udplite',
};

/** What a register holds, and which bits of it count. */
interface Held {
  readonly load: Extract<NftExpression, { kind: 'meta' | 'payload' }>;
  readonly mask: Uint8Array | null;
}

type Invert = boolean;

/** A rule being read expression by expression, as iptables-nft writes them. */
class RuleText {
  readonly target: string[] = [];
  readonly #header: Partial<Record<(typeof headers)[number], string>> = {};
  readonly #matches: string[] = [];
  readonly #held = new Map<number, Held>();
  #protocol = 0;
  /** The match that was written last: its options go on. */
  #module = '';

  constructor(
    private readonly chain: NftChain,
    private readonly family: Family,
    private readonly sets: IpSets,
  ) {}

  get words(): string[] {
    return [...headers.flatMap((name) => this.#header[name] ?? []), ...this.#matches];
  }

  /** False for what has no words. */
  add(expression: NftExpression): boolean {
    switch (expression.kind) {
      case 'counter':
        return true;
      case 'meta':
      case 'payload':
        this.#held.set(expression.destination, { load: expression, mask: null });
        return true;
      case 'bitwise':
        return this.#mask(expression);
      case 'cmp':
        return this.#compare(expression);
      case 'range':
        return this.#range(expression);
      case 'limit': {
        const { rate, unitSeconds, burst, bytes, invert } = expression;
        if (bytes || invert) return false;
        this.#match('limit', limitText(rate, unitSeconds, burst));
        return true;
      }
      case 'immediate':
        return this.#verdict(expression);
      case 'log':
        if (expression.group === null) return false;
        this.target.push('-j NFLOG', `--nflog-group ${expression.group}`);
        return true;
      case 'match':
        this.#match(...this.#extension(expression));
        return true;
      case 'target':
        this.target.push('-j', ...this.#extension(expression).filter(Boolean));
        return true;
      default:
        return false;
    }
  }

  /** Its name and its options; one that is not known is shown as it is. */
  #extension(expression: XtExpression): [name: string, text: string] {
    const { name, revision, info } = expression;
    const known = readExtension(expression, this.chain.family, this.sets);
    return [known?.name ?? name, known ? known.text : `[revision ${revision} 0x${info}]`];
  }

  #match(module: string, text: string): void {
    this.#matches.push(...['-m', module, text].filter(Boolean));
    this.#module = module;
  }

  #mask({
    source,
    source2,
    destination,
    op,
    mask,
    xor,
  }: Extract<NftExpression, { kind: 'bitwise' }>): boolean {
    const held = this.#held.get(source);
    const plain = op === 'mask-xor' && source2 === null && mask !== null && !/[^0]/.test(xor ?? '');
    if (!held || held.mask || !plain) return false;
    this.#held.set(destination, { load: held.load, mask: bytesFromHex(mask) });
    return true;
  }

  #compare({ source, op, data }: Extract<NftExpression, { kind: 'cmp' }>): boolean {
    const held = this.#held.get(source);
    if (!held || (op !== 'eq' && op !== 'neq')) return false;
    const invert = op === 'neq';
    const bytes = bytesFromHex(data);
    return held.load.kind === 'meta'
      ? this.#metaIs(held.load.key, held.mask, bytes, invert)
      : this.#payloadIs(held.load, held.mask, bytes, invert);
  }

  #metaIs(key: number, mask: Uint8Array | null, bytes: Uint8Array, invert: Invert): boolean {
    if (key === META.mark) {
      const all = mask ? fromLittleEndian(mask) : 0xffffffff;
      this.#match('mark', option('--mark', markText(fromLittleEndian(bytes), all), invert));
      return true;
    }
    if (mask) return false;
    if (key === META.l4proto) return this.#protocolIs(bytes[0]!, invert);
    if (key !== META.iifname && key !== META.oifname) return false;
    const input = key === META.iifname;
    // A NUL is compared as well where the name is meant whole.
    const name = new TextDecoder().decode(bytes);
    const shown = name.includes('\0') ? name.replace(/\0+$/, '') : `${name}+`;
    this.#header[input ? 'input' : 'output'] = option(input ? '-i' : '-o', shown, invert);
    return true;
  }

  #protocolIs(number: number, invert: Invert): boolean {
    if (!invert) this.#protocol = number;
    this.#header.protocol = option('-p', protocols[number] ?? number, invert);
    return true;
  }

  #payloadIs(
    { base, offset, length }: Extract<NftExpression, { kind: 'payload' }>,
    mask: Uint8Array | null,
    bytes: Uint8Array,
    invert: Invert,
  ): boolean {
    const ipv4 = this.family === 'ipv4';
    if (base === 'network') {
      if (offset === (ipv4 ? 12 : 8)) return this.#addressIs('source', length, mask, bytes, invert);
      if (offset === (ipv4 ? 16 : 24))
        return this.#addressIs('destination', length, mask, bytes, invert);
      if (offset === (ipv4 ? 9 : 6) && length === 1 && !mask)
        return this.#protocolIs(bytes[0]!, invert);
      const fragment =
        ipv4 && offset === 6 && length === 2 && mask && fromBigEndian(mask) === 0x1fff;
      if (!fragment || fromBigEndian(bytes) !== 0) return false;
      this.#header.fragment = option('-f', '', !invert);
      return true;
    }
    if (base !== 'transport') return false;
    if (length === 2 && offset <= 2 && !mask) return this.#portsAre(offset, portOf(bytes), invert);
    if (offset !== 13 || length !== 1 || this.#protocol !== 6) return false;
    const flags = `${flagNames(mask?.[0] ?? 0x3f)} ${flagNames(bytes[0]!)}`;
    this.#ofTransport('tcp', option('--tcp-flags', flags, invert));
    return true;
  }

  #addressIs(
    end: 'source' | 'destination',
    length: number,
    mask: Uint8Array | null,
    bytes: Uint8Array,
    invert: Invert,
  ): boolean {
    const whole = this.family === 'ipv4' ? 4 : 16;
    if (length > whole || bytes.length > length) return false;
    // A prefix of whole bytes is compared by these alone.
    const address = new Uint8Array(whole);
    address.set(bytes);
    const counted = new Uint8Array(whole);
    counted.set(mask ?? new Uint8Array(length).fill(0xff));
    const text = prefix(
      formatAddress(addressFromBytes(address, 0, this.family)),
      addressFromBytes(counted, 0, this.family),
    );
    this.#header[end] = option(end === 'source' ? '-s' : '-d', text, invert);
    return true;
  }

  #portsAre(offset: number, ports: string, invert: Invert): boolean {
    const module = { 6: 'tcp', 17: 'udp' }[this.#protocol];
    if (!module || offset === 1) return false;
    this.#ofTransport(module, option(offset === 0 ? '--sport' : '--dport', ports, invert));
    return true;
  }

  /** Ports and flags are options of one match; flags come last, wherever they are compared. */
  #ofTransport(module: string, text: string): void {
    if (this.#module !== module) this.#match(module, text);
    else if (this.#matches.at(-1)!.includes('--tcp-flags')) this.#matches.splice(-1, 0, text);
    else this.#matches.push(text);
  }

  #range({ source, op, from, to }: Extract<NftExpression, { kind: 'range' }>): boolean {
    const held = this.#held.get(source);
    if (held?.load.kind !== 'payload' || held.mask) return false;
    const { base, offset, length } = held.load;
    if (base !== 'transport' || length !== 2 || offset > 2) return false;
    const ports = [from, to].map((hex: Hex) => portOf(bytesFromHex(hex))).join(':');
    return this.#portsAre(offset, ports, op === 'neq');
  }

  #verdict({ destination, data }: Extract<NftExpression, { kind: 'immediate' }>): boolean {
    if (destination !== 'verdict' || !('verdict' in data)) return false;
    const { verdict } = data;
    if ('chain' in verdict) this.target.push(verdict.code === 'goto' ? '-g' : '-j', verdict.chain);
    else this.target.push('-j', verdict.code.toUpperCase());
    return true;
  }
}

function portOf(bytes: Uint8Array): string {
  return String(fromBigEndian(bytes));
}
