import { Histogram } from 'prom-client';
import { ChangeCounts } from './change-counts.js';
import { KnownScopes } from './known-scopes.js';
import { Places } from './places.js';

/** What lives from one scrape to the next: counts since the start, and what the watcher has told. */
export class Memory {
  readonly scopes = new KnownScopes();
  readonly changes = new ChangeCounts();
  readonly places = new Places();
  readonly readDuration = new Histogram({
    name: 'earshot_read_duration_seconds',
    help: 'Time to read the sockets and their processes for a scrape.',
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
    registers: [],
  });
  readErrors = 0;
  watchUp = false;
  watchFailures = 0;
}
