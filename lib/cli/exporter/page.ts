import { Counter, Gauge, Registry, type RegistryContentType } from 'prom-client';
import { packageVersion } from '../version.js';
import type { Memory } from './memory.js';
import { MOST_PLACES, type Place } from './places.js';
import { processFacts } from './process-facts.js';
import type { Reading } from './reading.js';

/** The forms that metrics have. */
export type Form = 'openmetrics' | 'text';

/** With version and character set, as the Content-Type of an answer. */
export const contentTypes: Readonly<Record<Form, RegistryContentType>> = {
  openmetrics: Registry.OPENMETRICS_CONTENT_TYPE,
  text: Registry.PROMETHEUS_CONTENT_TYPE,
};

const PLACE: readonly (keyof Place['labels'])[] = [
  ...(['protocol', 'family', 'address', 'port', 'interface'] as const),
];

/**
 * Everything that `earshot exporter` tells, under names by Prometheus' conventions. Each page has metrics
 * of its own: prom-client names a counter anew when it writes it as OpenMetrics, and while it writes one
 * page the next scrape may set other values.
 */
export function page(reading: Reading, memory: Memory, form: Form): Promise<string> {
  const writer = new Writer(form);
  aboutItself(writer, reading, memory);
  aboutChanges(writer, memory);
  if (reading.facts) aboutSockets(writer, reading.facts);
  return writer.text();
}

function aboutItself(writer: Writer, reading: Reading, memory: Memory): void {
  writer.gauge('earshot_build_info', 'Always 1, with the versions of earshot and of Node.', [
    [{ version: packageVersion(), node: process.version }, 1],
  ]);
  writer.gauge('earshot_read_up', 'Could the sockets be read for this scrape (1) or not (0)?', [
    [{}, reading.facts ? 1 : 0],
  ]);
  writer.counter('earshot_read_errors_total', 'Scrapes for which the sockets could not be read.', [
    [{}, memory.readErrors],
  ]);
  writer.registry.registerMetric(memory.readDuration);
  writer.gauge(
    'earshot_watch_up',
    'Is it watched who reaches the listeners (1)? While it is not (0), every scope is unknown and no change is counted.',
    [[{}, memory.watchUp ? 1 : 0]],
  );
  writer.counter(
    'earshot_watch_failures_total',
    'How often watching has failed; it is begun anew.',
    [[{}, memory.watchFailures]],
  );
  for (const { kind, name, help, value } of processFacts()) {
    writer[kind](name, help, [[{}, value]]);
  }
}

function aboutChanges(writer: Writer, { changes }: Memory): void {
  writer.counter(
    'earshot_exposure_changes_total',
    'Changes of who reaches a listener, by the farthest who did before (none: it is new) and who do now; the same where other peers of that distance do.',
    Array.from(changes.changes.values(), ({ was, scope, count }) => [{ was, scope }, count]),
  );
  writer.counter(
    'earshot_exposure_widened_total',
    'Changes by which somebody reaches a listener who did not, by the farthest who do now.',
    Array.from(changes.widened, ([scope, count]) => [{ scope }, count]),
  );
  writer.counter(
    'earshot_exposure_narrowed_total',
    'Changes by which somebody reaches a listener no more, by the farthest who did before.',
    Array.from(changes.narrowed, ([scope, count]) => [{ scope }, count]),
  );
}

function aboutSockets(writer: Writer, facts: NonNullable<Reading['facts']>): void {
  const { sockets, scopes, withoutProcess, choice, counters } = facts;
  const { shown, omitted } = choice;
  writer.gauge(
    'earshot_sockets',
    'Sockets of TCP and UDP by state.',
    sockets.map(({ count, ...labels }) => [labels, count]),
  );
  writer.gauge(
    'earshot_listeners',
    'Sockets that wait for peers, by the farthest who get in: nobody, host, link, routed, or unknown.',
    scopes.map(({ count, ...labels }) => [labels, count]),
  );
  writer.gauge(
    'earshot_listeners_without_process',
    "Sockets that wait for peers whose process cannot be seen: another user's, or none.",
    [[{}, withoutProcess]],
  );
  writer.gauge(
    'earshot_listener_sockets',
    'Sockets that wait for peers at one place, with the programs that hold them (as of a minute ago at most) and the farthest who get in.',
    shown.map(({ labels, process, scope, sockets }) => [{ ...labels, process, scope }, sockets]),
    [...PLACE, 'process', 'scope'],
  );
  const queues = shown.flatMap(({ labels, queue }) => (queue ? [{ labels, queue }] : []));
  writer.gauge(
    'earshot_listener_accept_queue_length',
    'Connections that wait for accept(), in the fullest queue of the place.',
    queues.map(({ labels, queue }) => [labels, queue.length]),
    PLACE,
  );
  writer.gauge(
    'earshot_listener_accept_queue_limit',
    'Connections that may wait for accept() in that queue.',
    queues.map(({ labels, queue }) => [labels, queue.limit]),
    PLACE,
  );
  writer.gauge(
    'earshot_places_omitted',
    `Places without series of their own: beyond the first ${MOST_PLACES} (limit), or a port that the kernel picked less than a minute ago (young).`,
    [
      [{ reason: 'limit' }, omitted.limit],
      [{ reason: 'young' }, omitted.young],
    ],
  );
  const { overflows, drops } = counters;
  if (overflows !== null) {
    writer.counter(
      'earshot_tcp_listen_overflows_total',
      'Handshakes that met a full accept queue, in the network namespace.',
      [[{}, overflows]],
    );
  }
  if (drops !== null) {
    writer.counter(
      'earshot_tcp_listen_drops_total',
      'Handshakes that listeners dropped, for a full accept queue or another cause.',
      [[{}, drops]],
    );
  }
}

type Series = readonly (readonly [labels: Record<string, string | number>, value: number])[];

/** A registry of one form, and what is put into it. */
class Writer {
  readonly registry = new Registry<RegistryContentType>();

  constructor(form: Form) {
    this.registry.setContentType(contentTypes[form]);
  }

  gauge(name: string, help: string, series: Series, labels = labelsOf(series)): void {
    const gauge = new Gauge({ ...this.#described(name, help), labelNames: [...labels] });
    for (const [labels, value] of series) gauge.set(labels, value);
  }

  counter(name: string, help: string, series: Series, labels = labelsOf(series)): void {
    const counter = new Counter({ ...this.#described(name, help), labelNames: [...labels] });
    for (const [labels, value] of series) counter.inc(labels, value);
  }

  text(): Promise<string> {
    return this.registry.metrics();
  }

  #described(name: string, help: string) {
    return { name, help, registers: [this.registry] };
  }
}

const labelsOf = (series: Series): readonly string[] => Object.keys(series[0]?.[0] ?? {});
