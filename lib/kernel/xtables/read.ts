import type { Missing } from '../../model/host-state.js';
import type { Family } from '../../model/socket.js';
import type { LegacyTable, LegacyTables } from '../../model/xtables.js';
import { native } from '../../native.js';
import { isPermission, partOrMissing, privilegeRemedy, refusalText } from '../refusal.js';
import { decodeTable } from './table.js';

const ENOENT = 2;

/**
 * Reading these loads nothing: they list the tables that are loaded. The last one always exists
 * where proc is mounted, so that "not there" can be told from "cannot be seen".
 */
const FILES = [
  '/proc/thread-self/net/ip_tables_names',
  '/proc/thread-self/net/ip6_tables_names',
  '/proc/thread-self/net/dev',
];

/**
 * The legacy tables of a network namespace, with their rules. Only tables that are loaded are asked
 * for: asking for another would load it, and hook it into the path of every packet.
 */
export async function readLegacyTables(
  netns: string | null,
  missing: Missing[],
): Promise<LegacyTables | null> {
  const [ipv4, ipv6, witness] = await native.readFiles({ paths: FILES, netns });
  const refused = [ipv4!, ipv6!].find(
    (content): content is number => typeof content === 'number' && content !== ENOENT,
  );
  if (refused === undefined && typeof witness !== 'number') {
    return {
      ipv4: await readTables('ipv4', tableNames(ipv4!), netns, missing),
      ipv6: await readTables('ipv6', tableNames(ipv6!), netns, missing),
    };
  }
  missing.push({
    what: 'legacy-tables',
    reason: `reading the names of the legacy iptables tables was refused: ${refusalText({ errno: refused ?? ENOENT, detail: '' })}`,
    remedy:
      refused !== undefined && isPermission(refused)
        ? privilegeRemedy('CAP_DAC_READ_SEARCH')
        : 'run where proc is mounted on /proc',
  });
  return null;
}

/** A line a table; a file that is not there belongs to a module that is not loaded. */
function tableNames(content: Uint8Array | number): string[] {
  if (typeof content === 'number') return [];
  return new TextDecoder().decode(content).split('\n').filter(Boolean).sort();
}

async function readTables(
  family: Family,
  names: string[],
  netns: string | null,
  missing: Missing[],
): Promise<LegacyTable[]> {
  if (names.length === 0) return [];
  const answers = await partOrMissing('legacy-tables', missing, [], () =>
    native.readXtables({ family, tables: names, netns }),
  );
  const tables: LegacyTable[] = [];
  for (const [place, name] of names.entries()) {
    const answer = answers[place];
    if (typeof answer === 'number') missing.push(refusal(family, name, answer));
    const chains =
      typeof answer === 'object'
        ? await partOrMissing('legacy-tables', missing, null, () => decodeTable(answer, family))
        : null;
    tables.push({ name, chains });
  }
  return tables;
}

function refusal(family: Family, name: string, errno: number): Missing {
  const tool = family === 'ipv4' ? 'iptables' : 'ip6tables';
  return {
    what: 'legacy-tables',
    reason: `the kernel refused to show the legacy ${tool} table ${name}: ${refusalText({ errno, detail: '' })}`,
    remedy: isPermission(errno)
      ? privilegeRemedy('CAP_NET_ADMIN')
      : 'capture again; if it stays, please report it with the kernel release (uname -r)',
  };
}
