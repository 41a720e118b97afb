import { loadAddon } from './addon.js';
import { translate } from './addon-error.js';
import type { Family } from './model/socket.js';
import {
  type ColumnBlock,
  type CrossedTable,
  columnsOf,
  type SocketColumns,
  type SocketTableData,
  tableDataOf,
} from './model/socket-columns.js';

/*
 * The only file that names what the addon exports. TypeScript validates, native trusts: every value
 * that crosses here has been checked by lib/kernel. A function reads on a libuv worker (or, in
 * another namespace, on a thread of its own that ends with the read); its …Sync twin blocks.
 */

export { RowFlag, type SocketColumns, type SocketTableData } from './model/socket-columns.js';

/** Which sockets, in the kernel's own numbers. */
export interface SocketQuery {
  /** Bit mask of 1 << TCP state; 0: no TCP. Bit 13 asks for sockets that are bound and no more. */
  tcpStates: number;
  /** Bit mask of 1 << state, 1 connected and 7 unconnected; 0: no UDP. */
  udpStates: number;
  /** 1 IPv4, 2 IPv6, 3 both. */
  families: number;
  /** Pairs of from, to; empty for any. */
  localPorts: Uint16Array;
  remotePorts: Uint16Array;
  /** 4 or 16 bytes in network order, or null for any. */
  localAddress: Uint8Array | null;
  localPrefixLength: number;
  remoteAddress: Uint8Array | null;
  remotePrefixLength: number;
  /** The name of the device a socket is bound to, '' for bound to none, or null for any. */
  boundInterface: string | null;
  uid: number | null;
  mark: number | null;
  /** The id of a cgroup v2, exactly; any unless given. */
  cgroup?: number | null;
  /** What the kernel is to tell beside: bits of idiag_ext. With tcp_info it tells who must sign too. */
  extensions?: number;
  /** Also hand over the messages as the kernel sent them. */
  keepsMessages?: boolean;
  source: 'auto' | 'netlink' | 'procfs';
  /** The path of a network namespace, or null for this thread's own. */
  netns: string | null;
}

export interface XtablesQuery {
  family: Family;
  /** Names of tables that are loaded: the kernel would make any other. */
  tables: string[];
  netns: string | null;
}

/** A legacy table as the kernel tells it. */
export interface XtablesBytes {
  /** struct ipt_getinfo or ip6t_getinfo. */
  info: Uint8Array;
  /** The entries, one after the other. */
  entries: Uint8Array;
}

/** One message to send: the header's type and flags, and what follows the header. */
export interface NetlinkRequest {
  type: number;
  /** Beyond NLM_F_REQUEST, which is always set. NLM_F_DUMP is 0x300. */
  flags: number;
  payload: Uint8Array;
}

export interface NetlinkQuery {
  /** NETLINK_*: 0 ROUTE, 4 SOCK_DIAG, 12 NETFILTER. */
  protocol: number;
  requests: NetlinkRequest[];
  /** Multicast groups to listen to meanwhile, by number. */
  watchGroups: number[];
  netns: string | null;
}

/** The kernel's refusal of one request. */
export interface NetlinkRefusal {
  errno: number;
  /** The kernel's extended-ack text, or ''. */
  detail: string;
}

export interface NetlinkAnswer {
  /** For each request: all its reply messages with their headers, one after the other, or the refusal. */
  replies: (Uint8Array | NetlinkRefusal)[];
  /** True when a watched group spoke while the requests were answered. */
  changed: boolean;
}

/** What has to be known of an nftables set to read its elements. */
export interface SetShape {
  /** Bytes. */
  keyLength: number;
  /** Bytes of a value; 0 where the set maps to none. */
  valueLength: number;
  /** It maps to verdicts. */
  verdicts: boolean;
  /** An element is a first and a last key. */
  ranges: boolean;
}

export interface SetElementsQuery {
  /** The dump of each set's elements, asked one after the other. */
  sets: { request: NetlinkRequest; shape: SetShape }[];
  netns: string | null;
}

/** What elements of a set carry: whole netlink attributes, each once, in the order in which they were met. */
export interface SharedAttributes {
  bytes: Uint8Array;
  /** Where each attribute ends. */
  ends: Uint32Array;
  /** For each element the number of its attribute, -1 for none; empty where only `catchall` has one. */
  rows: Int32Array;
}

/** The elements of a set, sorted by key; of equal keys those first that close an interval. */
export interface SetElements {
  size: number;
  keys: Uint8Array;
  keyEnds: Uint8Array | null;
  /** Bit `row & 7` of byte `row >> 3`: the element closes an interval. */
  closes: Uint8Array;
  values: Uint8Array;
  verdicts: SharedAttributes | null;
  objects: SharedAttributes | null;
  expressions: SharedAttributes | null;
  /** The element for every other key; numbers as in `rows`. */
  catchall: {
    value: Uint8Array | null;
    verdict: number;
    object: number;
    expressions: number;
  } | null;
}

export interface FileQuery {
  /** Absolute paths. What depends on the namespace is read through /proc/thread-self/net and /proc/sys/net. */
  paths: string[];
  netns: string | null;
}

export interface OwnerQuery {
  /** Inodes of sockets in any order, or null for all; 0 is none. */
  inodes: Uint32Array | null;
  /** Where proc(5) is mounted; a parameter so that recorded trees can be read. */
  procRoot: string;
  /** One descriptor for each inode is enough, whoever has it. */
  one?: boolean;
  /** The users of the sockets: where one is enough, their processes are looked at first. */
  uids?: Uint32Array;
}

export interface OwnerTable {
  /** A row for each descriptor found, in ascending order of inode, process and descriptor: */
  inode: Uint32Array;
  pid: Uint32Array;
  fd: Uint32Array;
  /** The processes named by `pid`, each once. */
  processes: { pid: number; name: string; command: string[]; uid: number }[];
  /** How many processes' descriptors this user may not see. */
  denied: number;
  /** There are processes that this user is not even told of (proc(5), hidepid). */
  hidden: boolean;
}

/** Descriptors of sockets, by row, as an owner table has them. */
export interface DescriptorTable {
  pid: Uint32Array;
  fd: Uint32Array;
  inode: Uint32Array;
}

/** Bits of what `socketOptions` tells of one socket. */
export const SocketOption = {
  /** The options could be asked; else nothing is told. */
  known: 1,
  reuseAddress: 2,
  reusePort: 4,
  v6onlyKnown: 8,
  v6only: 16,
} as const;

/** What to watch, in the kernel's own numbers. */
export interface WatchQuery extends SocketQuery {
  intervalMs: number;
  /** Tell the sockets that are there already as opened. */
  existing: boolean;
  /** Tell also the sockets that opened and closed between two polls. */
  fleeting: boolean;
}

/** Bits of `WatchBatch.network`. */
export const NetworkPart = {
  interfaces: 1,
  addresses: 2,
  routes: 4,
  rules: 8,
  firewall: 16,
} as const;

/**
 * What has changed, or a part of it. Rows are, one after the other: sockets that closed, that opened,
 * that changed as they are, the same as they were, and that opened and closed.
 */
export interface WatchBatch extends SocketTableData {
  closed: number;
  opened: number;
  changed: number;
  /** `NetworkPart` bits. */
  network: number;
  /** Sockets that opened and closed between two polls may be missing. */
  missed: boolean;
}

/** A watch that runs, on a thread of its own. */
export interface NativeWatch {
  /** The next batch; `null` when there will be none. Not before the last one has come. */
  next(): Promise<WatchBatch | null>;
  /** Settles when the first look is done, or it is over. */
  ready: Promise<void>;
  /** Settles when the thread has ended. Asked once. */
  close(): Promise<void>;
  /** Whether one who waits for a batch keeps the process running; it does unless told otherwise. */
  setRef(keeps: boolean): void;
}

interface Native {
  /** The id of the cgroup v2 at a path below the mount, `null` where there is none. */
  cgroupId(path: string): number | null;
  readSockets(query: SocketQuery): Promise<SocketTableData>;
  /**
   * The same in parts, each while the next is read: `take` is given what is to take the place of all
   * rows from `first` on. It is called no more when the promise settles.
   */
  readSocketsInParts(
    query: SocketQuery,
    take: (first: number, part: SocketTableData) => void,
  ): Promise<void>;
  readSocketsSync(query: SocketQuery): SocketTableData;
  /** What `readSockets` reads by netlink, as the raw messages of each table, for recording. */
  dumpSocketsSync(query: SocketQuery): { protocol: number; family: number; bytes: Uint8Array }[];
  /** Pure: recorded sock_diag messages of one protocol into columns (interfaceSet all 0). */
  decodeSockets(bytes: Uint8Array, protocol: number): SocketColumns;
  /** Pure: a /proc/net table's text into columns. */
  decodeProcSockets(
    text: Uint8Array,
    protocol: number,
    family: number,
    littleEndian: boolean,
  ): SocketColumns;
  netlink(query: NetlinkQuery): Promise<NetlinkAnswer>;
  netlinkSync(query: NetlinkQuery): NetlinkAnswer;
  readSetElements(query: SetElementsQuery): Promise<(SetElements | NetlinkRefusal)[]>;
  /** Pure: what `readSetElements` makes of recorded messages; `swapped` where their host's byte order is the other. */
  packSetElements(bytes: Uint8Array, shape: SetShape, swapped: boolean): SetElements;
  /** The bytes of each file, or the positive errno it was refused with. */
  readFiles(query: FileQuery): Promise<(Uint8Array | number)[]>;
  readFilesSync(query: FileQuery): (Uint8Array | number)[];
  /** Each legacy table of iptables, or the positive errno it was refused with. */
  readXtables(query: XtablesQuery): Promise<(XtablesBytes | number)[]>;
  owners(query: OwnerQuery): Promise<OwnerTable>;
  ownersSync(query: OwnerQuery): OwnerTable;
  /** A byte of `SocketOption` bits for each row; 0 for a socket that could not be asked. */
  socketOptions(descriptors: DescriptorTable): Promise<Uint8Array>;
  /** Waits for the first look at listeners. */
  startWatch(query: WatchQuery): NativeWatch;
}

/** What a batch of a watch has behind the table. */
type BatchValues = [
  closed: number,
  opened: number,
  changed: number,
  network: number,
  missed: boolean,
];

/** A query as the addon takes it. */
type Packed = [numbers: Float64Array, query: SocketQuery | null];

/** The addon itself, where that is sooner with other values than those that lib/ has. */
interface Addon
  extends Omit<
    Native,
    'readSockets' | 'readSocketsSync' | 'readSocketsInParts' | 'dumpSocketsSync' | 'startWatch'
  > {
  readSockets(...query: Packed): Promise<CrossedTable>;
  readSocketsSync(...query: Packed): CrossedTable;
  readSocketsInParts(
    ...values: [...Packed, take: (first: number, part: CrossedTable) => void]
  ): Promise<void>;
  dumpSocketsSync(...query: Packed): ReturnType<Native['dumpSocketsSync']>;
  startWatch(...query: Packed): Omit<NativeWatch, 'ready' | 'next'> & {
    ready(): Promise<void>;
    next(): Promise<CrossedTable | null>;
  };
}

const load = () => loadAddon() as Addon;

/** The sources by the addon's numbers. */
const SOURCES: readonly SocketQuery['source'][] = ['auto', 'netlink', 'procfs'];
const numbers = new Float64Array(9);

/** A query as the addon takes it: its numbers, and itself where it has more than is mostly asked. */
function packed(query: SocketQuery): Packed {
  const { localPorts, remotePorts, localAddress, remoteAddress, boundInterface, netns } = query;
  numbers[0] = query.tcpStates;
  numbers[1] = query.udpStates;
  numbers[2] = query.families;
  numbers[3] = query.uid ?? -1;
  numbers[4] = query.mark ?? -1;
  numbers[5] = query.cgroup ?? -1;
  numbers[6] = query.extensions ?? 0;
  numbers[7] = query.keepsMessages ? 1 : 0;
  numbers[8] = SOURCES.indexOf(query.source);
  const isPlain =
    localPorts.length === 0 &&
    remotePorts.length === 0 &&
    localAddress === null &&
    remoteAddress === null &&
    boundInterface === null &&
    netns === null;
  return [numbers, isPlain ? null : query];
}

const decodeSockets = translated('decodeSockets');
const decodeProcSockets = translated('decodeProcSockets');

/** The addon's functions; an addon error becomes an EarshotError. */
export const native: Native = {
  async readSockets(query) {
    try {
      return tableDataOf(await load().readSockets(...packed(query)));
    } catch (error) {
      throw translate(error, query);
    }
  },
  async readSocketsInParts(query, take) {
    try {
      const takeCrossed = (first: number, part: CrossedTable) => take(first, tableDataOf(part));
      await load().readSocketsInParts(...packed(query), takeCrossed);
    } catch (error) {
      throw translate(error, query);
    }
  },
  readSocketsSync: (query) =>
    tableDataOf(attempt(query, () => load().readSocketsSync(...packed(query)))),
  dumpSocketsSync: (query) => attempt(query, () => load().dumpSocketsSync(...packed(query))),
  cgroupId: translated('cgroupId'),
  decodeSockets: (...values) => columnsOf(blockOf(decodeSockets(...values))),
  decodeProcSockets: (...values) => columnsOf(blockOf(decodeProcSockets(...values))),
  netlink: promised('netlink'),
  netlinkSync: translated('netlinkSync'),
  readSetElements: promised('readSetElements'),
  packSetElements: translated('packSetElements'),
  readFiles: promised('readFiles'),
  readFilesSync: translated('readFilesSync'),
  readXtables: promised('readXtables'),
  owners: promised('owners'),
  ownersSync: translated('ownersSync'),
  socketOptions: promised('socketOptions'),
  startWatch(query) {
    const watch = attempt(query, () => load().startWatch(packed(query)[0], query));
    const next = async (): Promise<WatchBatch | null> => {
      try {
        const crossed = await watch.next();
        if (crossed === null) return null;
        const [closed, opened, changed, network, missed] = crossed.slice(6) as BatchValues;
        const table = tableDataOf(crossed);
        return { ...table, closed, opened, changed, network, missed };
      } catch (error) {
        throw translate(error, query);
      }
    };
    return {
      ready: watch.ready(),
      next,
      close: () => watch.close(),
      setRef: (keeps) => watch.setRef(keeps),
    };
  },
};

const blockOf = (columns: SocketColumns) => columns as unknown as ColumnBlock;

/** What `call` gives; an error of the addon's in our terms. */
function attempt<Value>(query: unknown, call: () => Value): Value {
  try {
    return call();
  } catch (error) {
    throw translate(error, query);
  }
}

type Call = (...values: unknown[]) => unknown;

function translated<Name extends keyof Addon>(name: Name): Addon[Name] {
  const call = (...values: unknown[]): unknown => {
    try {
      return (load()[name] as Call)(...values);
    } catch (error) {
      throw translate(error, values[0]);
    }
  };
  return call as Addon[Name];
}

/** What gives a promise refuses by it too, also where there is no addon: a caller has one path to mind. */
function promised<Name extends keyof Addon>(name: Name): Addon[Name] {
  const call = async (...values: unknown[]): Promise<unknown> => {
    try {
      return await (load()[name] as Call)(...values);
    } catch (error) {
      throw translate(error, values[0]);
    }
  };
  return call as Addon[Name];
}
