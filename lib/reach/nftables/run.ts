import type { Hook, NftFamily } from '../../model/firewall.js';
import type { NftVerdict } from '../../model/ruleset.js';
import type { Host } from '../host.js';
import type { Frame } from './frame.js';
import type { PeerWatch } from './peer-watch.js';
import type { Registers } from './registers.js';
import type { CompiledRule } from './ruleset.js';

/**
 * What an expression makes of a packet:
 * - `continue`: on with the next expression
 * - `break`: the rule does not match, on with the next rule
 * - `may`: either of the two, by something that cannot be known
 * - `verdict`: it spoke one, see `Run.verdict`
 * - `unknown`: it may do anything to the packet
 */
export type Result = 'continue' | 'break' | 'may' | 'verdict' | 'unknown';

/** An expression made ready: mirrors `eval` of struct nft_expr_ops. */
export type Evaluate = (run: Run) => Result;

/** How a rule refuses a packet. */
export interface Refusal {
  readonly with: 'tcp-reset' | 'icmp';
  /** The ICMP code, of the packet's own family. */
  readonly code: number;
}

/** One packet in one base chain: what its expressions see and change. */
export interface Run {
  readonly host: Host;
  readonly frame: Frame;
  readonly hook: Hook;
  /** The family of the chain's table. */
  readonly family: NftFamily;
  readonly registers: Registers;
  verdict: NftVerdict;
  /** Set with a `drop` verdict of a reject. */
  refusal: Refusal | null;
  /** Sets, of nftables or of ipset, that packets of this flow have added to, or deleted from. */
  readonly touched: Set<object>;
  /** Notes what is asked of the peer's address; `null` where nobody wants to know. */
  readonly peer: PeerWatch<CompiledRule> | null;
  /** The rule makes something of the peer's address that is told by no range of addresses. */
  looksAtPeer(): void;
  /** One of several ways, none of which can be excluded. */
  choose(ways: number): number;
}
