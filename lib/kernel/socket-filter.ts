import { addressToBytes } from '../model/address.js';
import { invalid, show } from '../model/arguments.js';
import type { PortRange, SocketFilter, SocketState } from '../model/socket.js';
import { checkFilter } from '../model/socket-filter.js';
import { TCP_STATES, UDP_STATES } from '../model/socket-table.js';
import { native, type SocketQuery } from '../native.js';
import type { CheckedOptions } from './read-options.js';

const TCP_NUMBERS = numbersOf(TCP_STATES);
const UDP_NUMBERS = numbersOf(UDP_STATES);

const NO_PORTS = new Uint16Array(0);

/** Bit masks of 1 << state, by transport. */
export interface StateMasks {
  tcp: number;
  udp: number;
}

/** Every state that a table shows when none is asked for: what `ss -a` shows, so not `bound`. */
export const ALL_STATES: StateMasks = {
  tcp: maskOf([...TCP_NUMBERS].flatMap(([state, number]) => (state === 'bound' ? [] : [number]))),
  udp: maskOf(UDP_NUMBERS.values()),
};

/** The states of a socket that waits for peers: listening TCP, unconnected UDP. */
export const LISTENING_STATES: StateMasks = {
  tcp: maskOf([TCP_NUMBERS.get('listen')!]),
  udp: maskOf([UDP_NUMBERS.get('unconnected')!]),
};

/**
 * The kernel's terms for a filter: checks it and throws `ERR_INVALID_ARGUMENT` that names the key
 * and the value met. Of the states, those in `within` are read; without a state in the filter all
 * of them.
 */
export function socketQuery(
  filter: SocketFilter = {},
  options: Pick<CheckedOptions, 'source' | 'netns'>,
  within: StateMasks | null = null,
): SocketQuery {
  const checked = checkFilter(filter);
  const { transports, families, states, localAddress, remoteAddress } = checked;
  const asked = states ? masksOf(states) : { tcp: ~0, udp: ~0 };
  const masks = within ?? (states ? { tcp: ~0, udp: ~0 } : ALL_STATES);
  return {
    tcpStates: transports.includes('tcp') ? asked.tcp & masks.tcp : 0,
    udpStates: transports.includes('udp') ? asked.udp & masks.udp : 0,
    families: (families.includes('ipv4') ? 1 : 0) | (families.includes('ipv6') ? 2 : 0),
    localPorts: portPairs(checked.localPorts),
    remotePorts: portPairs(checked.remotePorts),
    localAddress: localAddress && addressToBytes(localAddress.address),
    localPrefixLength: localAddress?.length ?? 0,
    remoteAddress: remoteAddress && addressToBytes(remoteAddress.address),
    remotePrefixLength: remoteAddress?.length ?? 0,
    boundInterface: checked.interface,
    uid: checked.uid,
    mark: checked.mark,
    cgroup: cgroupId(checked.cgroup),
    source: options.source,
    netns: options.netns,
  };
}

function cgroupId(cgroup: string | number | null): number | null {
  if (typeof cgroup !== 'string') return cgroup;
  const id = native.cgroupId(cgroup);
  if (id !== null) return id;
  throw invalid(
    `filter.cgroup is ${show(cgroup)}, and there is no such cgroup v2: one that was removed has an id still, which can be given instead`,
  );
}

function numbersOf(names: readonly (SocketState | undefined)[]): Map<SocketState, number> {
  return new Map([...names.entries()].flatMap(([number, name]) => (name ? [[name, number]] : [])));
}

function maskOf(numbers: Iterable<number>): number {
  let mask = 0;
  for (const number of numbers) mask |= 1 << number;
  return mask;
}

function masksOf(states: readonly SocketState[]): StateMasks {
  const numbers = (table: ReadonlyMap<SocketState, number>): number[] =>
    states.flatMap((state) => table.get(state) ?? []);
  return { tcp: maskOf(numbers(TCP_NUMBERS)), udp: maskOf(numbers(UDP_NUMBERS)) };
}

/** Ranges of ports as pairs of from and to, in order, those that touch made one. */
function portPairs(ranges: readonly PortRange[]): Uint16Array {
  if (ranges.length === 0) return NO_PORTS;
  const merged: PortRange[] = [];
  for (const { from, to } of [...ranges].sort((one, other) => one.from - other.from)) {
    const last = merged.at(-1);
    if (last && from <= last.to + 1) last.to = Math.max(last.to, to);
    else merged.push({ from, to });
  }
  return Uint16Array.from(merged.flatMap(({ from, to }) => [from, to]));
}
