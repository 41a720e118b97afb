import type { Socket, Transport } from '../../model/socket.js';
import type { Exposure, Scope } from '../../reach/exposure-row.js';

/** A port that nobody here listens on, and that is forwarded elsewhere. */
export interface ForwardedPort {
  protocol: Transport;
  port: number;
  scope: Scope;
}

/** The farthest who reach each place, as the watcher last told. */
export class KnownScopes {
  readonly #listeners = new Map<string, Scope>();
  readonly #forwarded = new Map<string, ForwardedPort>();

  take({ endpoint, socket, scope, reach, blocked, unknown }: Exposure): void {
    const gone = reach.length + blocked.length + unknown.length === 0;
    if (socket) {
      if (gone) this.#listeners.delete(keyOf(socket));
      else this.#listeners.set(keyOf(socket), scope);
    } else {
      const key = `${endpoint.protocol} ${endpoint.port}`;
      if (gone) this.#forwarded.delete(key);
      else this.#forwarded.set(key, { ...endpoint, scope });
    }
  }

  /** `unknown` too while it has not been worked out. */
  of(socket: Socket): Scope {
    return this.#listeners.get(keyOf(socket)) ?? 'unknown';
  }

  forwarded(): ForwardedPort[] {
    return [...this.#forwarded.values()];
  }

  /** Nobody tells any more what is true. */
  forget(): void {
    this.#listeners.clear();
    this.#forwarded.clear();
  }
}

function keyOf({ protocol, family, local, boundInterface }: Socket): string {
  return `${protocol} ${family} ${local.address} ${local.port} ${boundInterface}`;
}
