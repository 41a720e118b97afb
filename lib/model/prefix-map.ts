import { type Address, bitsOf, maskAddress, type Prefix } from './address.js';

interface Node<T> extends Prefix {
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

  /** The value at exactly this prefix; made by `create` and kept where there is none yet. */
  at(prefix: Prefix, create: () => T): T {
    const node = this.#nodeAt(prefix);
    node.value ??= create();
    return node.value;
  }

  #nodeAt(prefix: Prefix): Node<T> {
    let parent: Node<T> | undefined;
    for (;;) {
      const node = parent ? childTowards(parent, prefix.address) : this.#root;
      const shared = node ? sharedLength(node, prefix) : 0;
      if (node && shared === node.length) {
        if (shared === prefix.length) return node;
        parent = node;
        continue;
      }
      const added = newNode<T>(node ? { ...prefix, length: shared } : prefix);
      if (node) adopt(added, node);
      if (parent) adopt(parent, added);
      else this.#root = added;
      if (!node || shared === prefix.length) return added;
      parent = added;
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
   * Writes the values whose prefix holds the address to the front of `found`, the shortest prefix
   * first, and returns how many they are. What stood behind them stays.
   */
  holding(address: Address, found: T[]): number {
    const bits = bitsOf(address.family);
    let count = 0;
    for (let node = this.#root; node; ) {
      const { length } = node;
      // What does not hold the address holds nothing below that does: that is found out there.
      if (node.value !== undefined) {
        if (commonBits(node.address, address) < length) break;
        found[count++] = node.value;
      }
      if (length === bits) break;
      node = childTowards(node, address);
    }
    return count;
  }
}

function newNode<T>({ address, length }: Prefix): Node<T> {
  const masked = maskAddress(address, length);
  return { address: masked, length, value: undefined, zero: undefined, one: undefined };
}

function adopt<T>(parent: Node<T>, child: Node<T>): void {
  if (bitAt(child.address, parent.length)) parent.one = child;
  else parent.zero = child;
}

function childTowards<T>(node: Node<T>, address: Address): Node<T> | undefined {
  return bitAt(address, node.length) ? node.one : node.zero;
}

/** How long the prefix is that holds both. */
function sharedLength(one: Prefix, other: Prefix): number {
  return Math.min(commonBits(one.address, other.address), one.length, other.length);
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
