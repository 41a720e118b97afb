import { endianness } from 'node:os';
import { EarshotError } from '../errors.js';
import type { Firewall, Nftables } from '../model/firewall.js';
import type { Missing } from '../model/host-state.js';
import type { LegacyTables } from '../model/xtables.js';
import { readIpSets } from './ipset/read.js';
import { isFailure, type NftFailure, readNftables } from './nftables/read.js';
import { isPermission, partOrMissing, privilegeRemedy, refusalText } from './refusal.js';
import type { Turns } from './turns.js';
import { readLegacyTables } from './xtables/read.js';

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
 * Reads every firewall of a network namespace. What could not be read is `null` and named in
 * `missing`. All but the largest sets is read in turns.
 */
export async function readFirewall(
  netns: string | null,
  turns: Turns,
): Promise<{ firewall: Firewall; missing: Missing[] }> {
  const missing: Missing[] = [];
  const [nftables, legacy] = await Promise.all([
    partOrMissing('nftables', missing, null, () => readRuleSet(netns, turns, missing)),
    turns.take(() => readLegacyTables(netns, missing)),
  ]);
  const ipsets = asksSets(nftables, legacy)
    ? await partOrMissing('ipsets', missing, null, () => readIpSets(netns))
    : [];
  return { firewall: { nftables, legacy, ipsets }, missing };
}

/** Does a rule ask a set of ipset(8), by the match `set` or the target `SET`? */
function asksSets(nftables: Nftables | null, legacy: LegacyTables | null): boolean {
  const isSet = ({ name }: { name: string }) => name === 'set' || name === 'SET';
  const carried = nftables?.chains.some(({ rules }) =>
    rules.some(({ expressions }) =>
      expressions.some((one) => (one.kind === 'match' || one.kind === 'target') && isSet(one)),
    ),
  );
  const tables = legacy ? [...legacy.ipv4, ...legacy.ipv6] : [];
  const rules = tables.flatMap(({ chains }) => chains ?? []).flatMap((chain) => chain.rules);
  return (
    carried === true ||
    rules.some(
      ({ matches, target }) =>
        matches.some(isSet) ||
        (target !== null && 'extension' in target && isSet(target.extension)),
    )
  );
}

async function readRuleSet(
  netns: string | null,
  turns: Turns,
  missing: Missing[],
): Promise<Nftables | null> {
  for (let tried = 0; tried < TRIES; tried++) {
    let outcome: Nftables | NftFailure;
    try {
      outcome = await readNftables(netns, turns);
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
