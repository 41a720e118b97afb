import { type Address, bitsOf, maskAddress, type Prefix } from './address.js';

interface Node<T> {
  readonly prefix: Prefix;
  value: T | undefined;
  zero: Node<T> | undefined;
  one: Node<T> | undefined;
}

/**
 * Values by prefix of one family, for longest-prefix matching: a path-compressed binary trie, so
 * that a look-up costs the few nodes on the way and allocates nothing.
 */
export class PrefixMap<T> {
  #root: Node<T> | undefined;
  readonly #found: Node<T>[] = [];

  /** The value at exactly this prefix; made by `create` and kept where there is none yet. */
  at(prefix: Prefix, create: () => T): T {
    let place: { get(): Node<T> | undefined; set(node: Node<T>): void } = {
      get: () => this.#root,
      set: (node) => {
        this.#root = node;
      },
    };
    for (;;) {
      const node = place.get();
      if (!node) {
        const leaf = newNode<T>(prefix, create());
        place.set(leaf);
        return leaf.value as T;
      }
      const shared = Math.min(
        commonBits(node.prefix.address, prefix.address),
        node.prefix.length,
        prefix.length,
      );
      if (shared === node.prefix.length && shared === prefix.length) {
        node.value ??= create();
        return node.value;
      }
      if (shared < node.prefix.length) {
        const parent = newNode<T>(
          { address: maskAddress(prefix.address, shared), length: shared },
          undefined,
        );
        if (bitAt(node.prefix.address, shared)) parent.one = node;
        else parent.zero = node;
        place.set(parent);
        if (shared === prefix.length) {
          parent.value = create();
          return parent.value;
        }
        place = childOf(parent, bitAt(prefix.address, shared));
        continue;
      }
      place = childOf(node, bitAt(prefix.address, shared));
    }
  }

  /** Visits every value, in no promised order. */
  each(visit: (value: T) => void): void {
    const open: (Node<T> | undefined)[] = [this.#root];
    while (open.length > 0) {
      const node = open.pop();
      if (!node) continue;
      if (node.value !== undefined) visit(node.value);
      open.push(node.zero, node.one);
    }
  }

  /**
   * Offers the values whose prefix holds the address, the longest prefix first, until `accept`
   * returns something other than undefined, and returns that.
   */
  longest<R>(address: Address, accept: (value: T, length: number) => R | undefined): R | undefined {
    const bits = bitsOf(address.family);
    let count = 0;
    for (let node = this.#root; node; ) {
      const { prefix } = node;
      if (commonBits(prefix.address, address) < prefix.length) break;
      if (node.value !== undefined) this.#found[count++] = node;
      if (prefix.length === bits) break;
      node = bitAt(address, prefix.length) ? node.one : node.zero;
    }
    while (count > 0) {
      const node = this.#found[--count] as Node<T>;
      const result = accept(node.value as T, node.prefix.length);
      if (result !== undefined) return result;
    }
    return undefined;
  }
}

function newNode<T>(prefix: Prefix, value: T | undefined): Node<T> {
  return { prefix, value, zero: undefined, one: undefined };
}

function childOf<T>(parent: Node<T>, bit: number) {
  return {
    get: () => (bit ? parent.one : parent.zero),
    set: (node: Node<T>) => {
      if (bit) parent.one = node;
      else parent.zero = node;
    },
  };
}

/** How many leading bits two addresses share; for IPv4 at least 32 means all. */
function commonBits(one: Address, other: Address): number {
  let difference = one.a ^ other.a;
  if (difference !== 0) return Math.clz32(difference);
  difference = one.b ^ other.b;
  if (difference !== 0) return 32 + Math.clz32(difference);
  difference = one.c ^ other.c;
  if (difference !== 0) return 64 + Math.clz32(difference);
  return 96 + Math.clz32(one.d ^ other.d);
}

function bitAt(address: Address, index: number): number {
  const word = index < 32 ? address.a : index < 64 ? address.b : index < 96 ? address.c : address.d;
  return (word >>> (31 - (index & 31))) & 1;
}
