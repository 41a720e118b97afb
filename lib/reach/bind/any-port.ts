import type { Transport } from '../../model/socket.js';
import type { Host } from '../host.js';
import type { Conflict } from './conflict.js';
import { holdersOf, sameAddress, sameDevice, wouldHold } from './holder.js';
import type { CheckedSpec } from './spec.js';
import { and } from './tri.js';

/** net.ipv4.ip_local_port_range where it is not told. */
const usualRange = { from: 32768, to: 60999 };

/**
 * The kernel chooses the port (inet_csk_find_open_port, udp_lib_get_port): one of the range that is
 * not reserved, and that nothing holds at this address.
 */
export function anyPortConflict(host: Host, spec: CheckedSpec): Conflict {
  const ours = wouldHold(spec);
  const taken = portsTaken(host, spec.protocol);
  const inRange = candidates(host);
  const free = inRange.some((port) => {
    if (!taken.has(port)) return true;
    return holdersOf(host, spec.protocol, port).every(
      (other) => and(sameDevice(ours, other), sameAddress(ours, other)) === false,
    );
  });
  if (free) return { kind: 'none' };
  if (!spec.reuseAddress && !spec.reusePort && inRange.length === 0) {
    return { kind: 'taken', by: [] };
  }
  return {
    kind: 'unknown',
    by: [],
    what: 'whether the kernel finds a port to share: all of net.ipv4.ip_local_port_range are held or reserved',
    remedy: 'widen net.ipv4.ip_local_port_range, or name a port',
  };
}

function portsTaken(host: Host, protocol: Transport): Set<number> {
  const { sockets, held = [] } = host.state;
  const ports = new Set<number>();
  for (const socket of sockets) if (socket.protocol === protocol) ports.add(socket.local.port);
  if (protocol === 'tcp')
    for (const { ports: more } of held) for (const port of more) ports.add(port);
  return ports;
}

function candidates(host: Host): number[] {
  const { settings } = host.state;
  const range = /^(\d+)\s+(\d+)$/.exec(String(settings['net.ipv4.ip_local_port_range'] ?? ''));
  const { from, to } = range ? { from: Number(range[1]), to: Number(range[2]) } : usualRange;
  const reserved = rangesOf(String(settings['net.ipv4.ip_local_reserved_ports'] ?? ''));
  const ports: number[] = [];
  for (let port = from; port <= to; port++) {
    if (!reserved.some((one) => one.from <= port && port <= one.to)) ports.push(port);
  }
  return ports;
}

/** Ports and ranges as a bitmap setting lists them: `8080,9000-9010`. */
function rangesOf(text: string): { from: number; to: number }[] {
  return [...text.matchAll(/(\d+)(?:-(\d+))?/g)].map(([, from, to]) => ({
    from: Number(from),
    to: Number(to ?? from),
  }));
}
