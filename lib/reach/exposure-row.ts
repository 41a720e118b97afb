import type { Socket, Transport } from '../model/socket.js';
import type { Assumption, Cause, Symptom, Verdict } from './verdict.js';

/**
 * The farthest who get in: nobody, this host, directly connected peers, anyone routed to it;
 * `unknown` where what could not be read or evaluated may let in somebody farther off.
 */
export type Scope = 'nobody' | 'host' | 'link' | 'routed' | 'unknown';

/** Changes that make a blocked flow work, with the verdict on a copy of the state that proves it. */
export interface Remedy {
  /** What to change, in one sentence without its full stop. */
  summary: string;
  /** The line to type for it, for sh(1); `null` where no line does all of it. */
  command: string | null;
  /**
   * The flow's verdict on the changed state: `reachable`; or `unknown`, with the cause `forwarded`, where it
   * is let through to somebody else, whose answer gets back.
   */
  proof: Verdict;
}

/** Peers that get in by one interface to one address. */
export interface Reach {
  /** Where their packets arrive. */
  interface: string;
  /** The address that they connect to, canonical text. */
  address: string;
  /** The port that they connect to. */
  port: number;
  /** CIDR texts: exactly who; this host itself is its own addresses, by interface `lo`. */
  peers: string[];
  /** What to type into a browser or a client; `null` where no peer could use one. */
  url: string | null;
  /**
   * ADDRESS:PORT that rules send the flow on to, or `null` where it ends here. This host lets it, its
   * answer and what follows through; whether somebody there answers is known there alone.
   */
  forwardedTo: string | null;
}

/** Peers that do not get in by one interface to one address, all for one cause. */
export interface Blocked {
  /** Where their packets arrive. */
  interface: string;
  /** The address that they try, canonical text. */
  address: string;
  /** CIDR texts: exactly who. */
  peers: string[];
  /** Why they fail, or why that cannot be told. */
  cause: Cause;
  /** What their program sees; `null` where that cannot be told. */
  symptom: Symptom | null;
  /** What would let all of them in, each proved; evaluated when it is first asked for. */
  remedies: Remedy[];
}

/** Peers whose fate cannot be told, at one door. */
export interface Untold extends Blocked, Reach {
  /** See `Verdict.assuming`: how they would fare if the unread part let them pass. */
  assuming: Assumption | null;
}

/** Who reaches one listening socket, by which interface and address; and who does not, and why. */
export interface Exposure {
  /** The port that peers ask for. */
  endpoint: { protocol: Transport; port: number };
  /**
   * `null`: nobody here listens, the port is forwarded elsewhere. Of a port that nobody stands on, and
   * rules redirect to this host, who takes it.
   */
  socket: Socket | null;
  /** The farthest who get in. */
  scope: Scope;
  /** Peers that get in. */
  reach: Reach[];
  /** Peers that surely do not get in. */
  blocked: Blocked[];
  /** Peers whose fate cannot be told from what was read; the cause says what would tell. */
  unknown: Untold[];
}
