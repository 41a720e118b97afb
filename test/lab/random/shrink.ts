import type { Held } from './judge.js';
import type { LinkSpec, Scenario } from './scenario.js';

/** Does a scenario still show what is looked for? */
export type StillShows = (scenario: Scenario) => Promise<Held | null>;

/** The smallest scenario that was found, and what it shows. */
export interface Shrunken {
  scenario: Scenario;
  held: Held;
}

/**
 * Takes away, greedily, whatever is not needed for the disagreement: other flows, lines for ip(8),
 * settings, listeners, interfaces, peers and what is behind them. Ends early when the time is over.
 */
export async function shrink(
  start: Shrunken,
  shows: StillShows,
  budgetMs: number,
): Promise<Shrunken> {
  const until = performance.now() + budgetMs;
  let best = start;
  const attempt = async (candidate: Scenario): Promise<boolean> => {
    if (performance.now() > until) return false;
    const held = await shows(candidate).catch(() => null);
    if (held) best = { scenario: candidate, held };
    return held !== null;
  };
  await attempt({ ...start.scenario, flows: [start.held.flow] });
  for (let before = ''; before !== sizeOf(best.scenario) && performance.now() < until; ) {
    before = sizeOf(best.scenario);
    for (const part of parts) {
      // Half of it at once, then a quarter, and so on to one by one.
      for (let chunk = Math.ceil(part.list(best.scenario).length / 2); chunk > 0; ) {
        for (let from = 0; from < part.list(best.scenario).length; ) {
          const rest = part
            .list(best.scenario)
            .filter((_, place) => place < from || place >= from + chunk);
          if (!(await attempt(part.with(best.scenario, rest)))) from += chunk;
        }
        chunk = chunk === 1 ? 0 : Math.ceil(chunk / 2);
      }
    }
  }
  return best;
}

/** A list inside a scenario that may be shorter. */
interface Part {
  list(scenario: Scenario): unknown[];
  with(scenario: Scenario, list: unknown[]): Scenario;
}

const listPart = (key: 'flows' | 'nft' | 'ip' | 'listeners' | 'links'): Part => ({
  list: (scenario) => scenario[key],
  with: (scenario, list) => ({ ...scenario, [key]: list }),
});

const recordPart = (key: 'before' | 'sysctls'): Part => ({
  list: (scenario) => Object.entries(scenario[key]),
  with: (scenario, list) => ({
    ...scenario,
    [key]: Object.fromEntries(list as [string, number][]),
  }),
});

/** What each link has of one kind, taken away by its place in all of them. */
const linkPart = (
  list: (link: LinkSpec) => unknown[],
  make: (link: LinkSpec, kept: unknown[]) => LinkSpec,
): Part => ({
  list: ({ links }) =>
    links.flatMap((link) => list(link).map((item) => ({ link: link.name, item }))),
  with: (scenario, kept) => ({
    ...scenario,
    links: scenario.links.map((link) =>
      make(
        link,
        (kept as { link: string; item: unknown }[])
          .filter((one) => one.link === link.name)
          .map(({ item }) => item),
      ),
    ),
  }),
});

const parts: Part[] = [
  listPart('flows'),
  listPart('nft'),
  listPart('ip'),
  recordPart('sysctls'),
  listPart('listeners'),
  listPart('links'),
  linkPart(
    // Without anybody on a link, what the host sends there gets lost.
    ({ peers }) => peers.slice(1),
    (link, kept) => ({
      ...link,
      peers: [...link.peers.slice(0, 1), ...(kept as LinkSpec['peers'])],
    }),
  ),
  linkPart(
    // The first of each family is the peers' gateway.
    ({ addresses }) => addresses.slice(2),
    (link, kept) => ({
      ...link,
      addresses: [...link.addresses.slice(0, 2), ...(kept as string[])],
    }),
  ),
  linkPart(
    ({ peers }) => peers.flatMap(({ behind }) => (behind ? [behind.machine] : [])),
    (link, kept) => ({
      ...link,
      peers: link.peers.map(({ behind, ...peer }) =>
        behind && kept.includes(behind.machine) ? { ...peer, behind } : peer,
      ),
    }),
  ),
  recordPart('before'),
];

function sizeOf(scenario: Scenario): string {
  return parts.map((part) => part.list(scenario).length).join(' ');
}
