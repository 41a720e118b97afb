import { EarshotError } from '../errors.js';
import { addressFromBytes, formatAddress, formatPrefix } from './address.js';
import type { Endpoint, Family, Process, Socket, SocketState } from './socket.js';
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
  readonly columns: Readonly<Omit<SocketColumns, 'length'>>;

  readonly #columns: SocketColumns;
  readonly #interfaceSets: readonly string[][];
  readonly #interfaceNames: ReadonlyMap<number, string>;
  readonly #cgroups: ReadonlyMap<bigint, string>;
  /** Prefixes of peers that must sign, by row. */
  readonly #keyedPeers = new Map<number, string[]>();
  readonly #owners: ReadonlyMap<number, Process[]> | null;
  /** What many rows share is made once. */
  readonly #addressTexts = new Map<number, string>();

  /** `owners` are the processes by the inode of the socket, or `null` where nobody asked. */
  constructor(data: SocketTableData, owners: ReadonlyMap<number, Process[]> | null = null) {
    const { length, ...columns } = data.columns;
    this.length = length;
    this.columns = columns;
    this.#columns = data.columns;
    this.#interfaceSets = data.interfaceSets.map((names) => Object.freeze(names) as string[]);
    this.#interfaceNames = new Map(data.interfaceNames);
    this.#cgroups = new Map(data.cgroups);
    for (const [row, family, length, bytes] of data.keyedPeers ?? []) {
      const address = addressFromBytes(bytes, 0, family === 4 ? 'ipv4' : 'ipv6');
      const prefix = formatPrefix({ address, length });
      this.#keyedPeers.set(row, [...(this.#keyedPeers.get(row) ?? []), prefix]);
    }
    this.#owners = owners;
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

  /** Every record, in the order read. */
  *[Symbol.iterator](): Generator<Socket, void, undefined> {
    for (let row = 0; row < this.length; row++) yield this.#record(row);
  }

  #record(row: number): Socket {
    const columns = this.#columns;
    const isTcp = columns.protocol[row] === TCP;
    const family: Family = columns.family[row] === 4 ? 'ipv4' : 'ipv6';
    const number = columns.state[row]!;
    const flags = columns.flags[row]!;
    const isListener = isTcp && number === TCP_LISTEN;
    const byNetlink = (flags & RowFlag.procfs) === 0;
    const receiveQueue = columns.receiveQueue[row]!;
    const sendQueue = columns.sendQueue[row]!;
    const inode = columns.inode[row]!;
    const socket: Socket = {
      protocol: isTcp ? 'tcp' : 'udp',
      family,
      state: this.#state(isTcp, number),
      local: {
        address: this.#address(columns.localAddress, row, family),
        port: columns.localPort[row]!,
      },
      remote: this.#remote(row, family),
      interfaces: this.#interfaceSets[columns.interfaceSet[row]!] ?? [],
      boundInterface: this.#boundInterface(row),
      v6only: family === 'ipv6' ? told(flags, RowFlag.v6onlyKnown, RowFlag.v6only) : null,
      inode,
      cookie: cookieText(columns.cookie[row]!),
      uid: columns.uid[row]!,
      receiveQueue: isListener ? 0 : receiveQueue,
      sendQueue: isListener ? 0 : sendQueue,
      backlog: isListener && byNetlink ? { length: receiveQueue, limit: sendQueue } : null,
      mark: (flags & RowFlag.markKnown) !== 0 ? columns.mark[row]! : null,
      cgroup: this.#cgroups.get(columns.cgroup[row]!) ?? null,
      transparent: told(flags, RowFlag.transparentKnown, RowFlag.transparent),
      source: byNetlink ? 'netlink' : 'procfs',
    };
    const keyedPeers = this.#keyedPeers.get(row);
    if (keyedPeers) socket.keyedPeers = keyedPeers;
    if (this.#owners) socket.owners = this.#owners.get(inode) ?? [];
    return socket;
  }

  #state(isTcp: boolean, number: number): SocketState {
    const state = (isTcp ? TCP_STATES : UDP_STATES)[number];
    if (state) return state;
    // TCP_NEW_SYN_RECV (12) is what the kernel tells as SYN_RECV.
    return isTcp && number === 12 ? 'syn-received' : 'closed';
  }

  #remote(row: number, family: Family): Endpoint | null {
    const port = this.#columns.remotePort[row]!;
    const address = this.#address(this.#columns.remoteAddress, row, family);
    return port === 0 && (address === '0.0.0.0' || address === '::') ? null : { address, port };
  }

  #address(column: Uint8Array, row: number, family: Family): string {
    const address = addressFromBytes(column, row * 16, family);
    if (family === 'ipv6') {
      return (address.a | address.b | address.c | address.d) === 0 ? '::' : formatAddress(address);
    }
    let text = this.#addressTexts.get(address.a);
    if (text === undefined) {
      text = formatAddress(address);
      this.#addressTexts.set(address.a, text);
    }
    return text;
  }

  #boundInterface(row: number): string | null {
    const index = this.#columns.boundInterface[row]!;
    // A device that went away leaves its sockets bound to its index.
    return index === 0 ? null : (this.#interfaceNames.get(index) ?? `if${index}`);
  }
}

function told(flags: number, known: number, value: number): boolean | null {
  return (flags & known) === 0 ? null : (flags & value) !== 0;
}

function cookieText(cookie: bigint): string | null {
  return cookie === 0n ? null : cookie.toString(16).padStart(16, '0');
}
