/**
 * Reads that share some of the processors: so many are under way at a time, and the others wait,
 * first come, first served. Each keeps a processor busy, in the kernel or in JavaScript.
 */
export class Turns {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  constructor(atOnce: number) {
    this.#free = atOnce;
  }

  /** Calls `read` when it is its turn, which lasts until what it gives has settled. */
  async take<Value>(read: () => Promise<Value>): Promise<Value> {
    if (this.#free > 0) this.#free--;
    else await new Promise<void>((turn) => this.#waiting.push(turn));
    try {
      return await read();
    } finally {
      const next = this.#waiting.shift();
      if (next) next();
      else this.#free++;
    }
  }
}
