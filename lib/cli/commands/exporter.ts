import type { ReadOptions } from '../../model/socket.js';
import { intervalArgument, netnsArgument } from '../arguments.js';
import type { Answer, Context } from '../context.js';
import { ExitStatus } from '../exit-status.js';
import { follow } from '../exporter/follow.js';
import { Holders } from '../exporter/holders.js';
import { listen, listenArgument, othersWhoAsk, urlHost } from '../exporter/listen.js';
import { Memory } from '../exporter/memory.js';
import type { Snapshot } from '../exporter/reading.js';
import { Scrapes } from '../exporter/scrapes.js';
import { metricsServer } from '../exporter/server.js';

export interface ExporterOptions {
  listen: string;
  interval: string;
  netns?: string;
}

/** `earshot exporter`: serves metrics until it is interrupted. */
export async function exporter(options: ExporterOptions, context: Context): Promise<Answer> {
  const at = listenArgument(options.listen);
  const intervalMs = intervalArgument(options.interval);
  const where: ReadOptions =
    options.netns === undefined ? {} : { netns: netnsArgument(options.netns) };
  const end = new AbortController();
  const stop = context.onInterrupt(() => end.abort());
  const note = (text: string): void => context.note(`earshot: ${text}\n`);
  const read = await reader(where);
  warnOfHidden(await read(), note); // and what can never be read fails here, not with each scrape

  const memory = new Memory();
  const scrapes = new Scrapes(memory, read, (error) => {
    if (error === null) note('the sockets are read again');
    else note(`the sockets cannot be read: ${error instanceof Error ? error.message : error}`);
  });
  const server = metricsServer(scrapes);
  const warning = await othersWhoAsk(at, context.services);
  try {
    await listen(server, at, context.services);
    if (warning !== null) note(warning);
    note(`metrics at http://${urlHost(at)}/metrics`);
    const watched = {
      ...where,
      intervalMs,
      filter: { state: ['listen' as const, 'unconnected' as const] },
      existing: true,
    };
    const watch = (signal: AbortSignal) => context.services.watch({ ...watched, signal });
    await follow(watch, memory, note, end.signal);
  } finally {
    stop();
    server.close();
    server.closeAllConnections();
  }
  return { text: '', status: ExitStatus.yes };
}

async function reader(where: ReadOptions): Promise<() => Promise<Snapshot>> {
  const { listeners, readListenCounters, socketTable } = await import('../library.js');
  const holders = new Holders();
  return async () => {
    const [{ columns }, waiting, counters] = await Promise.all([
      socketTable({}, where),
      holders.listeners((owners) => listeners({}, { ...where, owners })),
      readListenCounters(where),
    ]);
    return { columns, listeners: waiting, counters };
  };
}

function warnOfHidden({ listeners }: Snapshot, note: (text: string) => void): void {
  const hidden = listeners.filter(({ owners }) => owners?.length === 0).length;
  if (hidden === 0 || process.getuid?.() === 0) return;
  note(
    `the processes of ${hidden} of ${listeners.length} listeners are not shown to this user: run it as root to have them named`,
  );
}
