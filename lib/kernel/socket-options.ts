import type { Process, Socket } from '../model/socket.js';
import { native, SocketOption } from '../native.js';

/** The options of a socket that only the socket itself tells. */
export interface OwnOptions {
  reuseAddress: boolean;
  reusePort: boolean;
  /** `null` for an IPv4 socket. */
  v6only: boolean | null;
}

/**
 * Asks sockets for their options, by inode: those of this process, and with `everybody` those of
 * others too. One that may not be asked, or that nobody holds any more, is left out.
 */
export async function readOptions(
  owners: ReadonlyMap<number, readonly Process[]>,
  everybody: boolean,
): Promise<Map<number, OwnOptions>> {
  const rows: { inode: number; pid: number; fd: number }[] = [];
  for (const [inode, holders] of owners) {
    const holder = holders.find(({ pid }) => pid === process.pid) ?? holders[0];
    if (!holder || (!everybody && holder.pid !== process.pid)) continue;
    rows.push({ inode, pid: holder.pid, fd: holder.fd });
  }
  const found = new Map<number, OwnOptions>();
  if (rows.length === 0) return found;
  const told = await native.socketOptions({
    pid: Uint32Array.from(rows, ({ pid }) => pid),
    fd: Uint32Array.from(rows, ({ fd }) => fd),
    inode: Uint32Array.from(rows, ({ inode }) => inode),
  });
  for (const [row, bits] of told.entries()) {
    const has = (bit: number) => (bits & bit) !== 0;
    if (!has(SocketOption.known)) continue;
    found.set(rows[row]!.inode, {
      reuseAddress: has(SocketOption.reuseAddress),
      reusePort: has(SocketOption.reusePort),
      v6only: has(SocketOption.v6onlyKnown) ? has(SocketOption.v6only) : null,
    });
  }
  return found;
}

/** Puts the options into the records of the sockets. */
export function joinOptions(sockets: Socket[], options: ReadonlyMap<number, OwnOptions>): void {
  for (const socket of sockets) {
    const own = options.get(socket.inode);
    if (!own) continue;
    socket.reuseAddress = own.reuseAddress;
    socket.reusePort = own.reusePort;
    if (socket.family === 'ipv6') socket.v6only ??= own.v6only;
  }
}
