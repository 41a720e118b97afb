import { type Address, addressToBytes, formatAddress, sameAddress } from '../../model/address.js';
import { type AddressRange, addressToNumber } from '../../model/prefix-set.js';
import type { Audience } from './audience.js';
import type { PortWatch } from './port-watch.js';

/** Something was asked of the peer's address: all peers inside of these ranges, or all outside, get one answer. */
export interface PeerCondition {
  /** Names the ranges. */
  readonly key: string;
  /** In ascending order. */
  readonly ranges: readonly AddressRange[];
  /** On which side of them the watched peer is. */
  readonly inside: boolean;
}

/** A peer, its address in all the forms that it is asked for in: many of its flows are followed. */
export class Peer {
  readonly text: string;
  readonly bytes: Uint8Array;
  readonly number: bigint;

  constructor(readonly address: Address) {
    this.text = formatAddress(address);
    this.bytes = addressToBytes(address);
    this.number = addressToNumber(address);
  }
}

/**
 * What rules asked of a peer's address while one of its flows was followed. Whoever meets the same
 * conditions takes the same way through the rules: one flow stands for all of these.
 */
export class PeerWatch<Rule> {
  /** The rule that made something of the address that is not told by ranges; `null` for none. */
  blurredBy: Rule | null = null;
  readonly #conditions: PeerCondition[] = [];
  readonly #asked = new Set<string>();

  constructor(
    readonly peer: Peer,
    /** What is asked of the port that the peer asks for; `null` where nobody wants to know. */
    readonly port: PortWatch | null = null,
    /** All whom the peer may stand for; `null` where that is not told. */
    readonly audience: Audience | null = null,
  ) {}

  get bytes(): Uint8Array {
    return this.peer.bytes;
  }

  get number(): bigint {
    return this.peer.number;
  }

  /** The conditions, up to where the address was blurred. */
  get conditions(): readonly PeerCondition[] {
    return this.#conditions;
  }

  isPeer(address: Address): boolean {
    const own = this.peer.address;
    return address === own || (address.family === own.family && sameAddress(address, own));
  }

  /** `key` names the ranges, which are worked out once. */
  asks(key: string, ranges: () => readonly AddressRange[], inside: boolean): void {
    if (this.blurredBy !== null) return;
    if (this.#asked.has(key)) return;
    this.#asked.add(key);
    this.#conditions.push({ key, ranges: ranges(), inside });
  }

  blur(rule: Rule): void {
    this.blurredBy ??= rule;
  }
}
