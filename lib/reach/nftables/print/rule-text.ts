import type { NftFamily } from '../../../model/firewall.js';
import type { NftExpression, NftSet } from '../../../model/ruleset.js';
import { bytesFromHex, fromLittleEndian, hexFromBytes } from '../bytes.js';
import {
  ctSelector,
  kindOfFamily,
  metaSelector,
  type PacketKind,
  payloadSelector,
  type Selector,
} from './selector.js';
import { printSet } from './set.js';
import { netlinkForm, plainStatement, printReject, printVerdict } from './statement-text.js';
import { isAddress, isFlags, prefixLengthOf, printValue } from './values.js';

const signs = { eq: '', neq: '!= ', lt: '< ', lte: '<= ', gt: '> ', gte: '>= ' } as const;

/** What is known of a register while a rule is read. */
type Held =
  | { kind: 'selector'; selector: Selector; mask: Uint8Array | null }
  | { kind: 'value'; bytes: Uint8Array }
  | { kind: 'text'; text: string };

/** Numbers of the host are compared most significant byte first. */
function turned(held: Held): Held {
  if (held.kind !== 'selector' || !['number', 'mark'].includes(held.selector.type)) return held;
  return { ...held, selector: { ...held.selector, type: 'network-number' } };
}

/** A rule being read expression by expression, and the words it comes to. */
export class RuleText {
  readonly #words: string[] = [];
  readonly #held = new Map<number, Held>();
  readonly #packet: PacketKind;
  /** A lower bound just said, to be one range with the upper one if that follows. */
  #from: { source: number; selector: Selector; value: string } | null = null;
  /** Words that say what the next ones say too, as `meta l4proto tcp` before `tcp dport`. */
  #implied: { word: string; prefixes: readonly string[] }[] = [];

  constructor(
    family: NftFamily,
    private readonly setOf: (name: string) => NftSet | null,
    private readonly interfaceOf: (index: number) => string | null,
  ) {
    this.#packet = kindOfFamily(family);
  }

  add(expression: NftExpression): void {
    const from = this.#from;
    this.#from = null;
    if (from && expression.kind === 'cmp' && this.#endsRange(from, expression)) return;
    switch (expression.kind) {
      case 'meta':
        this.#hold(expression.destination, metaSelector(expression.key), expression);
        break;
      case 'ct':
        this.#hold(expression.destination, ctSelector(expression), expression);
        break;
      case 'payload':
        this.#hold(expression.destination, payloadSelector(expression, this.#packet), expression);
        break;
      case 'exthdr':
        this.#exthdr(expression);
        break;
      case 'fib':
        this.#fib(expression);
        break;
      case 'immediate':
        this.#immediate(expression);
        break;
      case 'bitwise':
        this.#bitwise(expression);
        break;
      case 'byteorder': {
        const held = this.#held.get(expression.source);
        if (held) this.#held.set(expression.destination, turned(held));
        break;
      }
      case 'cmp':
        this.#compare(expression);
        break;
      case 'range': {
        const { selector } = this.#selector(expression.source);
        const from = printValue(bytesFromHex(expression.from), selector.type);
        const to = printValue(bytesFromHex(expression.to), selector.type);
        const not = expression.op === 'neq' ? '!= ' : '';
        this.#say(`${selector.text} ${not}${from}-${to}`);
        break;
      }
      case 'lookup':
        this.#lookup(expression);
        break;
      default:
        this.#say(this.#statement(expression));
        break;
    }
  }

  finish(comment: string | null): string {
    this.#flush('');
    const text = this.#words.join(' ');
    return comment === null ? text : `${text} comment "${comment}"`;
  }

  #say(words: string): void {
    this.#flush(words);
    this.#words.push(words);
  }

  /** Words that were held back are said after all, unless what follows implies them. */
  #flush(next: string): void {
    for (const { word, prefixes } of this.#implied)
      if (!prefixes.some((prefix) => next.startsWith(prefix))) this.#words.push(word);
    this.#implied = [];
  }

  #hold(register: number, selector: Selector | null, expression: NftExpression): void {
    this.#held.set(
      register,
      selector
        ? { kind: 'selector', selector, mask: null }
        : { kind: 'text', text: netlinkForm(expression) },
    );
  }

  #selector(register: number): { selector: Selector; mask: Uint8Array | null } {
    const held = this.#held.get(register);
    if (held?.kind === 'selector') return held;
    const text = held?.kind === 'text' ? held.text : `reg ${register}`;
    return { selector: { text, type: 'hex' }, mask: null };
  }

  #exthdr(expression: Extract<NftExpression, { kind: 'exthdr' }>): void {
    const { protocol, type, flags, destination } = expression;
    const names: Record<number, string> = {
      2: 'maxseg',
      3: 'window',
      4: 'sack-perm',
      8: 'timestamp',
    };
    const text =
      protocol === 'tcpopt' ? `tcp option ${names[type] ?? type}` : `${protocol} option ${type}`;
    const selector: Selector =
      (flags & 1) !== 0
        ? { text, type: 'flag' }
        : { text: type === 2 ? `${text} size` : text, type: 'network-number' };
    this.#held.set(destination, { kind: 'selector', selector, mask: null });
  }

  #fib({ destination, result, flags }: Extract<NftExpression, { kind: 'fib' }>): void {
    const keys = [
      [1, 'saddr'],
      [2, 'daddr'],
      [4, 'mark'],
      [8, 'iif'],
      [16, 'oif'],
    ] as const;
    const named = keys.filter(([flag]) => (flags & flag) !== 0).map(([, name]) => name);
    const what = result === 3 ? 'type' : result === 2 ? 'oifname' : 'oif';
    const present = (flags & 32) !== 0;
    const type = present
      ? 'flag'
      : result === 3
        ? 'address-type'
        : result === 2
          ? 'name'
          : 'number';
    const selector: Selector = { text: `fib ${named.join(' . ')} ${what}`, type };
    this.#held.set(destination, { kind: 'selector', selector, mask: null });
  }

  #immediate({ destination, data }: Extract<NftExpression, { kind: 'immediate' }>): void {
    if ('verdict' in data) {
      this.#say(printVerdict(data.verdict));
      return;
    }
    if (destination !== 'verdict')
      this.#held.set(destination, { kind: 'value', bytes: bytesFromHex(data.value) });
  }

  #bitwise(expression: Extract<NftExpression, { kind: 'bitwise' }>): void {
    const { source, destination, op, mask, xor } = expression;
    const held = this.#held.get(source);
    const plain = op === 'mask-xor' && /^0*$/.test(xor ?? '') && mask !== null;
    if (held?.kind === 'selector' && plain)
      this.#held.set(destination, { ...held, mask: bytesFromHex(mask) });
    else this.#held.set(destination, { kind: 'text', text: netlinkForm(expression) });
  }

  #compare({ source, op, data }: Extract<NftExpression, { kind: 'cmp' }>): void {
    const { selector, mask } = this.#selector(source);
    const bytes = bytesFromHex(data);
    if (mask) {
      this.#say(masked(selector, mask, op, bytes));
      return;
    }
    const named = selector.type === 'interface' ? this.interfaceOf(fromLittleEndian(bytes)) : null;
    const value = named === null ? printValue(bytes, selector.type) : JSON.stringify(named);
    const words = `${selector.text} ${signs[op]}${value}`;
    if (op === 'gte') this.#from = { source, selector, value };
    const held = op === 'eq' && selector.implies ? this.#learn(selector, bytes) : null;
    if (!held) {
      this.#say(words);
      return;
    }
    this.#implied.push({ word: words, prefixes: held });
  }

  /** A lower bound and an upper one of the same bytes, as nft(8) writes a range. */
  #endsRange(
    from: { source: number; selector: Selector; value: string },
    { source, op, data }: Extract<NftExpression, { kind: 'cmp' }>,
  ): boolean {
    const { selector, mask } = this.#selector(source);
    if (op !== 'lte' || source !== from.source || selector !== from.selector || mask) return false;
    const to = printValue(bytesFromHex(data), selector.type);
    this.#words[this.#words.length - 1] = `${selector.text} ${from.value}-${to}`;
    return true;
  }

  /** What the packet is from here on, and with which words that goes without saying. */
  #learn({ implies, type }: Selector, bytes: Uint8Array): readonly string[] | null {
    if (implies === 'family') {
      const ipv4 = type === 'family' ? bytes[0] === 2 : bytes[0] === 8 && bytes[1] === 0;
      this.#packet.family = ipv4 ? 'ipv4' : 'ipv6';
      return ipv4 ? ['ip ', 'icmp '] : ['ip6 ', 'icmpv6 '];
    }
    this.#packet.protocol = bytes[0] ?? null;
    const name = printValue(bytes, 'protocol');
    return [`${name} `];
  }

  #lookup({ set, source, destination, invert }: Extract<NftExpression, { kind: 'lookup' }>): void {
    const found = this.setOf(set);
    const words = this.#keyWords(source, found);
    const types = words.map(({ type }) => type);
    const elements = found && set.startsWith('__') ? printSet(found, types) : `@${set}`;
    const key = words.map(({ text }) => text).join(' . ');
    if (destination === 'verdict') {
      this.#say(`${key} vmap ${elements}`);
      return;
    }
    if (destination === null) {
      this.#say(`${key} ${invert ? '!= ' : ''}${elements}`);
      return;
    }
    this.#held.set(destination, { kind: 'text', text: `${key} map ${elements}` });
  }

  /** The selectors that make up the key of a look-up. */
  #keyWords(source: number, set: NftSet | null): Selector[] {
    if (!set || set.fields.length === 0) return [this.#selector(source).selector];
    let word = source;
    return set.fields.map((length) => {
      const { selector } = this.#selector(word);
      word += (length + 3) >>> 2;
      return selector;
    });
  }

  /** A register's contents as the object of a statement. */
  #operand(register: number | null, type: Selector['type']): string {
    const held = register === null ? undefined : this.#held.get(register);
    if (!held) return register === null ? '' : `reg ${register}`;
    if (held.kind === 'value') return printValue(held.bytes, type);
    if (held.kind === 'text') return held.text;
    const mask = held.mask ? ` & 0x${hexFromBytes(held.mask)}` : '';
    return `${held.selector.text}${mask}`;
  }

  #statement(expression: NftExpression): string {
    switch (expression.kind) {
      case 'meta-set': {
        const selector = metaSelector(expression.key);
        return `${selector?.text ?? 'meta'} set ${this.#operand(expression.source, selector?.type ?? 'hex')}`;
      }
      case 'ct-set': {
        const selector = ctSelector(expression);
        return `${selector?.text ?? 'ct'} set ${this.#operand(expression.source, selector?.type ?? 'hex')}`;
      }
      case 'payload-set': {
        const selector = payloadSelector(expression, this.#packet);
        return `${selector.text} set ${this.#operand(expression.source, selector.type)}`;
      }
      case 'nat': {
        const target = this.#target(expression);
        const family =
          expression.family === null || expression.addressMin === null
            ? ''
            : expression.family === 'ipv4'
              ? ' ip'
              : ' ip6';
        return `${expression.type}${this.#packet.family === null ? family : ''} to ${target}`;
      }
      case 'masquerade':
      case 'redirect': {
        const port = this.#ports(expression);
        return port === '' ? expression.kind : `${expression.kind} to :${port}`;
      }
      case 'dynset': {
        const key = this.#keyWords(expression.key, this.setOf(expression.set)).map(
          ({ text }) => text,
        );
        const inner = expression.expressions.map((one) => ` ${this.#statement(one)}`).join('');
        return `${expression.op} @${expression.set} { ${key.join(' . ')}${inner} }`;
      }
      case 'reject':
        return printReject(expression, this.#packet.family);
      case 'queue':
        return `queue to ${expression.number}`;
      case 'tproxy':
        return `tproxy to ${this.#operand(expression.address, 'address')}${expression.port === null ? '' : `:${this.#operand(expression.port, 'network-number')}`}`;
      default:
        return plainStatement(expression);
    }
  }

  #target(expression: Extract<NftExpression, { kind: 'nat' }>): string {
    const { addressMin, addressMax } = expression;
    const from = this.#operand(addressMin, 'address');
    const to =
      addressMax === null || addressMax === addressMin ? '' : this.#operand(addressMax, 'address');
    const ports = this.#ports(expression);
    const address = to === '' || to === from ? from : `${from}-${to}`;
    if (ports === '') return address;
    return `${address.includes(':') ? `[${address}]` : address}:${ports}`;
  }

  #ports({ portMin, portMax }: { portMin: number | null; portMax: number | null }): string {
    const from = this.#operand(portMin, 'network-number');
    const to =
      portMax === null || portMax === portMin ? from : this.#operand(portMax, 'network-number');
    return from === to ? from : `${from}-${to}`;
  }
}

/** `ip saddr 10.0.0.0/8`, `ct state established,related`, `tcp flags & (syn|ack) == syn`. */
function masked(
  { text, type }: Selector,
  mask: Uint8Array,
  op: keyof typeof signs,
  bytes: Uint8Array,
): string {
  const zero = bytes.every((byte) => byte === 0);
  const length = prefixLengthOf(mask);
  if (isAddress(type) && length !== null)
    return `${text} ${signs[op]}${printValue(bytes, type)}/${length}`;
  if (isFlags(type) && zero && op === 'neq') return `${text} ${printValue(mask, type)}`;
  if (isFlags(type) && zero && op === 'eq') return `${text} ! ${printValue(mask, type)}`;
  return `${text} & ${printValue(mask, type)} ${op === 'eq' ? '== ' : signs[op]}${printValue(bytes, type)}`;
}
