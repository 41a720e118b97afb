import type { Memory } from './memory.js';
import { type Form, page } from './page.js';
import { type Reading, readingOf, type Snapshot } from './reading.js';

/** Gives pages. Who asks while the kernel is being read shares what is read, and its page. */
export class Scrapes {
  readonly #memory: Memory;
  readonly #read: () => Promise<Snapshot>;
  /** Told when reading begins to fail, and with `null` when it succeeds again. */
  readonly #failing: (error: unknown) => void;
  #failed = false;
  #under: Promise<(form: Form) => Promise<string>> | null = null;

  constructor(
    memory: Memory,
    read: () => Promise<Snapshot>,
    failing: (error: unknown | null) => void,
  ) {
    this.#memory = memory;
    this.#read = read;
    this.#failing = failing;
  }

  async page(form: Form): Promise<string> {
    this.#under ??= this.#pages().finally(() => {
      this.#under = null;
    });
    return (await this.#under)(form);
  }

  async #pages(): Promise<(form: Form) => Promise<string>> {
    const reading = await this.#reading();
    const pages = new Map<Form, Promise<string>>();
    return (form) => {
      const made = pages.get(form) ?? page(reading, this.#memory, form);
      pages.set(form, made);
      return made;
    };
  }

  async #reading(): Promise<Reading> {
    const start = performance.now();
    try {
      const snapshot = await this.#read();
      this.#memory.readDuration.observe((performance.now() - start) / 1000);
      if (this.#failed) this.#failing(null);
      this.#failed = false;
      return readingOf(snapshot, this.#memory);
    } catch (error) {
      this.#memory.readErrors += 1;
      if (!this.#failed) this.#failing(error);
      this.#failed = true;
      return { facts: null };
    }
  }
}
