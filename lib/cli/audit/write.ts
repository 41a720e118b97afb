import type { HostState } from '../../model/host-state.js';
import { joinedRanges, prefixesToRanges, rangesWithout } from '../../model/prefix-set.js';
import type { Family, Transport } from '../../model/socket.js';
import type { Exposure } from '../../reach/exposure-row.js';
import { everybody, PolicyOnHost } from './allowed.js';
import type { Peers, Policy, PolicyRule } from './policy.js';

const families: readonly Family[] = ['ipv4', 'ipv6'];

/** The policy that says what is: whoever reaches a port now may, and nobody else. */
export function policyOf(state: HostState, exposures: readonly Exposure[]): Policy {
  const rules = new Map<string, PolicyRule>();
  const told = new PolicyOnHost({ version: 1, rules: [], otherwise: [] }, state);
  for (const [key, group] of byEndpoint(exposures)) {
    const { protocol, port } = group[0]!.endpoint;
    for (const { name, loopback } of state.interfaces) {
      if (loopback) continue;
      const from = whoReaches(group, name, told);
      if (from.length === 0) continue;
      const same = `${key} ${from.join()}`;
      const known = rules.get(same);
      if (known) known.interfaces!.push(name);
      else rules.set(same, ruleFor(protocol, port, from, name, group));
    }
  }
  return { version: 1, rules: [...rules.values()], otherwise: [] };
}

function ruleFor(
  protocol: Transport,
  port: number,
  from: Peers[],
  device: string,
  group: readonly Exposure[],
): PolicyRule {
  const names = group.flatMap(({ socket }) => (socket?.owners ?? []).map(({ name }) => name));
  const comment = [...new Set(names)].join(', ');
  return {
    protocol,
    ports: port,
    from,
    interfaces: [device],
    ...(comment === '' ? {} : { comment }),
  };
}

/** In words where they say just that: everybody who can come in by the interface, or all on its link. */
function whoReaches(group: readonly Exposure[], device: string, told: PolicyOnHost): Peers[] {
  const shares = families.map((family) => shareOf(group, device, family, told));
  const words = shares.flatMap((share) => (share === null ? [] : [share.word]));
  const [word] = words;
  if (word !== undefined && word !== null && words.every((other) => other === word)) return [word];
  return shares.flatMap((share) => share?.prefixes ?? []);
}

interface Share {
  word: 'anyone' | 'link' | null;
  prefixes: string[];
}

/** `null` where nothing of the family can come in by the interface. */
function shareOf(
  group: readonly Exposure[],
  device: string,
  family: Family,
  told: PolicyOnHost,
): Share | null {
  const of = (rows: readonly { interface: string; peers: string[] }[]) =>
    rows.flatMap((row) => (row.interface === device ? prefixesToRanges(row.peers, family) : []));
  const nobodys = told.nobodys(family);
  const reached = joinedRanges(group.flatMap(({ reach }) => of(reach)));
  const others = group.flatMap(({ blocked, unknown }) => [...of(blocked), ...of(unknown)]);
  const all = rangesWithout(joinedRanges([...reached, ...others]), nobodys);
  if (all.length === 0) return null;
  const who = rangesWithout(reached, nobodys);
  if (rangesWithout(all, reached).length === 0)
    return { word: 'anyone', prefixes: [everybody[family]] };
  const link = rangesWithout(told.rangesOf(['link'], device, family), nobodys);
  const isLink =
    who.length > 0 &&
    rangesWithout(who, link).length === 0 &&
    rangesWithout(link, who).length === 0;
  return { word: isLink ? 'link' : null, prefixes: told.people(reached, family) };
}

function byEndpoint(exposures: readonly Exposure[]): Map<string, Exposure[]> {
  const groups = new Map<string, Exposure[]>();
  for (const exposure of exposures) {
    const { protocol, port } = exposure.endpoint;
    const key = `${port} ${protocol}`;
    groups.set(key, [...(groups.get(key) ?? []), exposure]);
  }
  return groups;
}
