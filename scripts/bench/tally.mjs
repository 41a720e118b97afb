/** The one port of churn.c to which its connections go. */
const SERVER_PORT = 20_000;

/** How often something was told of the two sockets of the connections from one port. */
export class Tally {
  /** @type {Record<string, Map<number, number>>} */
  counts = {
    'client opened': new Map(),
    'client closed': new Map(),
    'server opened': new Map(),
    'server closed': new Map(),
  };

  /** @param {string} type @param {import('../../lib/index.js').Socket} socket */
  add(type, { local, remote, state }) {
    if (state === 'listen') return;
    const [side, port] =
      local.port === SERVER_PORT ? ['server', remote?.port ?? 0] : ['client', local.port];
    const counts = this.counts[`${side} ${type}`];
    counts?.set(port, (counts.get(port) ?? 0) + 1);
  }

  /** @param {Map<number, number>} truth */
  differences(truth) {
    return Object.entries(this.counts).map(([what, counts]) => {
      let [lost, doubled] = [0, 0];
      for (const port of new Set([...truth.keys(), ...counts.keys()])) {
        const excess = (counts.get(port) ?? 0) - (truth.get(port) ?? 0);
        if (excess < 0) lost -= excess;
        else doubled += excess;
      }
      return { what, told: sum(counts.values()), lost, doubled };
    });
  }
}

/** @param {Iterable<number>} values */
export const sum = (values) => [...values].reduce((total, value) => total + value, 0);
