import type { PortRange, Socket } from '../model/socket.js';
import type { CheckedFilter } from '../model/socket-filter.js';
import type { Host } from './host.js';
import type { Target } from './knock.js';
import { portSpans } from './nftables/named-ports.js';

/** Of more ports in a row than these, that rules treat alike, none is asked about. */
const mostInRow = 1024;

/** Is it a socket that peers knock at? */
export function isKnockedAt({ state }: Socket): boolean {
  return state === 'listen' || state === 'unconnected';
}

/** Ports that nobody here stands on, and that rules may send on: of each its own, or a few in a row. */
export function publishedPorts(host: Host, wanted: CheckedFilter): Target[] {
  if (!asksForPortsAlone(wanted)) return [];
  const ports = portSpans(host.state.firewall)
    .filter(({ from, to }) => to - from < mostInRow)
    .flatMap((span) => portsOf(span, wanted.localPorts));
  return wanted.transports.flatMap((protocol) =>
    ports
      .filter((port) => !host.receivers(protocol, port).some(({ socket }) => isKnockedAt(socket)))
      .map((port) => ({ protocol, port, socket: null })),
  );
}

/** The ports of a span that are wanted; all are where none are named. */
function portsOf({ from, to }: PortRange, wanted: readonly PortRange[]): number[] {
  const all = Array.from({ length: to - from + 1 }, (_, place) => from + place);
  const isWanted = (port: number) => wanted.some((range) => range.from <= port && port <= range.to);
  return wanted.length === 0 ? all : all.filter(isWanted);
}

/** Nothing is asked that only a socket has. */
function asksForPortsAlone(wanted: CheckedFilter): boolean {
  const { families, states, remotePorts, localAddress, remoteAddress, uid, mark, cgroup } = wanted;
  const asked = [states, localAddress, remoteAddress, uid, mark, cgroup, wanted.interface];
  return asked.every((one) => one === null) && families.length === 2 && remotePorts.length === 0;
}
