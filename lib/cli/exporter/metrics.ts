import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { Socket } from '../../model/socket.js';
import type { Exposure, Scope } from '../../reach/exposure-row.js';
import { TCP_STATES, UDP_STATES } from '../library.js';

/** The columns that are counted: no record is made of a socket. */
export interface CountedColumns {
  protocol: Uint8Array;
  family: Uint8Array;
  state: Uint8Array;
}

/** What one scrape reads. */
export interface Snapshot {
  columns: CountedColumns;
  listeners: readonly Socket[];
}

/** Of so many listeners at most each has series of its own; the rest are counted. */
export const MOST_LISTENERS = 1000;

const PLACE = ['protocol', 'family', 'address', 'port', 'interface', 'process'] as const;
const STATES = 16; // more than the kernel's TCP_MAX_STATES

/** Everything that `earshot exporter` tells, under names by Prometheus' conventions. */
export class Metrics {
  readonly #registry = new Registry();
  readonly #scopes = new Map<string, Scope>();
  readonly #sockets = this.#gauge('sockets', 'Sockets of TCP and UDP by state.', [
    ...['protocol', 'family', 'state'],
  ]);
  readonly #listeners = this.#gauge(
    'listener_sockets',
    'Sockets that wait for peers at one place; scope is the farthest who get in: nobody, host, link, routed, or unknown.',
    [...PLACE, 'scope'],
  );
  readonly #length = this.#gauge(
    'listener_accept_queue_length',
    'Connections that wait for accept(), in the fullest queue of the place.',
    [...PLACE],
  );
  readonly #limit = this.#gauge(
    'listener_accept_queue_limit',
    'Connections that may wait for accept() in that queue.',
    [...PLACE],
  );
  readonly #omitted = this.#gauge(
    'listeners_omitted',
    `Places beyond the first ${MOST_LISTENERS}, which have no series of their own.`,
    [],
  );
  readonly #changes = new Counter({
    name: 'earshot_exposure_changes_total',
    help: 'Changes of who reaches a listener, by the farthest who did before (none: it is new) and who do now.',
    labelNames: ['was', 'scope'],
    registers: [this.#registry],
  });
  readonly #errors = new Counter({
    name: 'earshot_read_errors_total',
    help: 'Scrapes for which the sockets could not be read.',
    registers: [this.#registry],
  });
  readonly #duration = new Histogram({
    name: 'earshot_read_duration_seconds',
    help: 'Time to read the sockets and their processes for a scrape.',
    buckets: [0.001, 0.005, 0.025, 0.1, 0.5, 2.5, 10],
    registers: [this.#registry],
  });

  constructor(version: string) {
    this.#gauge('build_info', 'Always 1, with the versions.', ['version', 'node']).set(
      { version, node: process.version },
      1,
    );
  }

  /** An `exposure-changed` of the watcher; what was there when it began is not counted as a change. */
  exposureChanged(
    { exposure, was }: { exposure: Exposure; was: Exposure | null },
    counted: boolean,
  ) {
    const { socket } = exposure;
    if (socket) {
      const gone = exposure.reach.length + exposure.blocked.length + exposure.unknown.length === 0;
      if (gone) this.#scopes.delete(placeKey(socket));
      else this.#scopes.set(placeKey(socket), exposure.scope);
    }
    if (counted) this.#changes.inc({ was: was?.scope ?? 'none', scope: exposure.scope });
  }

  failed(): void {
    this.#errors.inc();
  }

  observe({ columns, listeners }: Snapshot, seconds: number): void {
    this.#duration.observe(seconds);
    this.#count(columns);
    const places = new Map<string, Socket[]>();
    for (const socket of listeners) {
      const key = JSON.stringify(labelsOf(socket));
      const there = places.get(key);
      if (there) there.push(socket);
      else places.set(key, [socket]);
    }
    this.#omitted.set(Math.max(0, places.size - MOST_LISTENERS));
    for (const gauge of [this.#listeners, this.#length, this.#limit]) gauge.reset();
    for (const there of [...places.values()].slice(0, MOST_LISTENERS)) {
      const labels = labelsOf(there[0]!);
      const scope = this.#scopes.get(placeKey(there[0]!)) ?? 'unknown';
      this.#listeners.set({ ...labels, scope }, there.length);
      const queues = there.flatMap(({ backlog }) => backlog ?? []);
      const [fullest] = queues.sort((one, other) => fill(other) - fill(one));
      if (!fullest) continue;
      this.#length.set(labels, fullest.length);
      this.#limit.set(labels, fullest.limit);
    }
  }

  /** As OpenMetrics 1.0.0, or as text 0.0.4, with its content type. */
  async text(openMetrics: boolean): Promise<{ type: string; body: string }> {
    const type = openMetrics ? Registry.OPENMETRICS_CONTENT_TYPE : Registry.PROMETHEUS_CONTENT_TYPE;
    (this.#registry as { setContentType(type: string): void }).setContentType(type);
    return { type, body: await this.#registry.metrics() };
  }

  #count({ protocol, family, state }: CountedColumns): void {
    const counts = new Uint32Array(4 * STATES);
    for (let row = 0; row < state.length; row++) {
      const group = (protocol[row] === 6 ? 0 : 2) + (family[row] === 4 ? 0 : 1);
      counts[group * STATES + state[row]!]! += 1;
    }
    for (let group = 0; group < 4; group++) {
      const names = group < 2 ? TCP_STATES : UDP_STATES;
      const labels = {
        protocol: group < 2 ? 'tcp' : 'udp',
        family: group % 2 === 0 ? 'ipv4' : 'ipv6',
      };
      names.forEach((name, number) => {
        if (name) this.#sockets.set({ ...labels, state: name }, counts[group * STATES + number]!);
      });
    }
  }

  #gauge(name: string, help: string, labelNames: string[]): Gauge {
    return new Gauge({ name: `earshot_${name}`, help, labelNames, registers: [this.#registry] });
  }
}

function labelsOf({ protocol, family, local, boundInterface, owners }: Socket) {
  const names = [...new Set((owners ?? []).map(({ name }) => name))].sort();
  return {
    ...{ protocol, family, address: local.address, port: local.port },
    ...{ interface: boundInterface ?? '', process: names[0] ?? '' },
  };
}

function placeKey({ protocol, family, local, boundInterface }: Socket): string {
  return `${protocol} ${family} ${local.address} ${local.port} ${boundInterface}`;
}

const fill = ({ length, limit }: { length: number; limit: number }): number =>
  length / Math.max(1, limit);
