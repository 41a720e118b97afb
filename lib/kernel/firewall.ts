import { endianness } from 'node:os';
import { EarshotError } from '../errors.js';
import type { Firewall, LegacyTables, Nftables } from '../model/firewall.js';
import type { Missing } from '../model/host-state.js';
import { native } from '../native.js';
import { isFailure, type NftFailure, readNftables } from './nftables/read.js';
import { isPermission, partOrMissing, privilegeRemedy, refusalText } from './refusal.js';

const ENOENT = 2;
const EINVAL = 22;
const EPROTONOSUPPORT = 93;
const EOPNOTSUPP = 95;

/** What a kernel without nftables has. */
const noRuleSet = (): Nftables => ({
  generation: 0,
  byteOrder: endianness() === 'LE' ? 'little' : 'big',
  tables: [],
  chains: [],
  sets: [],
  objects: [],
  flowtables: [],
});

/** How often a rule set that changes while it is read is read again. */
const TRIES = 3;

/**
 * Reading these loads nothing: they list the tables that are loaded. The last one always exists
 * where proc is mounted, so that "not there" can be told from "cannot be seen".
 */
const LEGACY_FILES = [
  '/proc/thread-self/net/ip_tables_names',
  '/proc/thread-self/net/ip6_tables_names',
  '/proc/thread-self/net/dev',
];

/** Reads every firewall of a network namespace. What could not be read is `null` and named in `missing`. */
export async function readFirewall(
  netns: string | null,
): Promise<{ firewall: Firewall; missing: Missing[] }> {
  const missing: Missing[] = [];
  const [nftables, legacy] = await Promise.all([
    partOrMissing('nftables', missing, null, () => readRuleSet(netns, missing)),
    readLegacyTables(netns, missing),
  ]);
  return { firewall: { nftables, legacy }, missing };
}

async function readRuleSet(netns: string | null, missing: Missing[]): Promise<Nftables | null> {
  for (let tried = 0; tried < TRIES; tried++) {
    let outcome: Nftables | NftFailure;
    try {
      outcome = await readNftables(netns);
    } catch (error) {
      if (!(error instanceof EarshotError) || error.errno === undefined) throw error;
      if (error.code === 'ERR_NETNS') throw error;
      outcome = { errno: error.errno, detail: '' };
    }
    if (outcome === 'changed') continue;
    if (!isFailure(outcome)) return outcome;
    // The kernel checks the privilege before it looks for the subsystem, so these two mean that
    // there is none: no NETLINK_NETFILTER at all, or nobody registered for nftables.
    if ([EPROTONOSUPPORT, EINVAL, EOPNOTSUPP].includes(outcome.errno)) return noRuleSet();
    missing.push({
      what: 'nftables',
      reason: `the kernel refused to show the nftables rule set: ${refusalText(outcome)}`,
      remedy: isPermission(outcome.errno)
        ? privilegeRemedy('CAP_NET_ADMIN')
        : 'try again; if it stays, please report it with uname -r',
    });
    return null;
  }
  missing.push({
    what: 'nftables',
    reason: `the nftables rule set was changed during each of ${TRIES} reads`,
    remedy: 'capture again when nothing changes it',
  });
  return null;
}

async function readLegacyTables(
  netns: string | null,
  missing: Missing[],
): Promise<LegacyTables | null> {
  const [ipv4, ipv6, witness] = await native.readFiles({ paths: LEGACY_FILES, netns });
  const refused = [ipv4!, ipv6!].find(
    (content): content is number => typeof content === 'number' && content !== ENOENT,
  );
  if (refused === undefined && typeof witness !== 'number') {
    return { ipv4: tableNames(ipv4!), ipv6: tableNames(ipv6!) };
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
