import type { Family, Socket, Transport } from '../model/socket.js';
import type { Flow } from './flow.js';
import type { Device, Host, Receiver } from './host.js';
import type { PeerWatch } from './nftables/peer-watch.js';
import type { CompiledRule } from './nftables/ruleset.js';
import { covers, missOf } from './stages/socket.js';
import { type Followed, follow } from './trace.js';
import type { Cause } from './verdict.js';

/** One address of the host, asked for by one interface. */
export interface Door {
  readonly device: Device;
  readonly address: string;
  readonly family: Family;
  /** The address is link-local: who stands behind a router cannot ask for it. */
  readonly linkOnly: boolean;
}

/** What is asked for: a port, and whose answer counts. */
export interface Target {
  readonly protocol: Transport;
  readonly port: number;
  /** `null`: whoever takes it, or whom rules send it on to. */
  readonly socket: Socket | null;
}

/** How a flow ends, as one socket sees it. */
export type SocketFate = Omit<Followed['fate'], 'stage'>;

/** One peer asks at one door; null where the answer says nothing about this socket. */
export function knock(
  host: Host,
  { protocol, port, socket }: Target,
  door: Door,
  peer: string | undefined,
  watch: PeerWatch<CompiledRule> | null = null,
): { followed: Followed; fate: SocketFate } | null {
  const ingress = door.device.name;
  const destination = { address: door.address, port };
  const flow: Flow =
    peer === undefined
      ? { protocol, ingress, destination }
      : { protocol, ingress, source: { address: peer }, destination };
  const followed = follow(host, flow, watch);
  const { course, fate } = followed;
  const { takers } = course;
  const mine =
    socket && host.receivers(protocol, port).find((receiver) => receiver.socket === socket);
  if (!mine || takers.includes(mine)) return { followed, fate };
  if (takers.length === 0) return { followed, fate: asSeenBy(mine, followed) };
  const mineToo = covers(course, mine);
  const cause: Cause = mineToo
    ? { code: 'shadowed', by: takers[0]!.socket }
    : missOf(course, mine).cause;
  const passedOver = { outcome: 'unreachable', cause, symptom: null } as const;
  if (course.mayBeRedirected) return { followed, fate: { ...fate, assuming: passedOver } };
  // Another socket serves an address that this one does not stand on: not this one's business.
  return mineToo ? { followed, fate: passedOver } : null;
}

/** Nobody takes it: then the near miss that counts here is that of this very socket. */
function asSeenBy(mine: Receiver, { course, fate }: Followed): SocketFate {
  const { assuming } = fate;
  if (assuming?.cause && 'socket' in assuming.cause && course.takers.length === 0) {
    return { ...fate, assuming: { ...assuming, cause: missOf(course, mine).cause } };
  }
  if (fate.stage !== 'socket') return fate;
  if (fate.outcome === 'unreachable') return { ...fate, cause: missOf(course, mine).cause };
  // It is not known whether another one takes it, where this one surely does not.
  const perhapsMine = mine.socket.v6only === null && mine.socket.family === 'ipv6';
  if (perhapsMine) return fate;
  return { outcome: 'unreachable', cause: missOf(course, mine).cause, symptom: null };
}
