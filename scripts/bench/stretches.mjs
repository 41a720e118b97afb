/** How long each stretch took, when it began and when it ended: kept so that nothing is garbage. */
export class Stretches {
  #numbers = new Float64Array(3 * 500_000);
  #length = 0;

  /** @param {number} ms @param {number} from @param {number} to */
  add(ms, from, to) {
    // What finds no room is an error (RangeError): the longest might be among it.
    this.#numbers.set([ms, from, to], this.#length);
    this.#length += 3;
  }

  all() {
    return Array.from({ length: this.#length / 3 }, (_, at) => {
      const [ms = 0, from = 0, to = 0] = this.#numbers.subarray(3 * at, 3 * at + 3);
      return { ms, from, to };
    });
  }
}
