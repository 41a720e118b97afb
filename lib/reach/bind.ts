import { formatAddress, isUnspecified, parseAddress } from '../model/address.js';
import type { HeldPorts } from '../model/held-ports.js';
import type { HostState, MissingPart } from '../model/host-state.js';
import type { Socket } from '../model/socket.js';
import { type BindError, refusalOf } from './bind/address.js';
import { anyPortConflict } from './bind/any-port.js';
import type { Conflict } from './bind/conflict.js';
import type { Taken } from './bind/holder.js';
import { type BindSpec, type CheckedSpec, checkSpec, v6onlyInForce } from './bind/spec.js';
import { tcpConflict } from './bind/tcp.js';
import { udpConflict } from './bind/udp.js';
import { exposure } from './exposure.js';
import type { Exposure } from './exposure-row.js';
import { type Host, hostOf } from './host.js';
import { describe } from './stages/socket.js';

export type { BindSpec } from './bind/spec.js';

/** Connections that stand in the way of a bind(): no more is captured of them. */
export type HeldPort = Omit<HeldPorts, 'ports'> & {
  /** The local port that they hold. */
  port: number;
};

/** Whether a bind() would work. */
export interface BindCheck {
  /** True where it surely works. False with an `error` where it surely does not, else with `unknown`. */
  ok: boolean;
  /** What bind() would fail with, or setsockopt() for a device, or listen(); `null` where it does not, or that cannot be told. */
  error: BindError | null;
  /** The sockets in the way; where `unknown` is set, those that may be. */
  conflicts: Socket[];
  /** Open, closing and closed connections in the way, as `conflicts`. */
  connections: HeldPort[];
  /** What would have to be known to tell, and how to learn it; `null` where it can be told. */
  unknown: { what: string; remedy: string | null } | null;
  /** What this kernel does not list, and would make a yes a no. Empty since Linux 6.8, but from /proc/net. */
  unless: string[];
  /** Who could reach the socket then; `null` where it does not work, and for port 0. */
  exposure: Exposure | null;
  /** The answer in one sentence. */
  explanation: string;
}

/**
 * Would bind() work, and for TCP listen(): with the kernel's own rules for addresses, privileges and
 * ports that are taken; who is in the way; and who could reach the socket then.
 *
 * Pure, like `trace`. Programs that decide too are not in a capture: security modules, seccomp, BPF of
 * control groups.
 *
 * @param state what `capture()` or `parseState()` gave. SO_REUSEADDR and SO_REUSEPORT of other
 *   processes' sockets are in it with `capture({ socketOptions: true })` alone; where they decide and
 *   are not told, the answer is `unknown`
 * @param bind the socket, its options, and who binds
 * @throws EarshotError `ERR_INVALID_ARGUMENT` for a bind, `ERR_INVALID_STATE` for a state that is not of its form
 * @example
 * ```js
 * import { capture, checkBind } from 'earshot';
 * const check = checkBind(await capture(), { protocol: 'tcp', address: '::', port: 3000 });
 * console.log(check.ok, check.error, check.explanation, check.exposure?.scope);
 * ```
 */
export function checkBind(state: HostState, bind: BindSpec): BindCheck {
  const host = hostOf(state);
  const spec = checkSpec(bind, host);
  const lacking = notCaptured(state);
  if (lacking) return unknown(spec, lacking.what, lacking.remedy, []);
  const refusal = refusalOf(host, spec);
  if (refusal) {
    if ('unknown' in refusal) return unknown(spec, refusal.unknown, refusal.remedy, []);
    const { error, reason } = refusal;
    return {
      ...nothing,
      error,
      explanation: `${named(spec)} cannot be bound: ${reason} (${error}).`,
    };
  }
  const conflict = conflictOf(host, spec);
  switch (conflict.kind) {
    case 'unknown':
      return unknown(spec, conflict.what, conflict.remedy, conflict.by);
    case 'taken':
      return {
        ...nothing,
        ...sorted(conflict.by, spec.port),
        error: 'EADDRINUSE',
        explanation: `${named(spec)} cannot be bound: ${holders(conflict.by, spec)} (EADDRINUSE).`,
      };
    case 'none':
      if (spec.protocol === 'tcp' && state.held === undefined) {
        const what = 'the connections that hold ports, which this capture does not have';
        return unknown(spec, what, 'make a new capture', []);
      }
      return {
        ...nothing,
        ok: true,
        unless: unseen(state, spec),
        exposure: exposureThen(host, spec),
        explanation: `${named(spec)} can be bound.`,
      };
  }
}

const nothing = {
  ok: false,
  error: null,
  conflicts: [],
  connections: [],
  unknown: null,
  unless: [],
  exposure: null,
} as const satisfies Omit<BindCheck, 'explanation'> as unknown as Omit<BindCheck, 'explanation'>;

function unknown(
  spec: CheckedSpec,
  what: string,
  remedy: string | null,
  by: readonly Taken[],
): BindCheck {
  const advice = remedy === null ? '' : ` (${remedy})`;
  return {
    ...nothing,
    ...sorted(by, spec.port),
    unknown: { what, remedy },
    explanation: `Whether ${named(spec)} can be bound is unknown: it depends on ${what}${advice}.`,
  };
}

/** Parts of a capture without which nothing can be told. */
const needed: readonly MissingPart[] = ['interfaces', 'routes', 'settings', 'sockets'];

function notCaptured({ missing }: HostState): { what: string; remedy: string } | null {
  const part = missing.find(({ what }) => needed.includes(what));
  if (!part) return null;
  const { what, reason, remedy } = part;
  return { what: `${what}, which could not be read: ${reason}`, remedy };
}

function conflictOf(host: Host, spec: CheckedSpec): Conflict {
  if (spec.port === 0) return anyPortConflict(host, spec);
  return spec.protocol === 'tcp' ? tcpConflict(host, spec) : udpConflict(host, spec);
}

/** Before Linux 6.8, and in /proc/net, a TCP socket that is bound and no more is not listed. */
function unseen({ where, sockets }: HostState, { protocol, port }: CheckedSpec): string[] {
  if (protocol === 'udp' || port === 0) return [];
  const [major = 0, minor = 0] = where.kernel.split('.').map(Number.parseFloat);
  const old = major < 6 || (major === 6 && minor < 8);
  const procfs = sockets.some(({ source }) => source === 'procfs');
  if (!old && !procfs) return [];
  return [
    `a TCP socket is bound to port ${port} and neither listens nor is connected: ${old ? `Linux ${where.kernel}` : '/proc/net'} lists none of those`,
  ];
}

function sorted(by: readonly Taken[], port: number): Pick<BindCheck, 'conflicts' | 'connections'> {
  return {
    conflicts: by.flatMap(({ socket }) => (socket ? [socket] : [])),
    connections: by.flatMap(({ held }) => {
      if (!held) return [];
      const { ports: _, ...kind } = held;
      return [{ ...kind, port }];
    }),
  };
}

function named({ protocol, family, text, port, boundInterface }: CheckedSpec): string {
  const host = family === 'ipv6' ? `[${text}]` : text;
  const device = boundInterface === null ? '' : ` on device ${boundInterface}`;
  return `${host}:${port}${device} (${protocol.toUpperCase()})`;
}

/** Who is in the way, as the rest of a sentence. */
function holders(by: readonly Taken[], { port }: CheckedSpec): string {
  const [first] = by;
  if (!first) return 'every port that the kernel may choose is reserved';
  const more = by.length > 1 ? `, and ${by.length - 1} more` : '';
  if (first.socket) return `${describe(first.socket)} holds it${more}`;
  const kind = first.timeWait ? 'closed connections, in TIME-WAIT,' : 'connections';
  const address = formatAddress(first.address);
  const where = address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
  return `${kind} of ${where} still hold it${more}`;
}

/** The exposure of the socket on a copy of the state that has it. */
function exposureThen(host: Host, spec: CheckedSpec): Exposure | null {
  if (spec.port === 0) return null;
  const socket = socketOf(host, spec);
  const copy = { ...host.state, sockets: [...host.state.sockets, socket] };
  const rows = exposure(copy, { protocol: spec.protocol, localPort: spec.port });
  return rows.find((row) => row.socket === socket) ?? null;
}

function socketOf({ state }: Host, spec: CheckedSpec): Socket {
  const { protocol, family, text, port, boundInterface, uid } = spec;
  const tcp = protocol === 'tcp';
  const standsOn = state.interfaces.filter(
    ({ name, addresses }) =>
      (boundInterface === null || name === boundInterface) &&
      (isUnspecified(parseAddress(text)!) || addresses.some(({ address }) => address === text)),
  );
  return {
    protocol,
    family,
    state: tcp ? 'listen' : 'unconnected',
    local: { address: text, port },
    remote: null,
    interfaces: boundInterface === null ? standsOn.map(({ name }) => name) : [boundInterface],
    boundInterface,
    v6only: family === 'ipv6' ? v6onlyInForce(spec) : null,
    inode: 0,
    cookie: null,
    uid,
    receiveQueue: 0,
    sendQueue: 0,
    backlog: tcp ? { length: 0, limit: 1 } : null,
    mark: 0,
    cgroup: null,
    transparent: false,
    reuseAddress: spec.reuseAddress,
    reusePort: spec.reusePort,
    source: 'netlink',
    owners: [],
  };
}
