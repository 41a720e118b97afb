import { EarshotError } from '../errors.js';
import type { Socket, SocketFilter, SocketOptions } from '../model/socket.js';
import { RowFlag, type SocketTableData } from '../model/socket-columns.js';
import { SocketTable } from '../model/socket-table.js';
import { native, type SocketQuery } from '../native.js';
import { KeptFacts } from './kept-facts.js';
import { readHolders, readHoldersSync } from './owners.js';
import { type CheckedOptions, type CheckedSockets, checkSocketOptions } from './read-options.js';
import { privilegeRemedy } from './refusal.js';
import { LISTENING_STATES, type StateMasks, socketQuery } from './socket-filter.js';

/** Bits of idiag_ext, 1 << (INET_DIAG_* - 1): tcp_info, and all there are but INET_DIAG_MEMINFO, which SKMEMINFO repeats. */
const TCP_INFO = 1 << 1;
const EXTENDED = 0xfe;

/** What a read that asks for no state at all gives, without asking the kernel. */
const NOTHING: SocketTableData = {
  columns: {
    length: 0,
    protocol: new Uint8Array(0),
    family: new Uint8Array(0),
    state: new Uint8Array(0),
    flags: new Uint8Array(0),
    localPort: new Uint16Array(0),
    remotePort: new Uint16Array(0),
    localAddress: new Uint8Array(0),
    remoteAddress: new Uint8Array(0),
    boundInterface: new Uint32Array(0),
    inode: new Uint32Array(0),
    cookie: new BigUint64Array(0),
    uid: new Uint32Array(0),
    receiveQueue: new Uint32Array(0),
    sendQueue: new Uint32Array(0),
    mark: new Uint32Array(0),
    cgroup: new BigUint64Array(0),
    interfaceSet: new Uint32Array(0),
  },
  interfaceSets: [],
  interfaceNames: [],
  cgroups: [],
};

/**
 * The TCP and UDP sockets of a network namespace that a filter lets through, every state but
 * `bound` unless `state` says otherwise. Read by sock_diag(7), or from /proc/net where that is not
 * to be had; each record's `source` says which.
 *
 * Throws an `EarshotError`: `ERR_INVALID_ARGUMENT` for a filter or option that is not of its form,
 * `ERR_NETNS`, `ERR_PERMISSION` or `ERR_KERNEL` where the kernel refuses.
 *
 * @example
 * ```js
 * import { sockets } from 'earshot';
 * const visitors = await sockets({ protocol: 'tcp', state: 'established', localPort: 443 });
 * for (const { remote, sendQueue } of visitors) console.log(remote?.address, sendQueue, 'bytes');
 * ```
 */
export async function sockets(filter?: SocketFilter, options?: SocketOptions): Promise<Socket[]> {
  return (await socketTable(filter, options)).toArray();
}

/**
 * As `sockets`, blocking the thread while the kernel is read.
 *
 * @example
 * ```js
 * import { socketsSync } from 'earshot';
 * console.log(socketsSync({ family: 'ipv6' }).length, 'IPv6 sockets');
 * ```
 */
export function socketsSync(filter?: SocketFilter, options?: SocketOptions): Socket[] {
  const checked = checkSocketOptions(options);
  return readSync(socketsQuery(filter, checked), checked.owners ?? false).toArray();
}

/**
 * The sockets that wait for peers: listening TCP, and UDP that is bound and not connected. With the
 * processes that hold them, unless `owners` is false. Throws as `sockets` does.
 *
 * @example
 * ```js
 * import { listeners } from 'earshot';
 * for (const { local, interfaces, owners } of await listeners({ protocol: 'tcp' })) {
 *   console.log(local.port, interfaces.join(' '), owners?.map((owner) => owner.name).join(' '));
 * }
 * ```
 */
export async function listeners(filter?: SocketFilter, options?: SocketOptions): Promise<Socket[]> {
  const checked = checkSocketOptions(options);
  const query = socketsQuery(filter, checked, LISTENING_STATES);
  return (await read(query, checked.owners ?? true)).toArray();
}

/**
 * As `listeners`, blocking the thread while the kernel is read.
 *
 * @example
 * ```js
 * import { listenersSync } from 'earshot';
 * const ports = listenersSync({ protocol: 'tcp' }, { owners: false }).map(({ local }) => local.port);
 * console.log(ports.includes(3000) ? 'port 3000 is taken' : 'port 3000 is free');
 * ```
 */
export function listenersSync(filter?: SocketFilter, options?: SocketOptions): Socket[] {
  const checked = checkSocketOptions(options);
  const query = socketsQuery(filter, checked, LISTENING_STATES);
  return readSync(query, checked.owners ?? true).toArray();
}

/**
 * As `sockets`, as typed-array columns that make a record when one is asked for: for hosts with
 * hundreds of thousands of sockets. Throws as `sockets` does.
 *
 * @example
 * ```js
 * import { socketTable } from 'earshot';
 * const table = await socketTable({ protocol: 'tcp' });
 * const waiting = table.columns.receiveQueue.reduce((sum, bytes) => sum + bytes, 0);
 * console.log(table.length, 'sockets', waiting, 'bytes', table.length > 0 ? table.at(0) : null);
 * ```
 */
export async function socketTable(
  filter?: SocketFilter,
  options?: SocketOptions,
): Promise<SocketTable> {
  const checked = checkSocketOptions(options);
  return read(socketsQuery(filter, checked), checked.owners ?? false);
}

function socketsQuery(
  filter: SocketFilter | undefined,
  checked: CheckedSockets,
  within: StateMasks | null = null,
): SocketQuery {
  const query = socketQuery(filter, checked, within);
  return checked.extended ? { ...query, extensions: EXTENDED, keepsMessages: true } : query;
}

/**
 * The sockets in given states, for what is built on this: states in the kernel's numbers. With the
 * peers that must sign, which costs the kernel a tcp_info for each TCP socket besides.
 */
export function readStates(states: StateMasks, options: CheckedOptions): Promise<SocketTable> {
  const query = socketQuery({}, options);
  return read(
    { ...query, tcpStates: states.tcp, udpStates: states.udp, extensions: TCP_INFO },
    false,
  );
}

/** The same for TCP connections, of which there may be very many: no more is asked than is listed. */
export function readConnections(states: StateMasks, options: CheckedOptions): Promise<SocketTable> {
  const query = socketQuery({}, options);
  return read({ ...query, tcpStates: states.tcp, udpStates: states.udp }, false);
}

async function read(query: SocketQuery, owners: boolean | 'one'): Promise<SocketTable> {
  const data = asksNothing(query) ? NOTHING : await native.readSockets(query);
  if (isEmptyForUntold(query, data)) refuseUntold(query, await native.readSockets(told(query)));
  checkUnbound(query, data);
  const holders = owners ? await readHolders(data.columns, owners) : null;
  return new SocketTable(data, holders, factsOf(query, data));
}

function readSync(query: SocketQuery, owners: boolean | 'one'): SocketTable {
  const data = asksNothing(query) ? NOTHING : native.readSocketsSync(query);
  if (isEmptyForUntold(query, data)) refuseUntold(query, native.readSocketsSync(told(query)));
  checkUnbound(query, data);
  const holders = owners ? readHoldersSync(data.columns, owners) : null;
  return new SocketTable(data, holders, factsOf(query, data));
}

function factsOf(query: SocketQuery, data: SocketTableData): KeptFacts | null {
  return query.keepsMessages ? new KeptFacts(data) : null;
}

/** Nothing matched, and it was asked for what this user or this source may not be told. */
function isEmptyForUntold(query: SocketQuery, { columns }: SocketTableData): boolean {
  const asks =
    query.mark !== null || query.boundInterface !== null || (query.cgroup ?? null) !== null;
  return columns.length === 0 && asks && !asksNothing(query);
}

/** The same sockets whatever their mark, device and cgroup. */
function told(query: SocketQuery): SocketQuery {
  return { ...query, mark: null, boundInterface: null, cgroup: null };
}

/** "Bound to none" is not what /proc/net tells of its sockets: it does not tell. */
function checkUnbound(query: SocketQuery, { columns }: SocketTableData): void {
  if (query.boundInterface !== '' || columns.length === 0) return;
  if (columns.flags.some((flag) => (flag & RowFlag.procfs) !== 0)) throw notInProcfs(query);
}

function notInProcfs(query: SocketQuery): EarshotError {
  const key = query.mark !== null ? 'mark' : query.boundInterface !== null ? 'interface' : 'cgroup';
  return new EarshotError(
    'ERR_INVALID_ARGUMENT',
    `filter.${key} cannot be answered from /proc/net, which does not tell it: read by netlink (options.source is '${query.source}')`,
  );
}

/** "No socket has that mark" must not be the answer where no mark was told. */
function refuseUntold(query: SocketQuery, { columns }: SocketTableData): void {
  const { flags, length } = columns;
  if (length === 0) return;
  if (flags.every((flag) => (flag & RowFlag.procfs) !== 0)) throw notInProcfs(query);
  if ((query.cgroup ?? null) !== null && columns.cgroup.every((id) => id === 0n)) {
    throw new EarshotError(
      'ERR_KERNEL',
      'filter.cgroup cannot be answered: this kernel does not tell the cgroups of sockets (Linux 5.8 and later do)',
    );
  }
  if (query.mark !== null && flags.every((flag) => (flag & RowFlag.markKnown) === 0)) {
    throw new EarshotError(
      'ERR_PERMISSION',
      `filter.mark is ${query.mark}, and the kernel tells marks to CAP_NET_ADMIN alone: ${privilegeRemedy('CAP_NET_ADMIN')}`,
    );
  }
}

function asksNothing(query: SocketQuery): boolean {
  return query.tcpStates === 0 && query.udpStates === 0;
}
