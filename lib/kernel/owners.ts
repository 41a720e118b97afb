import { invalid, show } from '../model/arguments.js';
import type { Process, ReadOptions, Socket } from '../model/socket.js';
import { native, type OwnerTable } from '../native.js';
import { checkReadOptions } from './read-options.js';

const PROC_ROOT = '/proc';

/** Processes by the inode of the socket they hold, and how many processes could not be looked into. */
export interface Owners {
  byInode: Map<number, Process[]>;
  /** How many processes' descriptors this user may not see. */
  denied: number;
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
  return (await ownersByInode(Uint32Array.of(inode))).get(inode) ?? [];
}

/** The processes that hold sockets, by inode. */
export async function ownersByInode(inodes: Uint32Array): Promise<Map<number, Process[]>> {
  return (await readOwners(inodes)).byInode;
}

/** As `ownersByInode`, blocking. */
export function ownersByInodeSync(inodes: Uint32Array): Map<number, Process[]> {
  const wanted = wantedOf(inodes);
  if (wanted.length === 0) return new Map();
  return joinOwners(native.ownersSync({ inodes: wanted, procRoot: PROC_ROOT })).byInode;
}

/** The processes that hold sockets, and how many could not be looked into. */
export async function readOwners(inodes: Uint32Array): Promise<Owners> {
  const wanted = wantedOf(inodes);
  if (wanted.length === 0) return { byInode: new Map(), denied: 0 };
  return joinOwners(await native.owners({ inodes: wanted, procRoot: PROC_ROOT }));
}

/** Ascending and each once; 0 is a socket that no process holds any more (TIME-WAIT). */
function wantedOf(inodes: Uint32Array): Uint32Array {
  return Uint32Array.from(new Set(inodes))
    .filter((inode) => inode !== 0)
    .sort();
}

/** The rows of an owner table by inode. */
export function joinOwners(table: OwnerTable): Owners {
  const processes = new Map(table.processes.map((process) => [process.pid, process]));
  const byInode = new Map<number, Process[]>();
  for (const [row, inode] of table.inode.entries()) {
    const process = processes.get(table.pid[row]!);
    if (!process) continue; // it ended while it was read
    const { pid, name, command, uid } = process;
    const entry: Process = { pid, fd: table.fd[row]!, name, command, uid };
    const list = byInode.get(inode);
    if (list) list.push(entry);
    else byInode.set(inode, [entry]);
  }
  return { byInode, denied: table.denied };
}
