/** The one port of churn.c to which its connections go. */
const SERVER_PORT = 20_000;

/**
 * How often something was told of the two sockets of the connections from one port. In arrays by port,
 * so that what is counted is no work for who collects garbage, which is measured too.
 */
export class Tally {
  /** @type {Record<'client' | 'server', Record<string, Uint32Array | undefined>>} */
  counts = {
    client: { opened: new Uint32Array(65536), closed: new Uint32Array(65536) },
    server: { opened: new Uint32Array(65536), closed: new Uint32Array(65536) },
  };

  /** @param {string} type @param {import('../../lib/index.js').Socket} socket */
  add(type, { local, remote, state }) {
    if (state === 'listen') return;
    const isServer = local.port === SERVER_PORT;
    const counts = (isServer ? this.counts.server : this.counts.client)[type];
    const port = isServer ? (remote?.port ?? 0) : local.port;
    if (counts) counts[port] = (counts[port] ?? 0) + 1;
  }

  /** @param {ReadonlyMap<number, number>} truth by port */
  differences(truth) {
    return Object.entries(this.counts).flatMap(([side, types]) =>
      Object.entries(types).map(([type, counts = new Uint32Array()]) => {
        let [told, lost, doubled] = [0, 0, 0];
        for (const [port, count] of counts.entries()) {
          told += count;
          const excess = count - (truth.get(port) ?? 0);
          if (excess < 0) lost -= excess;
          else doubled += excess;
        }
        return { what: `${side} ${type}`, told, lost, doubled };
      }),
    );
  }
}

/** @param {Iterable<number>} values */
export const sum = (values) => [...values].reduce((total, value) => total + value, 0);
