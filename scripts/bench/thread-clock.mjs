import { openSync, readSync } from 'node:fs';

const NEWLINE_OR_SPACE = 0x20;
const ZERO = 0x30;

/**
 * For how long the main thread of this process has run, in milliseconds (proc_pid_schedstat). Reading it
 * leaves nothing for who collects garbage, so that it can be read all the time while that is measured.
 */
export class ThreadClock {
  #file = openSync(`/proc/self/task/${process.pid}/schedstat`, 'r');
  #bytes = Buffer.alloc(64);

  now() {
    const length = readSync(this.#file, this.#bytes, 0, this.#bytes.length, 0);
    let nanoseconds = 0;
    for (let at = 0; at < length; at++) {
      const byte = this.#bytes[at] ?? NEWLINE_OR_SPACE;
      if (byte <= NEWLINE_OR_SPACE) break;
      nanoseconds = 10 * nanoseconds + (byte - ZERO);
    }
    return nanoseconds / 1e6;
  }
}
