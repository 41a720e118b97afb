/** Bits of `SocketColumns.flags`. */
export const RowFlag = {
  v6onlyKnown: 1,
  v6only: 2,
  markKnown: 4,
  transparentKnown: 8,
  transparent: 16,
  /** Read from /proc/net, not from netlink. */
  procfs: 32,
} as const;

/** One read of the socket tables: struct of arrays, a row a socket. All are views on one buffer. */
export interface SocketColumns {
  /** How many rows there are. */
  length: number;
  /** 6 TCP, 17 UDP. */
  protocol: Uint8Array;
  /** 4 or 6. */
  family: Uint8Array;
  /** The kernel's TCP_* number; a socket that is bound and no more has 13 (TCP_BOUND_INACTIVE). */
  state: Uint8Array;
  /**
   * Bits: 1 IPV6_V6ONLY is known, 2 it is on; 4 the mark is known; 8 IP_TRANSPARENT is known, 16 it is on;
   * 32 the row was read from /proc/net.
   */
  flags: Uint8Array;
  /** 0 to 65535. */
  localPort: Uint16Array;
  /** 0 to 65535; 0 without a peer. */
  remotePort: Uint16Array;
  /** 16 bytes a row in network order; an IPv4 address is the first 4, the rest zero. */
  localAddress: Uint8Array;
  /** The same of the peer; zero without one. */
  remoteAddress: Uint8Array;
  /** Interface index of SO_BINDTODEVICE, 0 for none. */
  boundInterface: Uint32Array;
  /** 0 where it has none any more (TIME-WAIT). */
  inode: Uint32Array;
  /** 0 where not told. */
  cookie: BigUint64Array;
  /** The user that owns the socket. */
  uid: Uint32Array;
  /** Bytes not yet read; of a TCP listener, connections that wait for accept(). */
  receiveQueue: Uint32Array;
  /** Bytes not yet acknowledged or sent; of a TCP listener, how many may wait (by netlink alone). */
  sendQueue: Uint32Array;
  /** SO_MARK; 0 where not told. */
  mark: Uint32Array;
  /** The id of its cgroup v2; 0 where not told. */
  cgroup: BigUint64Array;
  /** A number for each set of interfaces that own the local address; the records name them. */
  interfaceSet: Uint32Array;
}

/** The columns as the addon hands them over: one after the other in one block, the widest first. */
export interface ColumnBlock {
  length: number;
  block: ArrayBuffer;
}

/** The columns of a block, in the order of native/sockets/table.h. */
export function columnsOf({ length, block }: ColumnBlock): SocketColumns {
  const at = (offset: number): number => offset * length;
  return {
    length,
    cookie: new BigUint64Array(block, at(0), length),
    cgroup: new BigUint64Array(block, at(8), length),
    localAddress: new Uint8Array(block, at(16), 16 * length),
    remoteAddress: new Uint8Array(block, at(32), 16 * length),
    boundInterface: new Uint32Array(block, at(48), length),
    inode: new Uint32Array(block, at(52), length),
    uid: new Uint32Array(block, at(56), length),
    receiveQueue: new Uint32Array(block, at(60), length),
    sendQueue: new Uint32Array(block, at(64), length),
    mark: new Uint32Array(block, at(68), length),
    interfaceSet: new Uint32Array(block, at(72), length),
    localPort: new Uint16Array(block, at(76), length),
    remotePort: new Uint16Array(block, at(78), length),
    protocol: new Uint8Array(block, at(80), length),
    family: new Uint8Array(block, at(81), length),
    state: new Uint8Array(block, at(82), length),
    flags: new Uint8Array(block, at(83), length),
  };
}

/** The columns, and the texts that their numbers stand for. */
export interface SocketTableData {
  columns: SocketColumns;
  /** Names of interfaces; set 0 is every interface of the namespace. */
  interfaceSets: string[][];
  /** Interface names by index, as pairs, for `boundInterface`. */
  interfaceNames: [number, string][];
  /**
   * For rows with TCP MD5 keys, where that was asked for: the row, 4 or 6, the prefix length, and 16
   * bytes as in the columns.
   */
  keyedPeers?: [row: number, family: number, prefixLength: number, address: Uint8Array][];
  /** Where they were to be kept: the kernel's messages (less netlink's header) one after the other … */
  messages?: Uint8Array;
  /** … and where that of each row ends; rows behind have none. */
  messageEnds?: Uint32Array;
  /** Paths of the cgroups met, by id; an id that could not be resolved is absent. */
  cgroups: [bigint, string][];
}

/** A table as the addon hands it over; `texts` as native/binding/sockets.cc puts them together. */
export type CrossedTable = [
  length: number,
  block: ArrayBuffer,
  texts: string,
  keyedPeers?: SocketTableData['keyedPeers'],
  messages?: Uint8Array,
  messageEnds?: Uint32Array,
  ...more: (number | boolean)[],
];

type Texts = Pick<SocketTableData, 'interfaceSets' | 'interfaceNames' | 'cgroups'>;

/** What was read last has mostly the same texts as what is read next. */
let lastTexts = '';
let last: Texts = { interfaceSets: [], interfaceNames: [], cgroups: [] };

/** What has crossed, as data. */
export function tableDataOf(crossed: CrossedTable): SocketTableData {
  const [length, block, texts, keyedPeers, messages, messageEnds] = crossed;
  if (texts !== lastTexts) {
    last = textsOf(texts.split('\0'));
    lastTexts = texts;
  }
  const { interfaceSets, interfaceNames, cgroups } = last;
  const columns = columnsOf({ length, block });
  const data: SocketTableData = { columns, interfaceSets, interfaceNames, cgroups };
  if (keyedPeers) data.keyedPeers = keyedPeers;
  if (messages && messageEnds) {
    data.messages = messages;
    data.messageEnds = messageEnds;
  }
  return data;
}

function textsOf(words: readonly string[]): Texts {
  let at = 0;
  const next = (): string => words[at++]!;
  const times = <Value>(value: () => Value): Value[] =>
    Array.from({ length: Number(next()) }, value);
  const interfaceSets = times(() => Object.freeze(times(next)) as string[]);
  const interfaceNames = times((): [number, string] => [Number(next()), next()]);
  const cgroups: [bigint, string][] = [];
  // Behind the last NUL there is nothing.
  while (at < words.length - 1) cgroups.push([BigInt(next()), next()]);
  return { interfaceSets, interfaceNames, cgroups };
}
