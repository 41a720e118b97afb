import { PerformanceObserver } from 'node:perf_hooks';
import { setTimeout } from 'node:timers/promises';
import { Stretches } from './stretches.mjs';
import { threadClock } from './thread-clock.mjs';

/** The event loop is not to be held up for longer, in milliseconds. */
export const MOST_WORK = 5;

/** Shorter stretches are not kept, in milliseconds: a look at the clock is one, too. */
const WORTH_TELLING = 0.1;

/**
 * For how long this thread is at work without a turn of its event loop. It looks at the thread's clock
 * whenever a timer of a millisecond fires, which is once in a turn at most: what was done between two
 * looks is never less than the longest stretch of it. Other programs make none of that longer, but
 * for the interrupts that this kernel counts as work of whom they interrupt.
 */
export class LoopWork {
  #stretches = new Stretches();
  /** @type {{ from: number, ms: number }[]} */
  #collections = [];
  #observer = new PerformanceObserver((list) => {
    for (const { startTime, duration } of list.getEntries())
      this.#collections.push({ from: startTime, ms: duration });
  });
  #begun = performance.now();
  #from = this.#begun;
  #worked = threadClock();
  #timer = setInterval(() => this.#look(), 1);

  constructor() {
    this.#observer.observe({ entryTypes: ['gc'] });
  }

  #look() {
    const [until, time] = [performance.now(), threadClock()];
    if (time - this.#worked > WORTH_TELLING) {
      this.#stretches.add(time - this.#worked, this.#from, until);
    }
    [this.#from, this.#worked] = [until, time];
  }

  /** What was done since the last look is not what is measured. */
  skip() {
    [this.#from, this.#worked] = [performance.now(), threadClock()];
  }

  /** What was made until now is collected, and is not taken for garbage of what is measured. */
  async settle() {
    globalThis.gc?.();
    await setTimeout(100);
    this.skip();
  }

  end() {
    clearInterval(this.#timer);
    this.#observer.disconnect();
  }

  /** The stretches from a moment on until another, in milliseconds, the longest last. */
  between(from = 0, to = Number.POSITIVE_INFINITY) {
    const within = this.#stretches.all().filter((one) => one.from >= from && one.from < to);
    return within.sort((one, other) => one.ms - other.ms);
  }

  /** The last of them in words. @param {ReturnType<LoopWork['between']>} stretches */
  longest(stretches) {
    const told = stretches.slice(-5).map(({ ms, from, to }) => {
      const within = this.#collections.filter((gc) => gc.from >= from && gc.from < to);
      const gc = within.reduce((all, one) => all + one.ms, 0);
      const at = ((from - this.#begun) / 1000).toFixed(0);
      return `${ms.toFixed(2)} ms (${gc.toFixed(2)} of garbage collection by the clock) ${at} s after the start`;
    });
    return told.reverse().join(', ');
  }
}
