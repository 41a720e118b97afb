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
  length: number;
  /** 6 TCP, 17 UDP. */
  protocol: Uint8Array;
  /** 4 or 6. */
  family: Uint8Array;
  /** The kernel's TCP_* number; a socket that is bound and no more has 13 (TCP_BOUND_INACTIVE). */
  state: Uint8Array;
  flags: Uint8Array;
  localPort: Uint16Array;
  remotePort: Uint16Array;
  /** 16 bytes a row in network order; an IPv4 address is the first 4, the rest zero. */
  localAddress: Uint8Array;
  remoteAddress: Uint8Array;
  /** Interface index of SO_BINDTODEVICE, 0 for none. */
  boundInterface: Uint32Array;
  inode: Uint32Array;
  /** 0 where not told. */
  cookie: BigUint64Array;
  uid: Uint32Array;
  /** As the kernel says it: for a TCP listener the accept queue and its limit (the limit only by netlink). */
  receiveQueue: Uint32Array;
  sendQueue: Uint32Array;
  mark: Uint32Array;
  /** 0 where not told. */
  cgroup: BigUint64Array;
  /** Index into `interfaceSets`: the interfaces that own the local address. */
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
