import type { ListenCounters } from '../../kernel/listen-counters.js';
import type { Family, Socket, Transport } from '../../model/socket.js';
import type { Scope } from '../../reach/exposure-row.js';
import { SCOPES } from './change-counts.js';
import type { Memory } from './memory.js';
import type { Choice } from './places.js';
import { type CountedColumns, countSockets, type SocketCount } from './socket-counts.js';

/** What is read of the kernel for one scrape. */
export interface Snapshot {
  columns: CountedColumns;
  listeners: readonly Socket[];
  counters: ListenCounters;
}

/** One reading, which all who asked meanwhile share. It is not changed any more. */
export interface Reading {
  /** `null` where it could not be read. */
  facts: {
    sockets: SocketCount[];
    scopes: { protocol: Transport; family: Family; scope: Scope; count: number }[];
    withoutProcess: number;
    choice: Choice;
    counters: ListenCounters;
  } | null;
}

/** What a snapshot says, with what the watcher has told. */
export function readingOf(snapshot: Snapshot, memory: Memory): Reading {
  const { columns, listeners, counters } = snapshot;
  const scopeOf = (socket: Socket): Scope => memory.scopes.of(socket);
  return {
    facts: {
      sockets: countSockets(columns),
      scopes: countScopes(listeners, scopeOf),
      withoutProcess: listeners.filter(({ owners }) => owners?.length === 0).length,
      choice: memory.places.choose(listeners, scopeOf, counters.pickedPorts, performance.now()),
      counters,
    },
  };
}

function countScopes(listeners: readonly Socket[], scopeOf: (socket: Socket) => Scope) {
  const counts = new Map<string, number>();
  for (const socket of listeners) {
    const key = `${socket.protocol} ${socket.family} ${scopeOf(socket)}`;
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  const protocols: Transport[] = ['tcp', 'udp'];
  const families: Family[] = ['ipv4', 'ipv6'];
  return protocols.flatMap((protocol) =>
    families.flatMap((family) =>
      SCOPES.map((scope) => {
        const count = counts.get(`${protocol} ${family} ${scope}`) ?? 0;
        return { protocol, family, scope, count };
      }),
    ),
  );
}
