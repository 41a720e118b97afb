import type { HostState } from '../../model/host-state.js';
import {
  type AddressRange,
  commonRanges,
  joinedRanges,
  prefixesToRanges,
  rangesWithout,
} from '../../model/prefix-set.js';
import type { Family, Socket, Transport } from '../../model/socket.js';
import type { Exposure } from '../../reach/exposure-row.js';
import type { Cause } from '../../reach/verdict.js';
import { names, PolicyOnHost, portsOf } from './allowed.js';
import type { Policy } from './policy.js';

/** One way in which a host is not as its policy says. */
export interface Finding {
  /**
   * - `wider`: these peers reach the port, and the policy does not let them;
   * - `narrower`: the policy lets them, and they do not reach it by any address;
   * - `unknown`: whether these peers, whom the policy does not let, reach it cannot be told.
   */
  kind: 'wider' | 'narrower' | 'unknown';
  protocol: Transport;
  /** The port; of a rule with more, where nobody listens on any of them, the first. */
  port: number;
  /** Who listens there. */
  sockets: Socket[];
  /** Where the peers' packets arrive; `null` where nobody listens at all. */
  interface: string | null;
  /** The addresses that they reach, or that they try. */
  addresses: string[];
  /** Where the flow is sent on to, if it does not end here. */
  forwardedTo: string | null;
  /** Exactly who, as CIDR texts. */
  peers: string[];
  /** Why they do not get in, or why that cannot be told; `null` for who does. */
  cause: Cause | null;
  /** The rules of the policy that name the port, by their place in it. */
  rules: number[];
}

export interface AuditOptions {
  /** Look for peers who are kept out though the policy lets them in, too. */
  narrower: boolean;
}

const families: readonly Family[] = ['ipv4', 'ipv6'];

/** Holds what is against what may be. */
export function audit(
  state: HostState,
  exposures: readonly Exposure[],
  policy: Policy,
  { narrower }: AuditOptions,
): Finding[] {
  const told = new PolicyOnHost(policy, state);
  const loopback = new Set(
    state.interfaces.flatMap(({ name, loopback }) => (loopback ? [name] : [])),
  );
  const findings = [
    ...exposures.flatMap((exposure) => tooWide(exposure, told, loopback)),
    ...(narrower ? [...tooNarrow(exposures, told, loopback), ...unserved(exposures, policy)] : []),
  ];
  return merged(findings);
}

function tooWide(exposure: Exposure, told: PolicyOnHost, loopback: ReadonlySet<string>): Finding[] {
  const { protocol, port } = exposure.endpoint;
  const beyond = (
    kind: Finding['kind'],
    row: Exposure['reach'][number],
    cause: Cause | null,
  ): Finding[] => {
    if (loopback.has(row.interface)) return [];
    const { ranges, rules } = told.allowed(protocol, port, row.interface);
    const peers = families.flatMap((family) =>
      told.people(rangesWithout(prefixesToRanges(row.peers, family), ranges[family]), family),
    );
    if (peers.length === 0) return [];
    return [
      {
        kind,
        protocol,
        port,
        sockets: exposure.socket ? [exposure.socket] : [],
        interface: row.interface,
        addresses: [row.address],
        forwardedTo: row.forwardedTo,
        peers,
        cause,
        rules: [...rules],
      },
    ];
  };
  return [
    ...exposure.reach.flatMap((row) => beyond('wider', row, null)),
    ...exposure.unknown.flatMap((row) => beyond('unknown', row, row.cause)),
  ];
}

/** Peers whom a rule lets in, and who reach the port by none of the host's addresses. */
function tooNarrow(
  exposures: readonly Exposure[],
  told: PolicyOnHost,
  loopback: ReadonlySet<string>,
): Finding[] {
  const findings: Finding[] = [];
  for (const group of byPort(exposures)) {
    const { protocol, port } = group[0]!.endpoint;
    const devices = new Set(group.flatMap(({ blocked }) => blocked.map((row) => row.interface)));
    for (const device of devices) {
      if (loopback.has(device)) continue;
      const { ranges, rules } = told.allowed(protocol, port, device);
      if (rules.length === 0) continue;
      for (const family of families) {
        const served = group.flatMap(({ reach, unknown }) =>
          [...reach, ...unknown].flatMap((row) =>
            row.interface === device ? prefixesToRanges(row.peers, family) : [],
          ),
        );
        const wanted = rangesWithout(ranges[family], joinedRanges(served));
        findings.push(
          ...keptOut(group, told, { protocol, port, device, family, wanted, rules: [...rules] }),
        );
      }
    }
  }
  return findings;
}

interface Wanted {
  protocol: Transport;
  port: number;
  device: string;
  family: Family;
  wanted: readonly AddressRange[];
  rules: number[];
}

/** Each is told once: by the first address that he tries in vain, this host's own and loopback last. */
function keptOut(
  group: readonly Exposure[],
  told: PolicyOnHost,
  { protocol, port, device, family, wanted, rules }: Wanted,
): Finding[] {
  const findings: Finding[] = [];
  let left: readonly AddressRange[] = wanted;
  for (const { blocked, socket } of group)
    for (const row of [...blocked].sort(byInterest)) {
      if (row.interface !== device || left.length === 0) continue;
      const these = commonRanges(left, prefixesToRanges(row.peers, family));
      left = rangesWithout(left, these);
      const peers = told.people(these, family);
      if (peers.length === 0) continue;
      findings.push({
        kind: 'narrower',
        protocol,
        port,
        sockets: socket ? [socket] : [],
        interface: device,
        addresses: [row.address],
        forwardedTo: null,
        peers,
        cause: row.cause,
        rules,
      });
    }
  return findings;
}

function byInterest(one: { cause: Cause }, other: { cause: Cause }): number {
  const rank = ({ code }: Cause) => (code === 'martian-destination' ? 1 : 0);
  return rank(one.cause) - rank(other.cause);
}

/** Rules whose ports nobody serves. */
function unserved(exposures: readonly Exposure[], policy: Policy): Finding[] {
  return policy.rules.flatMap((rule, place) => {
    if (rule.from.length === 0) return [];
    const protocols: readonly Transport[] = rule.protocol ? [rule.protocol] : ['tcp', 'udp'];
    const served = exposures.some(({ endpoint: { protocol, port } }) =>
      names(rule, protocol, port),
    );
    if (served) return [];
    return [
      {
        kind: 'narrower',
        protocol: protocols[0]!,
        port: portsOf(rule)[0]![0],
        sockets: [],
        interface: null,
        addresses: [],
        forwardedTo: null,
        peers: [],
        cause: null,
        rules: [place],
      },
    ];
  });
}

function byPort(exposures: readonly Exposure[]): Exposure[][] {
  const groups = new Map<string, Exposure[]>();
  for (const exposure of exposures) {
    const { protocol, port } = exposure.endpoint;
    const key = `${protocol} ${port}`;
    groups.set(key, [...(groups.get(key) ?? []), exposure]);
  }
  return [...groups.values()];
}

/** What differs in the address alone, or in the socket of a group, is one finding. */
function merged(findings: readonly Finding[]): Finding[] {
  const groups = new Map<string, Finding>();
  for (const finding of findings) {
    const { kind, protocol, port, peers, cause, forwardedTo } = finding;
    const key = JSON.stringify([
      kind,
      protocol,
      port,
      finding.interface,
      forwardedTo,
      peers,
      cause,
    ]);
    const known = groups.get(key);
    if (!known) {
      groups.set(key, finding);
      continue;
    }
    known.addresses = [...new Set([...known.addresses, ...finding.addresses])];
    known.sockets = [...new Set([...known.sockets, ...finding.sockets])];
  }
  const order = { wider: 0, unknown: 1, narrower: 2 };
  return [...groups.values()].sort(
    (one, other) => order[one.kind] - order[other.kind] || one.port - other.port,
  );
}
