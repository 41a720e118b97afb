import {
  fromV4Mapped,
  isV4Mapped,
  type Prefix,
  parseAddress,
  parsePrefix,
  prefixHolds,
} from './address.js';
import { checkKeys, checkOneOf, invalid, show } from './arguments.js';
import type { Family, PortRange, Socket, SocketFilter, SocketState, Transport } from './socket.js';
import { TCP_STATES, UDP_STATES } from './socket-table.js';

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
  'cgroup',
];
const TRANSPORTS: readonly Transport[] = ['tcp', 'udp'];
const FAMILIES: readonly Family[] = ['ipv4', 'ipv6'];
const STATES = [...new Set([...TCP_STATES, ...UDP_STATES])].filter((state) => state !== undefined);

/** The bytes in a device's name, IFNAMSIZ less its NUL. */
const INTERFACE_NAME_LIMIT = 15;

/** A filter whose every value was looked at; `null` means any. */
export interface CheckedFilter {
  transports: readonly Transport[];
  families: readonly Family[];
  states: readonly SocketState[] | null;
  /** Empty for any. */
  localPorts: readonly PortRange[];
  /** Empty for any. */
  remotePorts: readonly PortRange[];
  localAddress: Prefix | null;
  remoteAddress: Prefix | null;
  /** '' for bound to none. */
  interface: string | null;
  uid: number | null;
  mark: number | null;
  /** A path, or an id. */
  cgroup: string | number | null;
}

/** Checks a filter: `ERR_INVALID_ARGUMENT` names the key and the value met. */
export function checkFilter(filter: SocketFilter = {}): CheckedFilter {
  checkKeys(filter, 'filter', KEYS);
  return {
    transports: listOf(filter.protocol, 'filter.protocol', TRANSPORTS) ?? TRANSPORTS,
    families: listOf(filter.family, 'filter.family', FAMILIES) ?? FAMILIES,
    states: listOf(filter.state, 'filter.state', STATES),
    localPorts: rangesOf(filter.localPort, 'filter.localPort'),
    remotePorts: rangesOf(filter.remotePort, 'filter.remotePort'),
    localAddress: prefixOf(filter.localAddress, 'filter.localAddress'),
    remoteAddress: prefixOf(filter.remoteAddress, 'filter.remoteAddress'),
    interface: interfaceName(filter.interface),
    uid: word(filter.uid, 'filter.uid'),
    mark: word(filter.mark, 'filter.mark'),
    cgroup: cgroupOf(filter.cgroup),
  };
}

/** The same for records, which tell a cgroup by its path alone. */
export function checkRecordFilter(filter?: SocketFilter): CheckedFilter {
  const checked = checkFilter(filter);
  if (typeof checked.cgroup !== 'number') return checked;
  throw invalid(`filter.cgroup is ${checked.cgroup}: a record tells the path, so give that`);
}

/** Do all keys of the filter hold for a socket? What the kernel's own filter says, on a record. */
export function matchesFilter(socket: Socket, filter: CheckedFilter): boolean {
  return (
    filter.transports.includes(socket.protocol) &&
    filter.families.includes(socket.family) &&
    (filter.states === null || filter.states.includes(socket.state)) &&
    inRanges(socket.local.port, filter.localPorts) &&
    inRanges(socket.remote?.port ?? 0, filter.remotePorts) &&
    inPrefix(socket.local.address, filter.localAddress) &&
    (filter.remoteAddress === null ||
      (socket.remote !== null && inPrefix(socket.remote.address, filter.remoteAddress))) &&
    (filter.interface === null || (socket.boundInterface ?? '') === filter.interface) &&
    (filter.uid === null || socket.uid === filter.uid) &&
    (filter.mark === null || socket.mark === filter.mark) &&
    (filter.cgroup === null || socket.cgroup === filter.cgroup)
  );
}

function inRanges(port: number, ranges: readonly PortRange[]): boolean {
  return ranges.length === 0 || ranges.some(({ from, to }) => from <= port && port <= to);
}

/** An IPv4 prefix also holds the v4-mapped form of its addresses. */
function inPrefix(text: string, prefix: Prefix | null): boolean {
  if (prefix === null) return true;
  const address = parseAddress(text);
  if (address === null) return false;
  return (
    prefixHolds(prefix, address) ||
    (isV4Mapped(address) && prefixHolds(prefix, fromV4Mapped(address)))
  );
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

function rangesOf(value: SocketFilter['localPort'], what: string): PortRange[] {
  if (value === undefined) return [];
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

function prefixOf(value: unknown, what: string): Prefix | null {
  if (value === undefined) return null;
  const prefix = typeof value === 'string' ? parsePrefix(value) : null;
  if (prefix) return prefix;
  throw invalid(
    `${what} is ${show(value)}: give an address or a prefix, such as '192.0.2.1' or '2001:db8::/32'`,
  );
}

function interfaceName(value: unknown): string | null {
  if (value === undefined) return null;
  if (value === null) return '';
  if (typeof value === 'string' && value !== '' && !/[\s/\0]/.test(value)) {
    const bytes = Buffer.byteLength(value);
    if (bytes <= INTERFACE_NAME_LIMIT) return value;
    throw invalid(
      `filter.interface is ${show(value)}, ${bytes} bytes long: the name of an interface has at most ${INTERFACE_NAME_LIMIT}`,
    );
  }
  throw invalid(
    `filter.interface is ${show(value)}: give the name of an interface, such as 'eth0', or null for bound to none`,
  );
}

/** A path as records have it: from the root of cgroup v2 on, without a slash at its end. */
function cgroupOf(value: unknown): string | number | null {
  if (value === undefined) return null;
  if (typeof value === 'number' && Number.isSafeInteger(value) && value > 0) return value;
  const isPath =
    typeof value === 'string' &&
    value.startsWith('/') &&
    !/\0|\/\//.test(value) &&
    !value.split('/').some((part) => part === '.' || part === '..');
  if (isPath) return value === '/' ? value : value.replace(/\/$/, '');
  throw invalid(
    `filter.cgroup is ${show(value)}: give a path below the mount of cgroup v2, such as '/system.slice/ssh.service', or an id`,
  );
}

function word(value: unknown, what: string): number | null {
  if (value === undefined) return null;
  if (typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= 0xffffffff) {
    return value;
  }
  throw invalid(`${what} is ${show(value)}: it is a whole number from 0 to 4294967295`);
}
