import type { ReadOptions, Socket, SocketFilter } from '../model/socket.js';
import type { Exposure } from '../reach/exposure-row.js';

/** What of the network has changed. */
export type NetworkChange = 'interfaces' | 'addresses' | 'routes' | 'rules' | 'firewall';

/** One thing that is different from what was told before. */
export type Change =
  /**
   * A socket that the filter lets through has come, or has gone: with `state: 'established'` in the
   * filter also when it enters and leaves that state. One that opened and closed between two polls is
   * told as both, in the state `closed`, without inode and user, which the kernel does not tell then.
   */
  | { type: 'opened' | 'closed'; socket: Socket }
  /** Its state, an end, its device, its holder or an option has; `was` has what is different now. */
  | { type: 'changed'; socket: Socket; was: Partial<Socket> }
  /** By rtnetlink(7) and nftables; several changes of a kind may be told once. */
  | { type: 'network-changed'; what: NetworkChange }
  /**
   * Somebody new can reach a listener, or no longer can. `was` is `null` for one that is new; one that
   * has gone has the scope `nobody` and reaches nobody. Its rows have no `remedies`: ask `exposure`.
   * `existing` is set, to true, on what was so already when it was first looked.
   */
  | { type: 'exposure-changed'; exposure: Exposure; was: Exposure | null; existing?: true }
  /**
   * The kernel told of more ends of sockets than could be taken in: some that opened and closed between
   * two polls may not have been told. What is open is told nonetheless.
   */
  | { type: 'missed'; what: 'sockets' };

/** What to watch, and how. */
export interface WatchOptions extends ReadOptions {
  /** Which sockets, and the exposure of which listeners. Default: all. */
  filter?: SocketFilter;
  /** Milliseconds from one poll to the next, 10 to 86,400,000. Default 1000. */
  intervalMs?: number;
  /** Closes the watcher. */
  signal?: AbortSignal;
  /** Also tell what is there already, first, as `opened` and `exposure-changed`. Default false. */
  existing?: boolean;
  /** Tell `exposure-changed`: who reaches a listener is worked out in a worker thread. Default true. */
  exposure?: boolean;
}

/** Changes as they happen: `for await (const changes of watch()) …`. */
export interface Watcher extends AsyncIterable<Change[]>, AsyncDisposable {
  /**
   * The next changes, as soon as there are some; done when it is closed. Rejects with an
   * `EarshotError` when it cannot go on, and is closed then.
   */
  next(): Promise<IteratorResult<Change[], undefined>>;
  /** Leaving the loop closes it too. */
  return(): Promise<IteratorResult<Change[], undefined>>;
  /**
   * Settles when the first look at the sockets is done: what opens from then on is told. Also when it is
   * closed before; it never rejects.
   */
  readonly ready: Promise<void>;
  /** Itself: two loops over one watcher share what it tells. */
  [Symbol.asyncIterator](): Watcher;
  /** Ends it; settles when its thread has ended and nothing is left open. */
  close(): Promise<void>;
  /** Whoever waits for changes keeps the process running: so it is unless `unref()` was called. */
  ref(): this;
  /** Lets the process end while somebody waits for changes. */
  unref(): this;
}
