import { once } from 'node:events';
import type { Server } from 'node:http';
import type { Endpoint, ReadOptions } from '../../model/socket.js';
import type { Watcher } from '../../watch/change.js';
import { netnsArgument } from '../arguments.js';
import type { Answer, Context } from '../context.js';
import { ExitStatus } from '../exit-status.js';
import { isLoopback, listenArgument } from '../exporter/listen.js';
import { Metrics } from '../exporter/metrics.js';
import { metricsServer } from '../exporter/server.js';
import { UsageError } from '../usage-error.js';
import { packageVersion } from '../version.js';

export interface ExporterOptions {
  listen: string;
  interval: string;
  netns?: string;
}

/** `earshot exporter`: serves metrics until SIGTERM or SIGINT. */
export async function exporter(options: ExporterOptions, context: Context): Promise<Answer> {
  const endpoint = listenArgument(options.listen);
  if (!/^\d{1,9}$/.test(options.interval)) {
    throw new UsageError(`--interval '${options.interval}' is not a number: give milliseconds`);
  }
  const where: ReadOptions =
    options.netns === undefined ? {} : { netns: netnsArgument(options.netns) };
  const { listeners, socketTable, watch } = await import('../library.js');
  const end = ended(); // before anybody is told that it serves
  const metrics = new Metrics(packageVersion());
  const server = metricsServer(metrics, async () => ({
    columns: (await socketTable({}, where)).columns,
    listeners: await listeners({}, { ...where, owners: true }),
  }));
  if (!isLoopback(endpoint.address)) await warn(endpoint, context);
  const there = new Set((await listeners({}, where)).map(({ cookie }) => cookie));
  const watcher = watch({
    ...where,
    filter: { state: ['listen', 'unconnected'] },
    intervalMs: Number(options.interval),
    existing: true,
  });
  try {
    await listen(server, endpoint);
    context.note(
      `earshot: metrics at http://${urlHost(endpoint.address)}:${endpoint.port}/metrics\n`,
    );
    await Promise.race([follow(watcher, metrics, there), end]);
  } finally {
    await watcher.close();
    server.close();
    server.closeAllConnections();
  }
  return { text: '', status: ExitStatus.yes };
}

/** `there` are the cookies of the listeners that were there before: the first word of them is no change. */
async function follow(
  watcher: Watcher,
  metrics: Metrics,
  there: ReadonlySet<string | null>,
): Promise<void> {
  let first = true;
  for await (const changes of watcher) {
    for (const change of changes) {
      if (change.type !== 'exposure-changed') continue;
      const { exposure, was } = change;
      const known = exposure.socket ? there.has(exposure.socket.cookie) : first;
      metrics.exposureChanged(change, was !== null || !known);
    }
    first = false;
  }
}

function ended(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => resolve());
  });
}

async function listen(server: Server, { address, port }: Endpoint): Promise<void> {
  server.listen({ host: address, port });
  try {
    await once(server, 'listening');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const at = `${urlHost(address)}:${port}`;
    throw new UsageError(
      `cannot listen at ${at} (${code}): 'earshot bind --reuse-address ${at}' tells why; give another with --listen`,
    );
  }
}

/** Who could ask, by earshot's own word. */
async function warn({ address, port }: Endpoint, { services, note }: Context): Promise<void> {
  const state = await services.capture({ owners: true, socketOptions: true });
  const bind = { protocol: 'tcp', address, port, reuseAddress: true } as const;
  const check = await services.checkBind(state, bind);
  const scope = check.exposure?.scope ?? 'unknown';
  const who = {
    nobody: 'nobody reaches it as things stand',
    host: 'only this host reaches it as things stand',
    link: 'directly connected peers reach it',
    routed: 'anyone routed here reaches it',
    unknown: 'who reaches it cannot be told',
  }[scope];
  note(
    `earshot: --listen ${urlHost(address)}:${port} is not loopback, and metrics name ports and programs: ${who}\n`,
  );
}

const urlHost = (address: string): string => (address.includes(':') ? `[${address}]` : address);
