import type { AddressRange } from '../../model/prefix-set.js';
import type { Family } from '../../model/socket.js';
import type { PortQuestion } from './port-watch.js';

/** Sources that a rule asks for before it does anything: from any other it does nothing. */
export interface Sources {
  readonly family: Family;
  readonly ranges: readonly AddressRange[];
}

/** Lists of rules of one index, sorted by the port that is asked for. */
export interface RulesByPort extends PortQuestion {
  answer(port: number): Int32Array;
}

/** What each rule of an index asks of a source, by its place; `undefined` for nothing. */
export type SourcesOf = (place: number) => readonly Sources[] | undefined;

const nobody = new Int32Array(0);

/**
 * All peers behind one interface: rules that none of them can meet need not be held against their
 * packets, and ports which only such rules tell apart are alike.
 */
export class Audience {
  readonly #heard = new Map<Int32Array, Int32Array>();
  readonly #questions = new Map<RulesByPort, PortQuestion>();

  /** `ranges`: who they are, in ascending order, joined. */
  constructor(
    readonly family: Family,
    readonly ranges: readonly AddressRange[],
  ) {}

  /** Of a list of rules those that somebody may meet; for one list always the same. */
  heed(list: Int32Array, sourcesOf: SourcesOf): Int32Array {
    const known = this.#heard.get(list);
    if (known) return known;
    const left = list.filter((place) => this.#mayMeet(sourcesOf(place)));
    const heeded = left.length === list.length ? list : left.length === 0 ? nobody : left;
    this.#heard.set(list, heeded);
    return heeded;
  }

  /** Which rules somebody may meet who asks for a port; for one list of rules always the same question. */
  question(rules: RulesByPort, sourcesOf: SourcesOf): PortQuestion {
    const known = this.#questions.get(rules);
    if (known) return known;
    const question = { answer: (port: number) => this.heed(rules.answer(port), sourcesOf) };
    this.#questions.set(rules, question);
    return question;
  }

  #mayMeet(asked: readonly Sources[] | undefined): boolean {
    return (
      asked?.every(
        ({ family, ranges }) =>
          family !== this.family || ranges.some((range) => this.#holdsAnyOf(range)),
      ) ?? true
    );
  }

  #holdsAnyOf({ first, last }: AddressRange): boolean {
    let low = 0;
    let high = this.ranges.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.ranges[middle]!.last < first) low = middle + 1;
      else high = middle;
    }
    return low < this.ranges.length && this.ranges[low]!.first <= last;
  }
}
