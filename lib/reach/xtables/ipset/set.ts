import {
  type Address,
  maskAddress,
  type Prefix,
  parseAddress,
  parsePrefix,
} from '../../../model/address.js';
import type { IpSet } from '../../../model/ipset.js';
import type { AddressRange } from '../../../model/prefix-set.js';
import { type Element, peersFound } from './set-peers.js';

/** What a packet is held against the set by, field by field. */
export type Key =
  | { readonly kind: 'address'; readonly address: Address }
  | { readonly kind: 'port'; readonly protocol: number; readonly port: number }
  | { readonly kind: 'interface'; readonly name: string };

/** What a set says of a key: it has it, it has it as `nomatch`, it has it not. */
export type Found = 'match' | 'nomatch' | 'nothing';

export const fieldKinds = ['ip', 'net', 'port', 'iface'] as const;
export type FieldKind = (typeof fieldKinds)[number];

interface Wildcard {
  readonly prefix: string;
  readonly found: Found;
}

/** Elements that are alike but for the prefix of their network. */
type ByLength = Map<number, Map<string, Found>>;

const protocols: Readonly<Record<string, number>> = {
  icmp: 1,
  tcp: 6,
  udp: 17,
  icmpv6: 58,
  'ipv6-icmp': 58,
  sctp: 132,
  udplite: 136,
};

/**
 * The elements of a set, ready to be asked. Networks of one length lie in one map: the longest that
 * holds an address decides (mtype_test_cidrs in ip_set_hash_gen.h).
 */
export class SetIndex {
  readonly #elements: ByLength = new Map();
  /** By the text of the network: interfaces of which the beginning counts. */
  readonly #wildcards = new Map<string, Wildcard[]>();
  readonly #lengths: readonly number[];
  readonly #network: number;
  readonly #hasProtocol: boolean;
  readonly #netmask: number | null;
  readonly #whole: number;
  /** All elements by their port, '' where they have none. */
  readonly #byPort = new Map<string, Element[]>();
  readonly #peers = new Map<string, readonly AddressRange[]>();

  constructor(set: IpSet, fields: readonly FieldKind[]) {
    this.#network = fields.indexOf('net');
    this.#hasProtocol = set.type !== 'bitmap:port';
    this.#netmask = set.netmask;
    this.#whole = set.family === 'ipv6' ? 128 : 32;
    for (const element of set.elements) this.#add(element, fields);
    this.#lengths = [...this.#elements.keys()].sort((one, other) => other - one);
  }

  find(keys: readonly Key[]): Found {
    const texts = keys.map((key, place) => (place === this.#network ? '' : this.#textOf(key)));
    const network = keys[this.#network];
    for (const length of this.#lengths) {
      if (network?.kind === 'address')
        texts[this.#network] = wordsOf(maskAddress(network.address, length));
      const text = texts.join();
      const found = this.#elements.get(length)!.get(text) ?? this.#byBeginning(texts, length);
      if (found) return found;
    }
    return 'nothing';
  }

  /** The addresses that are found so, put into a key at the place of one; and a name for these. */
  peersLike(
    keys: readonly Key[],
    place: number,
    found: Found,
  ): { name: string; ranges: () => readonly AddressRange[] } {
    const texts = keys.map((key) => this.#textOf(key));
    const rest = texts.map((text, at) => (at === place ? '' : text)).join();
    const name = `${place} ${found} ${rest}`;
    const ranges = () => {
      const known = this.#peers.get(name);
      if (known) return known;
      const port = texts[keys.findIndex(({ kind }) => kind === 'port')] ?? '';
      const made = peersFound(this.#byPort.get(port) ?? [], keys, texts, place, found);
      this.#peers.set(name, made);
      return made;
    };
    return { name, ranges };
  }

  #byBeginning(texts: readonly string[], length: number): Found | undefined {
    if (this.#wildcards.size === 0) return undefined;
    const name = texts.at(-1)!;
    const all = this.#wildcards.get(`${length} ${texts.slice(0, -1).join()}`);
    return all?.find(({ prefix }) => name.startsWith(prefix))?.found;
  }

  #textOf(key: Key): string {
    switch (key.kind) {
      case 'address':
        return wordsOf(
          this.#netmask === null ? key.address : maskAddress(key.address, this.#netmask),
        );
      case 'port':
        return this.#hasProtocol ? `${key.protocol}:${key.port}` : String(key.port);
      case 'interface':
        return key.name;
    }
  }

  #add(element: string, fields: readonly FieldKind[]): void {
    const [value, ...words] = element.split(' ');
    const parts = value!.split(',');
    if (parts.length !== fields.length) return;
    let length = this.#whole;
    const texts: string[] = [];
    const values: (Prefix | string)[] = [];
    let port = '';
    for (const [place, field] of fields.entries()) {
      const part = parts[place]!;
      if (field === 'net') {
        const prefix = parsePrefix(part.includes('/') ? part : `${part}/${this.#whole}`);
        if (!prefix) return;
        length = prefix.length;
        texts.push(wordsOf(prefix.address));
        values.push(prefix);
      } else if (field === 'ip') {
        const address = parseAddress(part);
        if (!address) return;
        texts.push(this.#textOf({ kind: 'address', address }));
        const counting = this.#netmask ?? this.#whole;
        values.push({ address: maskAddress(address, counting), length: counting });
      } else {
        const text = field === 'port' ? portText(part) : part;
        texts.push(text);
        values.push(text);
        if (field === 'port') port = text;
      }
    }
    const found = words.includes('nomatch') ? 'nomatch' : 'match';
    const samePort = this.#byPort.get(port) ?? [];
    this.#byPort.set(port, samePort);
    samePort.push({ fields: values, found, isWildcard: words.includes('wildcard') });
    const known = this.#elements.get(length) ?? new Map<string, Found>();
    this.#elements.set(length, known);
    if (!words.includes('wildcard')) {
      known.set(texts.join(), found);
      return;
    }
    const prefix = texts.pop()!;
    const key = `${length} ${texts.join()}`;
    this.#wildcards.set(key, [...(this.#wildcards.get(key) ?? []), { prefix, found }]);
  }
}

/** `tcp:80` with its protocol's number, `80` as it is. */
function portText(part: string): string {
  const [name, port] = part.split(':') as [string, string | undefined];
  return port === undefined ? name : `${protocols[name] ?? name}:${port}`;
}

function wordsOf({ family, a, b, c, d }: Address): string {
  return family === 'ipv4' ? String(a) : `${a} ${b} ${c} ${d}`;
}
