import type { NftChain } from '../../../model/firewall.js';
import type { HostState } from '../../../model/host-state.js';
import type { Family } from '../../../model/socket.js';
import { toolOf } from '../../xtables/tool.js';
import type { Change, Failing } from '../change.js';
import { addRules } from './add-rule.js';
import { ends, matchOf, peersOf } from './let-in.js';
import type { Match } from './match.js';
import { type Place, withRules } from './place.js';

/**
 * A rule that drops what comes from these peers for a port of this host, or of whom it is passed on
 * to: where the host's firewall has its own rules of that kind, and in a new table where it has none.
 */
export function keepOut(failing: Failing, passedOn: boolean): Change[] {
  const { state, followed } = failing;
  const { family } = followed.course.packet;
  const hook = passedOn ? 'forward' : 'input';
  const [end] = ends(failing);
  if (!end) return [];
  const { source, destination, port } = end;
  const matches = peersOf(failing, source).map((peer) =>
    matchOf(failing, hook, 'request', { peer, own: destination, port }),
  );
  const places = placesAt(state, hook, family);
  return places.length > 0
    ? places.flatMap((place) => addRules(state, place, matches, 'drop', hook === 'input'))
    : newTable(state, hook, matches);
}

/** Where programs put such rules: docker leaves a chain of its own to the administrator. */
function placesAt(state: HostState, hook: 'input' | 'forward', family: Family): Place[] {
  const chainNames = hook === 'forward' ? ['DOCKER-USER', 'FORWARD'] : ['INPUT'];
  const ip = family === 'ipv4' ? 'ip' : 'ip6';
  const at = (place: Omit<Place, 'line' | 'handle'>): Place => ({
    ...place,
    line: 1,
    handle: null,
  });
  const { nftables, legacy } = state.firewall;
  const tables = legacy?.[family].filter(({ name }) => name === 'filter') ?? [];
  const found = tables.flatMap(({ name: table, chains }) =>
    chainNames
      .filter((name) => chains?.some((chain) => chain.name === name))
      .map((chain) =>
        at({
          tool: ip === 'ip' ? 'iptables-legacy' : 'ip6tables-legacy',
          family: ip,
          table,
          chain,
        }),
      ),
  );
  for (const chain of nftables?.chains ?? []) {
    if (chain.family !== 'inet' && chain.family !== ip) continue;
    const { family: of, table, name } = chain;
    const tool = toolOf(nftables!.chains.filter((one) => one.family === of && one.table === table));
    const fits = tool === 'nft' ? isFilterAt(chain, hook) : chainNames.includes(name);
    if (fits && (tool === 'nft' || table === 'filter'))
      found.push(at({ tool, family: of, table, chain: name }));
  }
  // The administrator's own chain is the place, where there is one.
  const own = found.filter(({ chain }) => chain === 'DOCKER-USER');
  return own.length > 0 ? own : found;
}

function isFilterAt({ base }: NftChain, hook: 'input' | 'forward'): boolean {
  return base !== null && base.hook === hook && base.type === 'filter';
}

/** A table that nobody else keeps, on a host that has no such rules yet. */
function newTable(
  state: HostState,
  hook: 'input' | 'forward',
  matches: readonly Match[],
): Change[] {
  const { nftables } = state.firewall;
  const table = 'earshot';
  const taken = nftables?.tables.some(({ family, name }) => family === 'inet' && name === table);
  if (!nftables || taken) return [];
  const place: Place = {
    tool: 'nft',
    family: 'inet',
    table,
    chain: hook,
    line: null,
    handle: null,
  };
  const [rules] = addRules(state, place, matches, 'drop', false);
  if (!rules?.command) return [];
  const chain = `'{ type filter hook ${hook} priority filter; }'`;
  const made: NftChain = {
    family: 'inet',
    table,
    name: hook,
    handle: 1,
    base: { hook, priority: 0, policy: 'accept', type: 'filter', devices: [] },
    rules: [],
  };
  return [
    {
      ...rules,
      what: `${rules.what.replace(/ at the end of chain .*$/, '')}, in a table of its own`,
      command: `nft add table inet ${table} && nft add chain inet ${table} ${hook} ${chain} && ${rules.command}`,
      weight: 12,
      apply: (before) => withRules(withTable(before, made), place, matches, 'drop'),
    },
  ];
}

function withTable(state: HostState, chain: NftChain): HostState {
  const { firewall } = state;
  const { nftables } = firewall;
  if (!nftables) return state;
  const handle = nftables.tables.reduce((largest, one) => Math.max(largest, one.handle), 0) + 1;
  const tables = [
    ...nftables.tables,
    { family: chain.family, name: chain.table, handle, flags: [] },
  ];
  const chains = [...nftables.chains, chain];
  return { ...state, firewall: { ...firewall, nftables: { ...nftables, tables, chains } } };
}
