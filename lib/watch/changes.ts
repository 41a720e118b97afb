import type { Process, Socket } from '../model/socket.js';
import { SocketTable } from '../model/socket-table.js';
import { NetworkPart, type WatchBatch } from '../native.js';
import type { Change, NetworkChange } from './change.js';

/** The processes of the sockets in a batch, `null` where nobody asked. */
export interface Holders {
  get(inode: number): Process[] | undefined;
}

/** Who holds which socket, by cookie: for when it is gone, and nobody can be found to hold it. */
export type HeldBefore = Map<string, Process[]>;

/** A batch as changes: what has gone comes first, since another may have its place. */
export function changesOf(
  batch: WatchBatch,
  holders: Holders | null,
  heldBefore: HeldBefore,
): Change[] {
  const table = new SocketTable(batch, holders);
  const { closed, opened, changed } = batch;
  const changes: Change[] = [];
  for (const [name, bit] of Object.entries(NetworkPart) as [NetworkChange, number][]) {
    if ((batch.network & bit) !== 0) changes.push({ type: 'network-changed', what: name });
  }
  if (batch.missed) changes.push({ type: 'missed', what: 'sockets' });
  for (let row = 0; row < closed; row++) {
    const socket = table.at(row);
    if (holders) forget(socket, heldBefore);
    changes.push({ type: 'closed', socket });
  }
  for (let row = closed; row < closed + opened; row++) {
    const socket = table.at(row);
    remember(socket, heldBefore);
    changes.push({ type: 'opened', socket });
  }
  const firstChanged = closed + opened;
  for (let row = firstChanged; row < firstChanged + changed; row++) {
    const socket = table.at(row);
    const was = differing(table.at(row + changed), socket);
    if (Object.keys(was).length === 0) continue;
    if (holders && socket.inode === 0) socket.owners = heldBefore.get(socket.cookie ?? '') ?? [];
    else remember(socket, heldBefore);
    changes.push({ type: 'changed', socket, was });
  }
  for (let row = firstChanged + 2 * changed; row < table.length; row++) {
    changes.push({ type: 'opened', socket: table.at(row) });
    changes.push({ type: 'closed', socket: table.at(row) });
  }
  return changes;
}

/** Does a batch tell of a socket that waits for peers? */
export function listenersIn(changes: readonly Change[]): Socket[] {
  return changes.flatMap((change) => {
    if (change.type !== 'opened' && change.type !== 'closed' && change.type !== 'changed')
      return [];
    const { socket } = change;
    const states = change.type === 'changed' ? [socket.state, change.was.state] : [socket.state];
    return states.includes('listen') || states.includes('unconnected') ? [socket] : [];
  });
}

/** How much waits changes all the time; who holds it is told apart. */
const NOT_COMPARED: ReadonlySet<string> = new Set([
  'receiveQueue',
  'sendQueue',
  'backlog',
  'owners',
]);

function differing(before: Socket, after: Socket): Partial<Socket> {
  const was: Record<string, unknown> = {};
  for (const key of Object.keys(before) as (keyof Socket)[]) {
    if (NOT_COMPARED.has(key)) continue;
    if (!equal(before[key], after[key])) was[key] = before[key];
  }
  return was as Partial<Socket>;
}

function equal(one: unknown, other: unknown): boolean {
  if (one === other) return true;
  if (typeof one !== 'object' || typeof other !== 'object') return false;
  return JSON.stringify(one) === JSON.stringify(other);
}

function remember(socket: Socket, heldBefore: HeldBefore): void {
  if (socket.owners && socket.cookie !== null) heldBefore.set(socket.cookie, socket.owners);
}

function forget(socket: Socket, heldBefore: HeldBefore): void {
  if (socket.cookie === null) return;
  socket.owners = heldBefore.get(socket.cookie) ?? [];
  heldBefore.delete(socket.cookie);
}
