import type { Route } from '../model/route.js';

/** What the kernel's tables of IPv4 look like inside, readable by everybody (proc_pid_net(5)). */
export const TABLE_STATISTICS = '/proc/thread-self/net/fib_triestat';

const sections = { local: 255, main: 254 } as const;

/**
 * Are IPv4's local and main table still one? They are until the first rule of one's own comes to
 * the namespace (fib_unmerge in net/ipv4/fib_frontend.c), and stay apart when it has gone: the
 * rules do not tell. Where they are one, each section of the statistics counts the routes of both.
 * `null` where the file is not there or its counts are of another moment than the routes.
 */
export function mergedTables(
  statistics: Uint8Array | number | undefined,
  routes: readonly Route[],
): boolean | null {
  if (typeof statistics !== 'object') return null;
  const text = new TextDecoder().decode(statistics);
  const counted = { local: prefixesOf(text, 'Local'), main: prefixesOf(text, 'Main') };
  const told = { local: routesIn('local'), main: routesIn('main') };
  const both = told.local + told.main;
  // Without routes there is nothing that could be merged, and nothing that depends on it.
  if (both === 0) return null;
  if (counted.local === both && counted.main === both) return true;
  return counted.local === told.local && counted.main === told.main ? false : null;

  function routesIn(table: keyof typeof sections): number {
    return routes.filter((one) => one.family === 'ipv4' && one.table === sections[table]).length;
  }
}

/** How many routes the section of a table counts (fib_triestat_seq_show); none where it has no section. */
function prefixesOf(text: string, name: string): number {
  const section = text.split(/^(?=\S+(?: \d+)?:$)/m).find((one) => one.startsWith(`${name}:\n`));
  return Number(section?.match(/^\s*Prefixes:\s*(\d+)$/m)?.[1] ?? 0);
}
