import { EarshotError } from '../errors.js';
import { addressFromBytes, formatPrefix } from './address.js';
import { invalid, show } from './arguments.js';
import { AddressTexts, CookieTexts, wordsOf } from './column-texts.js';
import type { ExtendedFacts, TcpNumber } from './extended.js';
import type { Endpoint, Process, Socket, SocketState } from './socket.js';
import { RowFlag, type SocketColumns, type SocketTableData } from './socket-columns.js';

/** The states of TCP by the kernel's number (net/tcp_states.h); 12 is never seen from outside. */
export const TCP_STATES: readonly (SocketState | undefined)[] = [
  undefined,
  'established',
  'syn-sent',
  'syn-received',
  'fin-wait-1',
  'fin-wait-2',
  'time-wait',
  'closed',
  'close-wait',
  'last-ack',
  'listen',
  'closing',
  undefined,
  'bound',
];

/** The states of UDP, which borrows TCP's numbers: ESTABLISHED after connect(), else CLOSE. */
export const UDP_STATES: readonly (SocketState | undefined)[] = [
  undefined,
  'established',
  undefined,
  undefined,
  undefined,
  undefined,
  undefined,
  'unconnected',
];

const TCP = 6;
const TCP_LISTEN = 10;

/** The arrays a column can be. */
export type TypedArray = Uint8Array | Uint16Array | Uint32Array | BigUint64Array;

/** Who holds the socket of an inode, as a map has it. */
export interface OwnersByInode {
  get(inode: number): Process[] | undefined;
}

/** What was told of each row beside the columns. */
export interface FactsByRow {
  at(row: number): ExtendedFacts | null;
  tcpColumn(name: TcpNumber): Float64Array;
}

/**
 * Sockets as typed-array columns, a row a socket in the order read. A record is made when it is
 * asked for, so that a table of 100,000 sockets costs what is looked at.
 *
 * @example
 * ```js
 * import { socketTable } from 'earshot';
 * const { state } = (await socketTable({ protocol: 'tcp' })).columns;
 * console.log(state.filter((number) => number === 1).length, 'established');
 * ```
 */
export class SocketTable implements Iterable<Socket> {
  /** How many sockets there are. */
  readonly length: number;
  /**
   * `protocol` (6 TCP, 17 UDP), `family` (4, 6), `state` (the kernel's TCP_* number), `localPort`,
   * `remotePort`, `localAddress` and `remoteAddress` (16 bytes a row in network order, an IPv4
   * address in the first 4), `boundInterface` (index), `inode`, `cookie`, `uid`, `receiveQueue`,
   * `sendQueue` (for a TCP listener its accept queue and the limit of that), `mark`, `cgroup`.
   */
  get columns(): Readonly<Omit<SocketColumns, 'length'>> {
    // Who asks for records alone never needs it, and asks often.
    if (!this.#shown) {
      const { length: _, ...columns } = this.#columns;
      this.#shown = columns;
    }
    return this.#shown;
  }

  readonly #columns: SocketColumns;
  #shown: Omit<SocketColumns, 'length'> | null = null;
  readonly #interfaceSets: readonly string[][];
  readonly #interfaceNames: ReadonlyMap<number, string>;
  readonly #cgroups: ReadonlyMap<bigint, string>;
  /** Prefixes of peers that must sign, by row. */
  readonly #keyedPeers: ReadonlyMap<number, string[]> | null;
  readonly #owners: OwnersByInode | null;
  readonly #facts: FactsByRow | null;
  /** What many rows share is made once. */
  readonly #local: AddressTexts;
  readonly #remote: AddressTexts;
  readonly #cookies: CookieTexts;
  readonly #cgroupWords: Uint32Array;
  /** The row whose cgroup `#cgroupText` is: neighbours mostly share theirs. */
  #cgroupRow = -1;
  #cgroupText: string | null = null;

  /**
   * `owners` are the processes by the inode of the socket, `facts` what is told beside the columns;
   * `null` where nobody asked.
   */
  constructor(
    data: SocketTableData,
    owners: OwnersByInode | null = null,
    facts: FactsByRow | null = null,
  ) {
    const { columns } = data;
    this.length = columns.length;
    this.#columns = columns;
    this.#interfaceSets = data.interfaceSets.map((names) => Object.freeze(names) as string[]);
    this.#interfaceNames = new Map(data.interfaceNames);
    this.#cgroups = new Map(data.cgroups);
    this.#keyedPeers = keyedPeersOf(data);
    this.#owners = owners;
    this.#facts = facts;
    this.#local = new AddressTexts(columns.localAddress);
    this.#remote = new AddressTexts(columns.remoteAddress);
    this.#cookies = new CookieTexts(columns.cookie);
    this.#cgroupWords = wordsOf(columns.cgroup);
  }

  /** The record of one row. Throws `ERR_INVALID_ARGUMENT` for a row that is not there. */
  at(row: number): Socket {
    if (!Number.isInteger(row) || row < 0 || row >= this.length) {
      throw new EarshotError(
        'ERR_INVALID_ARGUMENT',
        `row ${String(row)} is not in this table of ${this.length} sockets: rows count from 0`,
      );
    }
    return this.#record(row);
  }

  /**
   * A number of TCP_INFO for each row, NaN where it is not told: `rtt`, `congestionWindow` and so on, in
   * the units of `TcpInfo`. Throws `ERR_INVALID_ARGUMENT` for another name, and for a table that was
   * read without `extended`.
   *
   * @example
   * ```js
   * import { socketTable } from 'earshot';
   * const table = await socketTable({ protocol: 'tcp', state: 'established' }, { extended: true });
   * const slow = table.tcpInfo('rtt').filter((milliseconds) => milliseconds > 100);
   * console.log(slow.length, 'connections with a round trip of more than 100 ms');
   * ```
   */
  tcpInfo(name: TcpNumber): Float64Array {
    if (!this.#facts) {
      throw invalid('this table was read without TCP_INFO: read it with { extended: true }');
    }
    return this.#facts.tcpColumn(name);
  }

  /** Every record, in the order read. */
  *[Symbol.iterator](): Generator<Socket, void, undefined> {
    for (let row = 0; row < this.length; row++) yield this.#record(row);
  }

  /** Every record, in the order read: `Array.from(table)`, sooner. */
  toArray(): Socket[] {
    const records = new Array<Socket>(this.length);
    for (let row = 0; row < this.length; row++) records[row] = this.#record(row);
    return records;
  }

  /**
   * The rows for which `holds` is true, in their order. It is given the row and looks at `columns`,
   * so that no record is made of what is not wanted.
   */
  rowsWhere(holds: (row: number) => boolean): Uint32Array {
    const rows = new Uint32Array(this.length);
    let count = 0;
    for (let row = 0; row < this.length; row++) if (holds(row)) rows[count++] = row;
    return rows.slice(0, count);
  }

  /**
   * Rows in ascending order of a column, and in that of `rows` where it is the same: all, or those
   * given. Addresses are ordered byte by byte. Throws `ERR_INVALID_ARGUMENT` for another column.
   */
  rowsBy(column: keyof SocketTable['columns'], rows?: Uint32Array): Uint32Array {
    const values: TypedArray | undefined = this.columns[column];
    if (values === undefined) {
      const names = Object.keys(this.columns).join(', ');
      throw invalid(`column is ${show(column)}: there are ${names}`);
    }
    const sorted = rows?.slice() ?? Uint32Array.from({ length: this.length }, (_, row) => row);
    const width = this.length === 0 ? 1 : values.length / this.length;
    return sorted.sort((one, other) => {
      for (let at = 0; at < width; at++) {
        const [left, right] = [values[one * width + at]!, values[other * width + at]!];
        if (left !== right) return left < right ? -1 : 1;
      }
      return 0;
    });
  }

  #record(row: number): Socket {
    const columns = this.#columns;
    const isTcp = columns.protocol[row] === TCP;
    const isIpv4 = columns.family[row] === 4;
    const number = columns.state[row]!;
    const flags = columns.flags[row]!;
    const isListener = isTcp && number === TCP_LISTEN;
    const byNetlink = (flags & RowFlag.procfs) === 0;
    const receiveQueue = columns.receiveQueue[row]!;
    const sendQueue = columns.sendQueue[row]!;
    const inode = columns.inode[row]!;
    const socket: Socket = {
      protocol: isTcp ? 'tcp' : 'udp',
      family: isIpv4 ? 'ipv4' : 'ipv6',
      state: stateOf(isTcp, number),
      local: { address: this.#local.at(row, isIpv4), port: columns.localPort[row]! },
      remote: this.#peer(row, isIpv4),
      interfaces: this.#interfaceSets[columns.interfaceSet[row]!] ?? [],
      boundInterface: this.#boundInterface(row),
      v6only: isIpv4 ? null : told(flags, RowFlag.v6onlyKnown, RowFlag.v6only),
      inode,
      cookie: this.#cookies.at(row),
      uid: columns.uid[row]!,
      receiveQueue: isListener ? 0 : receiveQueue,
      sendQueue: isListener ? 0 : sendQueue,
      backlog: isListener && byNetlink ? { length: receiveQueue, limit: sendQueue } : null,
      mark: (flags & RowFlag.markKnown) !== 0 ? columns.mark[row]! : null,
      cgroup: this.#cgroup(row),
      transparent: told(flags, RowFlag.transparentKnown, RowFlag.transparent),
      source: byNetlink ? 'netlink' : 'procfs',
    };
    const keyedPeers = this.#keyedPeers?.get(row);
    if (keyedPeers) socket.keyedPeers = keyedPeers;
    if (this.#facts) socket.extended = this.#facts.at(row);
    if (this.#owners) socket.owners = this.#owners.get(inode) ?? [];
    return socket;
  }

  #peer(row: number, isIpv4: boolean): Endpoint | null {
    const port = this.#columns.remotePort[row]!;
    const address = this.#remote.at(row, isIpv4);
    return port === 0 && (address === '0.0.0.0' || address === '::') ? null : { address, port };
  }

  #boundInterface(row: number): string | null {
    const index = this.#columns.boundInterface[row]!;
    // A device that went away leaves its sockets bound to its index.
    return index === 0 ? null : (this.#interfaceNames.get(index) ?? `if${index}`);
  }

  #cgroup(row: number): string | null {
    const words = this.#cgroupWords;
    const last = this.#cgroupRow;
    if (
      last < 0 ||
      words[2 * row] !== words[2 * last] ||
      words[2 * row + 1] !== words[2 * last + 1]
    ) {
      this.#cgroupRow = row;
      this.#cgroupText = this.#cgroups.get(this.#columns.cgroup[row]!) ?? null;
    }
    return this.#cgroupText;
  }
}

function keyedPeersOf(data: SocketTableData): Map<number, string[]> | null {
  if (!data.keyedPeers?.length) return null;
  const byRow = new Map<number, string[]>();
  for (const [row, family, length, bytes] of data.keyedPeers) {
    const address = addressFromBytes(bytes, 0, family === 4 ? 'ipv4' : 'ipv6');
    const prefix = formatPrefix({ address, length });
    byRow.set(row, [...(byRow.get(row) ?? []), prefix]);
  }
  return byRow;
}

function stateOf(isTcp: boolean, number: number): SocketState {
  const state = (isTcp ? TCP_STATES : UDP_STATES)[number];
  if (state) return state;
  // TCP_NEW_SYN_RECV (12) is what the kernel tells as SYN_RECV.
  return isTcp && number === 12 ? 'syn-received' : 'closed';
}

function told(flags: number, known: number, value: number): boolean | null {
  return (flags & known) === 0 ? null : (flags & value) !== 0;
}
