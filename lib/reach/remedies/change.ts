import type { HostState } from '../../model/host-state.js';
import type { Socket } from '../../model/socket.js';
import type { Flow } from '../flow.js';
import type { Host } from '../host.js';
import type { Followed } from '../trace.js';

/** A socket that its program opens in another way; for whoever carries a change out. */
export interface Move {
  /** The one that is closed; `null` where another one is opened beside it. */
  readonly from: Socket | null;
  /** The one that is opened; `null` where the program is stopped. */
  readonly to: Socket | null;
}

/** One change to a host: what a person would do, and what that makes of the state. */
export interface Change {
  /** What to do, as a sentence without its full stop. */
  readonly what: string;
  /** What to type for it; `null` where that depends on the program. */
  readonly command: string | null;
  /** The smaller, the less it changes or opens. */
  readonly weight: number;
  /** Offered only where nothing else of its kind works. */
  readonly fallback?: true;
  /** It takes a moment until it holds: no server can be started right behind it. */
  readonly settles?: true;
  /** The change is one of a program. */
  readonly move?: Move;
  /** The state with the change; the old one stays as it is. */
  apply(state: HostState): HostState;
}

/** A flow that fails on a host, as far as it gets. */
export interface Failing {
  readonly host: Host;
  readonly state: HostState;
  readonly flow: Flow;
  readonly followed: Followed;
  /** Whom rules are to let in, or keep out: CIDR texts; `null` for everybody. */
  readonly peers: readonly string[] | null;
}
