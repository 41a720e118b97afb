import { formatAddress, parsePrefix } from '#earshot/model/address.js';
import type { HostState } from '#earshot/model/host-state.js';
import { addressFromNumber, prefixRange } from '#earshot/model/prefix-set.js';
import { type Blocked, type Exposure, exposure, type Reach } from '#earshot/reach/exposure.js';
import { hostOf } from '#earshot/reach/host.js';
import { neverASource } from '#earshot/reach/peers.js';
import { trace } from '#earshot/reach/trace.js';
import type { Cause } from '#earshot/reach/verdict.js';
import type { Random } from './random.js';

/** What came of drawing peers out of the sets of an exposure. */
export interface HeldExposure {
  drawn: number;
  /** Peers of whom trace says something else than the set they are in. */
  wrong: string[];
  /** Sets that are not told apart. */
  unknown: number;
}

/** More prefixes of one set than these are not all drawn from. */
const mostPrefixes = 12;

/**
 * Each set of peers of an exposure is drawn from, at both ends of its prefixes and between, and each
 * of these peers is traced by itself.
 */
export function holdExposure(state: HostState, random: Random): HeldExposure {
  const held: HeldExposure = { drawn: 0, wrong: [], unknown: 0 };
  for (const one of exposure(state)) {
    held.unknown += one.unknown.length;
    for (const row of [...one.reach, ...one.blocked]) {
      const prefixes = Array.from(row.peers);
      while (prefixes.length > mostPrefixes)
        prefixes.splice(random.between(0, prefixes.length - 1), 1);
      for (const prefix of prefixes) drawFrom(state, one, row, prefix, random, held);
    }
  }
  return held;
}

function drawFrom(
  state: HostState,
  { endpoint, socket }: Exposure,
  row: Reach | Blocked,
  text: string,
  random: Random,
  held: HeldExposure,
): void {
  const prefix = parsePrefix(text)!;
  const { first, last } = prefixRange(prefix);
  const within = first + (BigInt(random.between(0, (1 << 20) - 1)) % (last - first + 1n));
  for (const number of new Set([first, last, within])) {
    const peer = addressFromNumber(number, prefix.address.family);
    const address = formatAddress(peer);
    if (row.interface !== 'lo' && isNobody(state, peer, address)) continue;
    const flow = {
      protocol: endpoint.protocol,
      ingress: row.interface,
      ...(row.interface === 'lo' ? {} : { source: { address } }),
      destination: { address: row.address, port: endpoint.port },
    };
    const verdict = trace(state, flow);
    held.drawn++;
    const said = 'cause' in row ? { cause: row.cause, symptom: row.symptom } : null;
    const agrees = said
      ? verdict.outcome === 'unreachable' &&
        verdict.symptom === said.symptom &&
        sameRule(verdict.cause, said.cause)
      : verdict.outcome === 'reachable';
    if (agrees || (said && isAboutSocket(said.cause))) continue;
    held.wrong.push(
      `${address} in ${text} by ${row.interface} to ${row.address} port ${endpoint.port} ` +
        `(socket ${socket?.local.address}): exposure says ${JSON.stringify(said)}, trace ` +
        `${verdict.outcome} ${verdict.symptom} ${JSON.stringify(verdict.cause)}`,
    );
  }
}

/** Sets may hold addresses that no peer can have. */
export function isNobody(state: HostState, peer: Parameters<typeof neverASource>[0], text: string) {
  const { routes } = state;
  const isForMany = routes.some(
    ({ type, destination }) =>
      (type === 'broadcast' || type === 'anycast') &&
      (destination === `${text}/32` || destination === `${text}/128`),
  );
  return isForMany || neverASource(peer) || hostOf(state).owners(text).length > 0;
}

/** The near miss that counts for one socket may not be the one that counts for the packet. */
function isAboutSocket(cause: Cause): boolean {
  return 'socket' in cause || cause.code === 'shadowed' || cause.code === 'no-listener';
}

function sameRule(one: Cause | null, other: Cause): boolean {
  if (one?.code !== other.code) return false;
  if (!('rule' in one) || !('rule' in other)) return true;
  return JSON.stringify(one.rule) === JSON.stringify(other.rule);
}
