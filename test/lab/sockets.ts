import { addon, type RawListener } from './addon.js';
import type { Namespace } from './namespaces.js';

const protocols = { tcp: 6, udp: 17 } as const;

/** A socket to open. */
export interface ListenerSpec {
  protocol: 'tcp' | 'udp';
  address: string;
  /** Default 0: the kernel chooses. */
  port?: number;
  /** The interface of a link-local address. */
  scope?: string;
  /** SO_BINDTODEVICE. */
  device?: string;
  /** IPV6_V6ONLY; left as net.ipv6.bindv6only has it when not given. */
  v6only?: boolean;
  /** SO_REUSEADDR. */
  reuseAddress?: boolean;
  /** SO_REUSEPORT. */
  reusePort?: boolean;
  /** IP_FREEBIND: bind to an address that is not there. */
  freebind?: boolean;
  /** IP_TRANSPARENT. */
  transparent?: boolean;
  /** SO_MARK. */
  mark?: number;
  /** The user that owns the socket. */
  uid?: number;
  /** TCP: how many connections may wait. Default 4096. */
  backlog?: number;
  /** TCP: `false` binds and does not listen. Default true. */
  listen?: boolean;
  /** connect() to this peer: a UDP socket hears nobody else then, a TCP one does not listen. */
  connectedTo?: { address: string; port: number };
  /** TCP: peers of this prefix, in CIDR notation, must sign what they send (TCP_MD5SIG_EXT). */
  keyedPeers?: string;
  /** `false`: never accepts or reads; what comes stays in the queue. Default true. */
  serves?: boolean;
  /** Bind without CAP_NET_BIND_SERVICE. */
  unprivileged?: boolean;
  /**
   * UDP: where answers come from. `route`, the default: the address that the route back chooses,
   * as a plain send does. `asked`: the address the question was sent to.
   */
  answerFrom?: 'route' | 'asked';
}

/** A socket that is open. */
export interface Listener {
  readonly spec: ListenerSpec;
  readonly namespace: Namespace;
  readonly fd: number;
  readonly port: number;
  /** As captures and /proc/net show it. */
  readonly inode: number;
}

/** What the kernel refused, and at which call. */
export class ListenError extends Error {
  readonly code: string;
  readonly failedAt: string;

  constructor(namespace: Namespace, spec: ListenerSpec, code: string, failedAt: string) {
    super(`${namespace.name}: ${failedAt} of ${JSON.stringify(spec)}: ${code}`);
    this.code = code;
    this.failedAt = failedAt;
  }
}

/** Opens sockets inside a namespace: for each the listener, or what the kernel refused. */
export function tryListen(namespace: Namespace, specs: ListenerSpec[]): (Listener | ListenError)[] {
  const opened = addon.openListeners(
    namespace.fd,
    specs.map((spec) => rawListener(spec, false)),
  );
  return opened.map(({ fd, port, inode, error, failedAt }, index) => {
    const spec = specs[index]!;
    return error
      ? new ListenError(namespace, spec, error, failedAt)
      : { spec, namespace, fd, port, inode };
  });
}

/** What the kernel says to each bind() and listen(), tried alone: the name of its error, `null` for none. */
export function tryBinds(namespace: Namespace, specs: ListenerSpec[]): (string | null)[] {
  return addon
    .openListeners(
      namespace.fd,
      specs.map((spec) => rawListener(spec, true)),
    )
    .map(({ error }) => error);
}

function rawListener(spec: ListenerSpec, trial: boolean): RawListener {
  return {
    protocol: protocols[spec.protocol],
    address: spec.address,
    port: spec.port ?? 0,
    scope: spec.scope ?? '',
    reuseAddress: spec.reuseAddress ?? false,
    reusePort: spec.reusePort ?? false,
    v6only: spec.v6only ?? null,
    device: spec.device ?? '',
    freebind: spec.freebind ?? false,
    transparent: spec.transparent ?? false,
    mark: spec.mark ?? 0,
    backlog: spec.backlog ?? 4096,
    listen: spec.listen ?? true,
    remoteAddress: spec.connectedTo?.address ?? '',
    remotePort: spec.connectedTo?.port ?? 0,
    uid: spec.uid ?? null,
    keyedAddress: spec.keyedPeers?.split('/')[0] ?? '',
    keyedLength: Number(spec.keyedPeers?.split('/')[1] ?? 0),
    trial,
    unprivileged: spec.unprivileged ?? false,
  };
}

/** Closes sockets that were opened here. */
export function closeListeners(listeners: Listener[]): void {
  addon.closeDescriptors(listeners.map(({ fd }) => fd));
}

/** A flow to make: who asks whom. */
export interface FlowSpec {
  /** Where the client is. */
  from: Namespace;
  protocol: 'tcp' | 'udp';
  /** Left out: the kernel chooses. */
  source?: { address?: string; port?: number };
  destination: { address: string; port: number };
  /** The client's interface for a link-local destination. */
  scope?: string;
  /** SO_BINDTODEVICE of the client. */
  device?: string;
  /** SO_MARK of the client. */
  mark?: number;
  /** IP_TRANSPARENT of the client: it may claim a source that is not its own. */
  transparent?: boolean;
  /** How long nothing may be heard before that is silence. Default 250 ms. */
  timeoutMs?: number;
}

/** What really happened. */
export interface FlowResult {
  /** `reachable`: a server took it and its answer came back. */
  outcome: 'reachable' | 'unreachable';
  /** What the client's program sees: the name of the errno. ETIMEDOUT for silence. */
  symptom: string | null;
  /** Which call told: bind, connect, send, handshake, answer; or silence. */
  failedAt: string | null;
  /** What the client asked from; `null` where connect() was refused before it chose. */
  askedFrom: { address: string; port: number } | null;
  /** TCP: connect() succeeded, even if nothing was heard afterwards. */
  connected: boolean;
  /** The listener that took the flow. */
  acceptedBy: Listener | null;
  /** All that did: several for a broadcast or a multicast. */
  takers: Listener[];
  /** The client as the server saw it. */
  seenAs: { address: string; port: number } | null;
  /** What the server met when it answered. */
  answerError: string | null;
  /** Where the answer came from; it differs from the destination where a UDP server does not care. */
  answeredFrom: { address: string; port: number } | null;
  elapsedMs: number;
}

/** Runs flows, many at once. Every listener of `listeners` that serves does so meanwhile. */
export async function runFlows(
  listeners: Listener[],
  flows: FlowSpec[],
  window = 1024,
): Promise<FlowResult[]> {
  const results = await addon.runFlows(
    listeners
      .filter(({ spec }) => spec.protocol === 'udp' || spec.listen !== false)
      .map(({ fd, spec }) => ({
        fd,
        protocol: protocols[spec.protocol],
        serves: spec.serves ?? true,
        answersFromAsked: spec.answerFrom === 'asked',
      })),
    flows.map((flow) => ({
      netns: flow.from.fd,
      protocol: protocols[flow.protocol],
      source: flow.source?.address ?? '',
      sourcePort: flow.source?.port ?? 0,
      device: flow.device ?? '',
      destination: flow.destination.address,
      port: flow.destination.port,
      scope: flow.scope ?? '',
      mark: flow.mark ?? 0,
      transparent: flow.transparent ?? false,
      timeoutMs: flow.timeoutMs ?? 250,
    })),
    window,
  );
  const serving = listeners.filter(({ spec }) => spec.protocol === 'udp' || spec.listen !== false);
  return results.map((raw) => {
    const takers = raw.takers.map((index) => serving[index]!);
    return {
      outcome: raw.error ? 'unreachable' : 'reachable',
      symptom: raw.error,
      failedAt: raw.error ? raw.failedAt : null,
      askedFrom: raw.source ? { address: raw.source, port: raw.sourcePort } : null,
      connected: raw.connected,
      acceptedBy: takers[0] ?? null,
      takers,
      seenAs: raw.seenSource ? { address: raw.seenSource, port: raw.seenPort } : null,
      answerError: raw.answerError,
      answeredFrom: raw.answeredFrom ? { address: raw.answeredFrom, port: raw.answeredPort } : null,
      elapsedMs: raw.elapsedMs,
    };
  });
}
