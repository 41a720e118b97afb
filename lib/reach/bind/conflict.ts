import type { Taken } from './holder.js';

/** What stands in the way of a bind(). */
export type Conflict =
  /** Nothing does. */
  | { readonly kind: 'none' }
  /** These do, each of them surely. */
  | { readonly kind: 'taken'; readonly by: readonly Taken[] }
  /** These may; what decides is not told. */
  | {
      readonly kind: 'unknown';
      readonly by: readonly Taken[];
      readonly what: string;
      readonly remedy: string | null;
    };

/** What is not told of sockets in the way, and what would tell it. */
export function untold(by: readonly Taken[]): Conflict {
  const remnants = by.every(({ timeWait }) => timeWait);
  if (remnants) {
    return {
      kind: 'unknown',
      by,
      what: 'whether the closed connections that still hold the port (TIME-WAIT) had SO_REUSEADDR, as they have it from the server that accepted them: the kernel tells nobody',
      remedy: 'they end within 60 seconds',
    };
  }
  const procfs = by.some(({ deviceTold }) => !deviceTold);
  if (procfs) {
    return {
      kind: 'unknown',
      by,
      what: 'the device and IPV6_V6ONLY of sockets on the port, which /proc/net does not tell',
      remedy: 'capture where netlink may be read',
    };
  }
  return {
    kind: 'unknown',
    by,
    what: 'SO_REUSEADDR and SO_REUSEPORT of what holds the port, which only the sockets themselves tell',
    remedy: "capture as root with { socketOptions: true }; 'earshot bind' does",
  };
}
