import { createRequire } from 'node:module';
import { inRoot } from '../support/paths.mjs';

/**
 * For how many milliseconds the calling thread has run (native/thread-clock.c, compiled before). Asking it
 * leaves next to nothing for who collects garbage, so that it can be asked all the time while that is measured.
 *
 * @type {() => number}
 */
export const threadClock = createRequire(import.meta.url)(
  inRoot('build/bench/thread-clock.node'),
).now;
