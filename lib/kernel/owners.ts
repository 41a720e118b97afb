import { invalid, show } from '../model/arguments.js';
import type { Process, ReadOptions, Socket } from '../model/socket.js';
import type { SocketColumns } from '../model/socket-columns.js';
import { native, type OwnerQuery, type OwnerTable } from '../native.js';
import { checkReadOptions } from './read-options.js';

const PROC_ROOT = '/proc';

/** Processes by the inode of the socket they hold; a record is made of what is looked up. */
export class Owners {
  /** How many processes' descriptors this user may not see. */
  readonly denied: number;
  /** There are processes that this user is not even told of (proc(5), hidepid). */
  readonly hidden: boolean;
  readonly #table: OwnerTable;
  readonly #processes: ReadonlyMap<number, OwnerTable['processes'][number]>;

  constructor(table: OwnerTable) {
    this.denied = table.denied;
    this.hidden = table.hidden;
    this.#table = table;
    this.#processes = new Map(table.processes.map((process) => [process.pid, process]));
  }

  /** One entry a descriptor; `[]` for a socket that nobody visible holds. */
  get(inode: number): Process[] {
    const { inode: inodes, pid: pids, fd: fds } = this.#table;
    const found: Process[] = [];
    for (let row = firstAt(inodes, inode); inodes[row] === inode; row++) {
      const process = this.#processes.get(pids[row]!);
      if (!process) continue;
      const { pid, name, command, uid } = process;
      found.push({ pid, fd: fds[row]!, name, command, uid });
    }
    return found;
  }
}

/** The first place in an ascending column whose value is not below `wanted`. */
function firstAt(column: Uint32Array, wanted: number): number {
  let [from, to] = [0, column.length];
  while (from < to) {
    const middle = (from + to) >>> 1;
    if (column[middle]! < wanted) from = middle + 1;
    else to = middle;
  }
  return from;
}

/**
 * The processes that hold a socket open, found by the inode of its record: one entry a descriptor.
 * `[]` for a socket that nobody visible to this user holds; other users' processes are visible to
 * root alone.
 *
 * Throws an `EarshotError`: `ERR_INVALID_ARGUMENT` for what is no socket's record.
 *
 * @example
 * ```js
 * import { listeners, owners } from 'earshot';
 * const [server] = await listeners({ protocol: 'tcp' }, { owners: false });
 * if (server) for (const { pid, name } of await owners(server)) console.log(pid, name);
 * ```
 */
export async function owners(socket: Socket, options?: ReadOptions): Promise<Process[]> {
  checkReadOptions(options);
  const inode = (socket as Socket | null | undefined)?.inode;
  if (typeof inode !== 'number' || !Number.isInteger(inode) || inode < 0 || inode > 0xffffffff) {
    throw invalid(`socket is ${show(socket)}: give a record that sockets() or listeners() gave`);
  }
  return (await readOwners(Uint32Array.of(inode))).get(inode);
}

/** The processes that hold sockets of these inodes. */
export async function readOwners(inodes: Uint32Array): Promise<Owners> {
  return new Owners(await native.owners({ inodes, procRoot: PROC_ROOT }));
}

/** The processes that hold the sockets of a table, or of each the first that is found. */
export async function readHolders(columns: SocketColumns, which: true | 'one'): Promise<Owners> {
  return new Owners(await native.owners(holdersQuery(columns, which)));
}

/** As `readHolders`, blocking. */
export function readHoldersSync(columns: SocketColumns, which: true | 'one'): Owners {
  return new Owners(native.ownersSync(holdersQuery(columns, which)));
}

function holdersQuery({ inode, uid }: SocketColumns, which: true | 'one'): OwnerQuery {
  const query: OwnerQuery = { inodes: inode, procRoot: PROC_ROOT };
  return which === true ? query : { ...query, one: true, uids: Uint32Array.from(new Set(uid)) };
}
