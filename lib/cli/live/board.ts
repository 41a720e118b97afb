import type { Socket } from '../../model/socket.js';
import type { Exposure } from '../../reach/exposure-row.js';
import type { Change } from '../../watch/change.js';
import { type Row, rowsOf } from '../render/rows.js';

/** What a live display knows: gathered from changes, one after the other. */
export class Board {
  /** The last changes, the newest last. */
  readonly recent: Change[] = [];
  readonly #exposures = new Map<string, Exposure>();
  readonly #connections = new Map<string, number>();
  #rows: Row[] | null = null;

  take(changes: readonly Change[]): void {
    for (const change of changes) this.#takeOne(change);
  }

  /** The ports that somebody waits on, the widest exposed first. */
  get rows(): readonly Row[] {
    this.#rows ??= rowsOf([...this.#exposures.values()]);
    return this.#rows;
  }

  /** How many connections a port has. */
  connectionsOf({ protocol, port }: Row): number {
    return this.#connections.get(`${protocol} ${port}`) ?? 0;
  }

  get connections(): number {
    let all = 0;
    for (const count of this.#connections.values()) all += count;
    return all;
  }

  #takeOne(change: Change): void {
    switch (change.type) {
      case 'opened':
        this.#count(change.socket, change.socket.state, 1);
        break;
      case 'closed':
        this.#count(change.socket, change.socket.state, -1);
        break;
      case 'changed':
        this.#count(
          { ...change.socket, ...change.was },
          change.was.state ?? change.socket.state,
          -1,
        );
        this.#count(change.socket, change.socket.state, 1);
        break;
      case 'exposure-changed':
        this.#expose(change.exposure);
        this.#note(change);
        break;
      case 'network-changed':
      case 'missed':
        this.#note(change);
        break;
    }
  }

  #count({ protocol, local }: Socket, state: string, by: number): void {
    if (state !== 'established') return;
    const key = `${protocol} ${local.port}`;
    const count = (this.#connections.get(key) ?? 0) + by;
    if (count > 0) this.#connections.set(key, count);
    else this.#connections.delete(key);
  }

  #expose(exposure: Exposure): void {
    const { endpoint, socket, reach, blocked, unknown } = exposure;
    const at = `${socket?.family} ${socket?.local.address} ${socket?.boundInterface}`;
    const key = `${endpoint.protocol} ${endpoint.port} ${at}`;
    // One that has gone reaches nobody, and is not kept from anybody either.
    if (reach.length + blocked.length + unknown.length === 0) this.#exposures.delete(key);
    else this.#exposures.set(key, exposure);
    this.#rows = null;
  }

  #note(change: Change): void {
    this.recent.push(change);
    if (this.recent.length > 3) this.recent.shift();
  }
}
