import { Worker } from 'node:worker_threads';
import { EarshotError } from '../errors.js';
import type { CheckedOptions } from '../kernel/read-options.js';
import type { ReadOptions, SocketFilter } from '../model/socket.js';
import type { Exposure } from '../reach/exposure-row.js';
import type { Change } from './change.js';
import { listenersIn } from './changes.js';
import type { ExposureChange, ExposureQuery } from './exposure-changes.js';
import type { ExposureAnswer, ExposureRequest } from './exposure-worker.js';

/** Changes come in flocks: who reaches what is asked when it has been quiet for so long, … */
const QUIET = 50;
/** … or has not been for so long, … */
const LONGEST_WAIT = 1000;
/** … and, for what nobody is told of, so often. All in milliseconds. */
const PERIOD = 10_000;
/** The processor's time is for others mostly: so many times as long as the last look took it rests. */
const REST = 4;

interface Asked {
  read: CheckedOptions;
  filter: SocketFilter;
  existing: boolean;
}

interface Told {
  changed(): void;
  failed(error: unknown): void;
}

/** Asks the worker who reaches the listeners, whenever that may be different. */
export class Exposures {
  readonly #told: Told;
  readonly #opened = new Set<string>();
  /** What nobody has taken yet, by endpoint. */
  #changes = new Map<string, ExposureChange>();
  #worker: Worker | null = null;
  #closed = false;
  #looking = true;
  /** When something first gave cause to look again. */
  #cause: number | null = null;
  #mayLook = 0;
  #timer: NodeJS.Timeout | null = null;

  constructor(asked: Asked, told: Told) {
    this.#told = told;
    // To make a thread takes milliseconds, and so does what watch() does before.
    setImmediate(() => this.#start(queryOf(asked)));
  }

  /** Something has changed that may change who reaches whom. */
  consider(changes: readonly Change[]): void {
    for (const { cookie } of listenersIn(changes.filter(({ type }) => type === 'opened'))) {
      if (cookie !== null) this.#opened.add(cookie);
    }
    this.#cause ??= performance.now();
    this.#schedule();
  }

  /** What is different since this was last asked. */
  take(): Change[] {
    const changes = [...this.#changes.values()];
    this.#changes = new Map(); // what a cleared map held may last until all garbage is collected
    return changes.map((change) => ({ type: 'exposure-changed', ...change }));
  }

  async close(): Promise<void> {
    this.#closed = true;
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = null;
    this.#worker?.ref(); // or the process might end before this has settled
    await this.#worker?.terminate();
  }

  #start(query: ExposureQuery): void {
    if (this.#closed) return;
    const worker = new Worker(new URL('./exposure-worker.js', import.meta.url), {
      workerData: query,
      execArgv: [],
    });
    worker.on('message', (answer: ExposureAnswer) => this.#answered(answer));
    worker.on('error', (error) => this.#told.failed(error));
    worker.unref(); // after on(), which makes it count again
    this.#worker = worker;
    this.#look();
  }

  #look(): void {
    this.#looking = true;
    this.#cause = null;
    this.#ask(this.#opened);
    this.#opened.clear();
  }

  #ask(request: ExposureRequest): void {
    if (!this.#closed) this.#worker?.postMessage(request);
  }

  #answered(answer: ExposureAnswer): void {
    if ('error' in answer) {
      const { code, message } = answer.error;
      this.#told.failed(code === null ? new Error(message) : new EarshotError(code, message));
      return;
    }
    this.#merge(answer.changes);
    if (answer.more) {
      // Others have their turn of the event loop between two pieces.
      setImmediate(() => this.#ask('more'));
    } else {
      this.#looking = false;
      this.#mayLook = performance.now() + REST * answer.milliseconds;
      this.#schedule();
    }
    if (this.#changes.size > 0) this.#told.changed();
  }

  /** Of what nobody has taken yet, what was stays what was told last. */
  #merge(changes: readonly ExposureChange[]): void {
    for (const change of changes) {
      const key = endpointOf(change.exposure);
      const before = this.#changes.get(key);
      const was = before ? before.was : change.was;
      // Who came and went meanwhile makes no difference.
      if (was === null && isGone(change.exposure)) this.#changes.delete(key);
      else if (before) before.exposure = change.exposure;
      else this.#changes.set(key, change);
    }
  }

  #schedule(): void {
    if (this.#looking || this.#closed) return;
    if (this.#timer) clearTimeout(this.#timer);
    const now = performance.now();
    const wait = this.#cause === null ? PERIOD : Math.min(QUIET, this.#cause + LONGEST_WAIT - now);
    this.#timer = setTimeout(() => this.#look(), Math.max(0, wait, this.#mayLook - now));
    this.#timer.unref();
  }
}

function queryOf({ read, filter, existing }: Asked): ExposureQuery {
  const options: ReadOptions = { source: read.source };
  if (read.netns !== null) options.netns = read.netns;
  const { state: _, ...listeners } = filter;
  return { read: options, filter: listeners, existing };
}

function isGone({ reach, blocked, unknown }: Exposure): boolean {
  return reach.length + blocked.length + unknown.length === 0;
}

function endpointOf({ endpoint, socket }: Exposure): string {
  const { protocol, port } = endpoint;
  return `${protocol} ${port} ${socket?.local.address} ${socket?.boundInterface}`;
}
