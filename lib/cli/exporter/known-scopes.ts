import type { Socket } from '../../model/socket.js';
import type { Exposure, Scope } from '../../reach/exposure-row.js';

/** The farthest who reach each place, as the watcher last told. */
export class KnownScopes {
  readonly #scopes = new Map<string, Scope>();

  take({ socket, scope, reach, blocked, unknown }: Exposure): void {
    if (socket === null) return; // no place of this host
    const gone = reach.length + blocked.length + unknown.length === 0;
    if (gone) this.#scopes.delete(keyOf(socket));
    else this.#scopes.set(keyOf(socket), scope);
  }

  /** `unknown` too while it has not been worked out. */
  of(socket: Socket): Scope {
    return this.#scopes.get(keyOf(socket)) ?? 'unknown';
  }

  /** Nobody tells any more what is true. */
  forget(): void {
    this.#scopes.clear();
  }
}

function keyOf({ protocol, family, local, boundInterface }: Socket): string {
  return `${protocol} ${family} ${local.address} ${local.port} ${boundInterface}`;
}
