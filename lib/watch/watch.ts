import { setImmediate as turn } from 'node:timers/promises';
import { readOwners } from '../kernel/owners.js';
import { type NativeWatch, native, type WatchBatch } from '../native.js';
import type { Change, Watcher, WatchOptions } from './change.js';
import { changesOf, type HeldBefore, listenersIn } from './changes.js';
import { Exposures } from './exposures.js';
import { type CheckedWatch, checkWatchOptions } from './options.js';

/**
 * Tells what changes: sockets that open, close and change state, the network, and who reaches the
 * listeners. The kernel is polled on a thread of its own, and only what is different is handed over.
 *
 * What is promised. Everything is told once that happens to a listener or to the network after `watch()` has returned, and
 * to any other socket after `ready` has settled, some milliseconds later: it walks the kernel's table of
 * connections first, and what opens meanwhile counts as having been there. Of what happens between two polls the
 * outcome is told, not each step: a socket that changed its state twice has changed once. A TCP connection or UDP socket that
 * opened and closed between two polls is told as both, by the kernel's word of its end, unless the filter
 * has `state`, `uid`, `mark` or `cgroup`, which that does not tell; a listener that did so is not, a connection that
 * was refused is not, and one that was reset is only if its descriptor was closed within ten seconds.
 *
 * Who reads slowly is told the difference when they read again: nothing piles up but the word of sockets
 * that opened and closed meanwhile, at most 16,384 of them; more are told as `missed`. While nobody
 * reads, nobody polls.
 *
 * `exposure-changed` follows a change of the network or of a listener a moment later. What the kernel
 * tells nobody (legacy iptables, ipsets, some settings) is noticed within ten seconds. A change of
 * nftables can only be heard with CAP_NET_ADMIN.
 *
 * @throws EarshotError `ERR_INVALID_ARGUMENT` for an option that is not of its form, and
 *   `ERR_UNSUPPORTED_PLATFORM` or `ERR_NO_BINARY` where there is no kernel to ask; `next()` rejects with
 *   `ERR_NETNS`, `ERR_PERMISSION` or `ERR_KERNEL` where it refuses
 * @example
 * ```js
 * import { createServer } from 'node:net';
 * import { watch } from 'earshot';
 * const watcher = watch({ filter: { protocol: 'tcp' }, intervalMs: 50 });
 * const server = createServer().listen(0);
 * for await (const changes of watcher) {
 *   for (const change of changes) {
 *     if (change.type === 'opened') console.log(change.socket.state, change.socket.local);
 *     if (change.type === 'exposure-changed') console.log(change.exposure.scope);
 *   }
 *   break; // closes it
 * }
 * server.close();
 * ```
 */
export function watch(options?: WatchOptions): Watcher {
  return new SocketWatcher(checkWatchOptions(options));
}

type Result = IteratorResult<Change[], undefined>;
type Waiter = { resolve(result: Result): void; reject(error: unknown): void };

class SocketWatcher implements Watcher {
  readonly ready: Promise<void>;
  readonly #owners: boolean;
  readonly #native: NativeWatch;
  readonly #exposures: Exposures | null;
  readonly #signal: AbortSignal | null;
  readonly #heldBefore: HeldBefore = new Map();
  #waiters: Waiter[] = [];
  /** What has come while nobody waited: one batch at most, for the next is not asked for before. */
  #ready: Change[] = [];
  /** The native side has been asked. */
  #asking = false;
  #keeps = true;
  #closed = false;
  #closing: Promise<void> | null = null;
  #failure: { error: unknown } | null = null;

  constructor({ query, read, filter, signal, exposure }: CheckedWatch) {
    this.#owners = read.owners ?? false;
    this.#native = native.startWatch(query);
    this.ready = this.#native.ready;
    this.#exposures = exposure
      ? new Exposures(
          { read, filter, existing: query.existing },
          {
            changed: () => this.#handOver(),
            failed: (error) => this.#fail(error),
          },
        )
      : null;
    this.#signal = signal;
    if (signal?.aborted) this.#abort();
    else signal?.addEventListener('abort', this.#abort);
  }

  [Symbol.asyncIterator](): Watcher {
    return this;
  }

  next(): Promise<Result> {
    return new Promise((resolve, reject) => {
      this.#waiters.push({ resolve, reject });
      this.#handOver();
    });
  }

  async return(): Promise<Result> {
    await this.close();
    return { done: true, value: undefined };
  }

  close(): Promise<void> {
    this.#closing ??= this.#end();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  ref(): this {
    this.#keeps = true;
    this.#updateRef();
    return this;
  }

  unref(): this {
    this.#keeps = false;
    this.#updateRef();
    return this;
  }

  readonly #abort = (): void => {
    void this.close();
  };

  async #end(): Promise<void> {
    this.#closed = true;
    this.#signal?.removeEventListener('abort', this.#abort);
    this.#ready = [];
    this.#handOver();
    await Promise.all([this.#native.close(), this.#exposures?.close()]);
    this.#heldBefore.clear();
  }

  /** Gives what there is to who waits, and asks for more where there is nothing. */
  #handOver(): void {
    while (this.#waiters.length > 0) {
      if (this.#failure) {
        const { error } = this.#failure;
        this.#failure = null;
        this.#waiters.shift()!.reject(error);
      } else if (this.#closed) {
        this.#waiters.shift()!.resolve({ done: true, value: undefined });
      } else {
        const changes = [...this.#ready, ...(this.#exposures?.take() ?? [])];
        this.#ready = [];
        if (changes.length === 0) break;
        this.#waiters.shift()!.resolve({ done: false, value: changes });
      }
    }
    if (this.#waiters.length > 0 && !this.#asking && !this.#closed) void this.#ask();
    this.#updateRef();
  }

  #updateRef(): void {
    this.#native.setRef(this.#keeps && this.#waiters.length > 0);
  }

  async #ask(): Promise<void> {
    this.#asking = true;
    try {
      // Where there is much to tell, others have their turn of the event loop between two batches.
      await turn();
      const batch = await this.#native.next();
      if (batch === null) return;
      const changes = await this.#changesOf(batch);
      if (!this.#closed) this.#ready = changes;
    } catch (error) {
      this.#fail(error);
    } finally {
      this.#asking = false;
    }
    this.#handOver();
  }

  async #changesOf(batch: WatchBatch): Promise<Change[]> {
    const { inode } = batch.columns;
    // Who has gone is held by nobody.
    const holders = this.#owners ? await readOwners(inode.subarray(batch.closed)) : null;
    const changes = changesOf(batch, holders, this.#heldBefore);
    const listeners = listenersIn(changes);
    if (listeners.length > 0 || batch.network !== 0) this.#exposures?.consider(changes);
    return changes;
  }

  #fail(error: unknown): void {
    if (this.#closed) return;
    this.#failure = { error };
    void this.close();
  }
}
