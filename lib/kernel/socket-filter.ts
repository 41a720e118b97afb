import { addressToBytes, parsePrefix } from '../model/address.js';
import type { Family, PortRange, SocketFilter, SocketState, Transport } from '../model/socket.js';
import { TCP_STATES, UDP_STATES } from '../model/socket-table.js';
import type { SocketQuery } from '../native.js';
import { checkKeys, checkOneOf, invalid, show } from './arguments.js';
import type { CheckedOptions } from './read-options.js';

const KEYS: readonly (keyof SocketFilter)[] = [
  'protocol',
  'family',
  'state',
  'localPort',
  'remotePort',
  'localAddress',
  'remoteAddress',
  'interface',
  'uid',
  'mark',
];
const TRANSPORTS: readonly Transport[] = ['tcp', 'udp'];
const FAMILIES: readonly Family[] = ['ipv4', 'ipv6'];
const TCP_NUMBERS = numbersOf(TCP_STATES);
const UDP_NUMBERS = numbersOf(UDP_STATES);
const STATES = [...new Set([...TCP_NUMBERS.keys(), ...UDP_NUMBERS.keys()])];

/** The bytes in a device's name, IFNAMSIZ less its NUL. */
const INTERFACE_NAME_LIMIT = 15;

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
  options: CheckedOptions,
  within: StateMasks | null = null,
): SocketQuery {
  checkKeys(filter, 'filter', KEYS);
  const transports = listOf(filter.protocol, 'filter.protocol', TRANSPORTS) ?? TRANSPORTS;
  const families = listOf(filter.family, 'filter.family', FAMILIES) ?? FAMILIES;
  const states = statesOf(filter.state);
  const masks = within ?? (states ? { tcp: ~0, udp: ~0 } : ALL_STATES);
  const asked = states ?? { tcp: ~0, udp: ~0 };
  const local = prefixOf(filter.localAddress, 'filter.localAddress');
  const remote = prefixOf(filter.remoteAddress, 'filter.remoteAddress');
  return {
    tcpStates: transports.includes('tcp') ? asked.tcp & masks.tcp : 0,
    udpStates: transports.includes('udp') ? asked.udp & masks.udp : 0,
    families: (families.includes('ipv4') ? 1 : 0) | (families.includes('ipv6') ? 2 : 0),
    localPorts: portPairs(filter.localPort, 'filter.localPort'),
    remotePorts: portPairs(filter.remotePort, 'filter.remotePort'),
    localAddress: local.bytes,
    localPrefixLength: local.length,
    remoteAddress: remote.bytes,
    remotePrefixLength: remote.length,
    boundInterface: interfaceName(filter.interface),
    uid: word(filter.uid, 'filter.uid'),
    mark: word(filter.mark, 'filter.mark'),
    source: options.source,
    netns: options.netns,
  };
}

function numbersOf(names: readonly (SocketState | undefined)[]): Map<SocketState, number> {
  return new Map([...names.entries()].flatMap(([number, name]) => (name ? [[name, number]] : [])));
}

function maskOf(numbers: Iterable<number>): number {
  let mask = 0;
  for (const number of numbers) mask |= 1 << number;
  return mask;
}

/** One of a closed set or a list of them; `null` for any. */
function listOf<Value extends string>(
  value: Value | Value[] | undefined,
  what: string,
  values: readonly Value[],
): Value[] | null {
  if (value === undefined) return null;
  if (!Array.isArray(value)) return [checkOneOf(value, what, values)];
  if (value.length === 0) throw invalid(`${what} is an empty list: leave it out for any`);
  return value.map((one, index) => checkOneOf(one, `${what}[${index}]`, values));
}

function statesOf(value: SocketFilter['state']): StateMasks | null {
  const states = listOf(value, 'filter.state', STATES);
  if (!states) return null;
  const numbers = (table: ReadonlyMap<SocketState, number>): number[] =>
    states.flatMap((state) => table.get(state) ?? []);
  return { tcp: maskOf(numbers(TCP_NUMBERS)), udp: maskOf(numbers(UDP_NUMBERS)) };
}

/** Ranges of ports as pairs of from and to, in order, those that touch made one. */
function portPairs(value: SocketFilter['localPort'], what: string): Uint16Array {
  if (value === undefined) return NO_PORTS;
  const ranges = rangesOf(value, what).sort((one, other) => one.from - other.from);
  const merged: PortRange[] = [];
  for (const { from, to } of ranges) {
    const last = merged.at(-1);
    if (last && from <= last.to + 1) last.to = Math.max(last.to, to);
    else merged.push({ from, to });
  }
  return Uint16Array.from(merged.flatMap(({ from, to }) => [from, to]));
}

function rangesOf(value: number | PortRange | number[], what: string): PortRange[] {
  if (typeof value === 'number') return [single(port(value, what))];
  if (Array.isArray(value)) {
    if (value.length === 0) throw invalid(`${what} is an empty list: leave it out for any port`);
    return value.map((one, index) => single(port(one, `${what}[${index}]`)));
  }
  if (typeof value !== 'object' || value === null) {
    throw invalid(
      `${what} is ${show(value)}: give a port, a list of ports, or a range as { from: 3000, to: 3999 }`,
    );
  }
  checkKeys(value, what, ['from', 'to']);
  const range = { from: port(value.from, `${what}.from`), to: port(value.to, `${what}.to`) };
  if (range.from > range.to) {
    throw invalid(`${what} goes from ${range.from} to ${range.to}: the smaller one comes first`);
  }
  return [range];
}

const single = (one: number): PortRange => ({ from: one, to: one });

function port(value: unknown, what: string): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= 65535) {
    return value;
  }
  throw invalid(`${what} is ${show(value)}: a port is a whole number from 0 to 65535`);
}

function prefixOf(value: unknown, what: string): { bytes: Uint8Array | null; length: number } {
  if (value === undefined) return { bytes: null, length: 0 };
  const prefix = typeof value === 'string' ? parsePrefix(value) : null;
  if (!prefix) {
    throw invalid(
      `${what} is ${show(value)}: give an address or a prefix, such as '192.0.2.1' or '2001:db8::/32'`,
    );
  }
  return { bytes: addressToBytes(prefix.address), length: prefix.length };
}

function interfaceName(value: unknown): string | null {
  if (value === undefined) return null;
  if (typeof value === 'string' && value !== '' && !/[\s/\0]/.test(value)) {
    const bytes = Buffer.byteLength(value);
    if (bytes <= INTERFACE_NAME_LIMIT) return value;
    throw invalid(
      `filter.interface is ${show(value)}, ${bytes} bytes long: the name of an interface has at most ${INTERFACE_NAME_LIMIT}`,
    );
  }
  throw invalid(
    `filter.interface is ${show(value)}: give the name of an interface, such as 'eth0'`,
  );
}

function word(value: unknown, what: string): number | null {
  if (value === undefined) return null;
  if (typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= 0xffffffff) {
    return value;
  }
  throw invalid(`${what} is ${show(value)}: it is a whole number from 0 to 4294967295`);
}
