import type { Process, Socket } from '../../model/socket.js';

/** The processes of a socket that stays may change: it is looked again so often. Milliseconds. */
const LASTS = 60_000;

/**
 * Who holds which listener. To find that out every descriptor of the host is looked at, which takes longer
 * than to read its sockets: it is done when there is a listener that was not there before, and now and then.
 */
export class Holders {
  #known = new Map<string, Process[]>();
  #until = Number.NEGATIVE_INFINITY;

  /** The listeners with their processes; `read` reads them without or with these. */
  async listeners(
    read: (owners: boolean) => Promise<Socket[]>,
    now = performance.now(),
  ): Promise<Socket[]> {
    if (now < this.#until) {
      const sockets = await read(false);
      if (sockets.every(({ cookie }) => cookie !== null && this.#known.has(cookie))) {
        return sockets.map((socket) => ({ ...socket, owners: this.#known.get(socket.cookie!)! }));
      }
    }
    const sockets = await read(true);
    this.#until = now + LASTS;
    this.#known = new Map(
      sockets.flatMap(({ cookie, owners = [] }) => (cookie === null ? [] : [[cookie, owners]])),
    );
    return sockets;
  }
}
