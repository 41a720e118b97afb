import { parentPort, workerData } from 'node:worker_threads';
import { EarshotError } from '../errors.js';
import type { Exposure } from '../reach/exposure-row.js';
import { type ExposureChange, ExposureChanges, type ExposureQuery } from './exposure-changes.js';

/*
 * Works out exposures beside the event loop of whoever watches. Asked with the cookies of listeners that
 * opened it looks again, and answers with what has changed since the last time, by pieces that are soon
 * taken in: the first at once, and each other one when it is asked for.
 */

/** What it is asked: to look again, or for the next piece. */
export type ExposureRequest = ReadonlySet<string> | 'more';

/** What is answered: errors cross as what an `EarshotError` is made of. */
export type ExposureAnswer =
  | {
      changes: ExposureChange[];
      /** Other pieces follow. */
      more: boolean;
      /** What the look took. */
      milliseconds: number;
    }
  | { error: { code: EarshotError['code'] | null; message: string } };

/** Rows in a piece: to take in one takes some tens of microseconds. */
const MOST_ROWS = 32;

const changes = new ExposureChanges(workerData as ExposureQuery);
let found: ExposureChange[] = [];
let told = 0;
let milliseconds = 0;

parentPort!.on('message', async (request: ExposureRequest) => {
  try {
    if (request !== 'more') await look(request);
    answer({ changes: piece(), more: told < found.length, milliseconds });
  } catch (error) {
    const code = error instanceof EarshotError ? error.code : null;
    const message = error instanceof Error ? error.message : String(error);
    answer({ error: { code, message } });
  }
});

function answer(what: ExposureAnswer): void {
  parentPort!.postMessage(what);
}

async function look(opened: ReadonlySet<string>): Promise<void> {
  const start = performance.now();
  found = await changes.look(opened);
  told = 0;
  milliseconds = performance.now() - start;
}

function piece(): ExposureChange[] {
  const start = told;
  for (let rows = 0; told < found.length && (told === start || rows < MOST_ROWS); told++) {
    const { exposure, was } = found[told]!;
    rows += rowsOf(exposure) + (was ? rowsOf(was) : 0);
  }
  return found.slice(start, told);
}

function rowsOf({ reach, blocked, unknown }: Exposure): number {
  return 1 + reach.length + blocked.length + unknown.length;
}
