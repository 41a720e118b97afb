import type { HostState } from '../../model/host-state.js';
import type { Socket, Transport } from '../../model/socket.js';
import type { Exposure, Scope as ToldScope } from '../../reach/exposure-row.js';
import { holders } from './processes.js';

/** The farthest who surely get in. */
export type Scope = Exclude<ToldScope, 'unknown'>;

/** What one program exposes on one port: its sockets for IPv4 and IPv6, and those of its workers. */
export interface Row {
  protocol: Transport;
  port: number;
  /** Empty where nobody here listens and the port is forwarded elsewhere. */
  sockets: Socket[];
  exposures: Exposure[];
  /** The widest of the exposures, as far as it is sure. */
  scope: Scope;
  /** Somebody farther off may get in: that could not be told. */
  uncertain: boolean;
  /** Nobody beyond this host gets in, and whether this host does could not be told. */
  atMost: boolean;
}

/**
 * Exposures as rows, the widest exposed first, then by port. Sockets of one port are one row when
 * the same processes hold them, or when processes of one name share the same addresses (workers
 * with SO_REUSEPORT). Two programs on one port stay apart: one may shadow the other.
 */
export function rowsOf(exposures: readonly Exposure[]): Row[] {
  const byHolders = new Map<string, Exposure[]>();
  for (const exposure of exposures) append(byHolders, holderKey(exposure), exposure);
  const byAddresses = new Map<string, Exposure[]>();
  for (const group of byHolders.values()) {
    const key = workerKey(group);
    for (const exposure of group) append(byAddresses, key, exposure);
  }
  return [...byAddresses.values()].map(row).sort(byWidth);
}

function append(groups: Map<string, Exposure[]>, key: string, exposure: Exposure): void {
  const group = groups.get(key);
  if (group) group.push(exposure);
  else groups.set(key, [exposure]);
}

function endpointKey({ endpoint }: Exposure): string {
  return `${endpoint.protocol} ${endpoint.port}`;
}

function holderKey(exposure: Exposure): string {
  const { socket } = exposure;
  if (!socket) return `${endpointKey(exposure)} forwarded`;
  const pids = holders([socket]).map(({ pid }) => pid);
  // Of sockets whose processes are not visible, those of one user are taken for one program's.
  const who = pids.length > 0 ? `pids ${pids.join(' ')}` : `uid ${socket.uid}`;
  return `${endpointKey(exposure)} ${who}`;
}

function workerKey(group: readonly Exposure[]): string {
  const [first] = group as [Exposure];
  const sockets = group.flatMap(({ socket }) => socket ?? []);
  const [holder] = holders(sockets);
  if (!holder) return holderKey(first);
  const places = sockets.map(
    ({ local, boundInterface, v6only }) => `${local.address}%${boundInterface} ${v6only}`,
  );
  return `${endpointKey(first)} ${holder.name} ${[...new Set(places)].sort().join(' ')}`;
}

const width: Readonly<Record<Scope, number>> = { routed: 0, link: 1, host: 3, nobody: 4 };

function row(members: Exposure[]): Row {
  const exposures = members.sort(byFamily);
  const [first] = exposures as [Exposure];
  const scope = exposures
    .map(sureScope)
    .reduce((widest, each) => (width[each] < width[widest] ? each : widest));
  const untold = exposures.flatMap(({ unknown }) => unknown);
  const uncertain = scope !== 'routed' && untold.some((entry) => entry.interface !== 'lo');
  const atMost = scope === 'nobody' && !uncertain && untold.length > 0;
  return {
    ...first.endpoint,
    sockets: exposures.flatMap(({ socket }) => socket ?? []),
    exposures,
    scope: atMost ? 'host' : scope,
    uncertain,
    atMost,
  };
}

function byFamily(one: Exposure, other: Exposure): number {
  return (one.socket?.family ?? '').localeCompare(other.socket?.family ?? '');
}

/** An exposure that is told as unknown may still surely reach this host, or neighbours. */
function sureScope({ scope, reach }: Exposure): Scope {
  if (scope !== 'unknown') return scope;
  if (reach.some((entry) => entry.interface !== 'lo')) return 'link';
  return reach.length > 0 ? 'host' : 'nobody';
}

/** How a row is ranked: by who surely gets in, and what may be open beyond this host before what is not. */
export type Standing = 'routed' | 'link' | 'unknown' | 'host' | 'nobody';

export function standingOf({ scope, uncertain }: Row): Standing {
  return uncertain && (scope === 'host' || scope === 'nobody') ? 'unknown' : scope;
}

const standings: readonly Standing[] = ['routed', 'link', 'unknown', 'host', 'nobody'];

function byWidth(one: Row, other: Row): number {
  return (
    standings.indexOf(standingOf(one)) - standings.indexOf(standingOf(other)) ||
    one.port - other.port ||
    one.protocol.localeCompare(other.protocol) ||
    (holders(one.sockets)[0]?.pid ?? 0) - (holders(other.sockets)[0]?.pid ?? 0)
  );
}

/** How many rows of each standing. */
export function countByStanding(rows: readonly Row[]): ReadonlyMap<Standing, number> {
  return new Map(
    standings.map((standing) => [
      standing,
      rows.filter((each) => standingOf(each) === standing).length,
    ]),
  );
}

/** The host as one calls it. */
export function hostName(state: HostState): string {
  return state.where.hostname === '' ? 'this host' : state.where.hostname;
}
