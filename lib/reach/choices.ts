import type { Cause, Stage } from './verdict.js';

/** A fork in a packet's life: something that cannot be known decides which way it goes on. */
interface Fork {
  taken: number;
  readonly ways: number;
  readonly stage: Stage;
  /** What decides there. */
  readonly cause: () => Cause;
}

/** More ways than this through a host, and what they agree on is not asked any more. */
const mostWays = 128;

/**
 * Every way a flow may take through rules that depend on what cannot be known: a rate, a random
 * number, the time. The flow is followed once for each way, depth first; each run asks at the same
 * forks in the same order, and `next` says what the following run shall answer.
 */
export class Choices {
  readonly #forks: Fork[] = [];
  #position = 0;
  #runs = 1;

  /** Which of so many ways this run takes, counted from zero. */
  choose(ways: number, stage: Stage, cause: () => Cause): number {
    const known = this.#forks[this.#position];
    if (!known) this.#forks.push({ taken: 0, ways, stage, cause });
    this.#position++;
    return known?.taken ?? 0;
  }

  /**
   * Turns to the next way, and says at which fork it leaves the one before; `null` when all were
   * taken. `exhausted` where there are too many: then nothing is certain.
   */
  next(): { stage: Stage; cause: () => Cause; exhausted: boolean } | null {
    this.#position = 0;
    while (this.#forks.length > 0) {
      const last = this.#forks.at(-1)!;
      if (last.taken + 1 < last.ways) {
        last.taken++;
        const exhausted = ++this.#runs > mostWays;
        const { stage, cause } = exhausted ? this.#forks[0]! : last;
        return { stage, cause, exhausted };
      }
      this.#forks.pop();
    }
    return null;
  }
}
