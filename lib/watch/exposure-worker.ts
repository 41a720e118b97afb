import { parentPort, workerData } from 'node:worker_threads';
import { EarshotError } from '../errors.js';
import { ExposureChanges, type ExposureQuery } from './exposure-changes.js';

/*
 * Works out exposures beside the event loop of whoever watches: for each message, the cookies of
 * listeners that opened, what has changed since the last.
 */

/** What is answered: errors cross as what an `EarshotError` is made of. */
export type ExposureAnswer =
  | { changes: Awaited<ReturnType<ExposureChanges['look']>>; milliseconds: number }
  | { error: { code: EarshotError['code'] | null; message: string } };

const changes = new ExposureChanges(workerData as ExposureQuery);
parentPort!.on('message', async (opened: ReadonlySet<string>) => {
  let answer: ExposureAnswer;
  const start = performance.now();
  try {
    answer = { changes: await changes.look(opened), milliseconds: performance.now() - start };
  } catch (error) {
    const code = error instanceof EarshotError ? error.code : null;
    const message = error instanceof Error ? error.message : String(error);
    answer = { error: { code, message } };
  }
  parentPort!.postMessage(answer);
});
