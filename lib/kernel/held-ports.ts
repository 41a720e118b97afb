import { addressFromBytes, formatAddress } from '../model/address.js';
import type { HeldPorts } from '../model/held-ports.js';
import { RowFlag } from '../model/socket-columns.js';
import type { SocketTable } from '../model/socket-table.js';
import type { StateMasks } from './socket-filter.js';
import type { OwnOptions } from './socket-options.js';

const SYN_RECEIVED = 3;
const FIN_WAIT_2 = 5;
const TIME_WAIT = 6;
const CLOSED = 7;
const LISTEN = 10;
const CLOSING = 11;

/** Every TCP state of a connection: all but CLOSE and LISTEN. */
export const CONNECTION_STATES: StateMasks = {
  tcp: (1 << (CLOSING + 1)) - 2 - (1 << CLOSED) - (1 << LISTEN),
  udp: 0,
};

/** A kind of connection, and the ports met so far. */
interface Kind {
  readonly held: HeldPorts;
  readonly ports: Set<number>;
}

/**
 * The ports that the connections of a table hold, those that a bind() cannot tell apart together.
 * `options` are those that the sockets told, by inode.
 */
export function heldPorts(
  table: SocketTable,
  options: ReadonlyMap<number, OwnOptions>,
): HeldPorts[] {
  const { columns } = table;
  const kinds = new Map<string, Kind>();
  for (let row = 0; row < table.length; row++) {
    const state = columns.state[row]!;
    const inode = columns.inode[row]!;
    const flags = columns.flags[row]!;
    // Of a socket that is more than a remnant, its options are told (inet_diag_msg_attrs_fill).
    const whole = inode !== 0 || (flags & RowFlag.transparentKnown) !== 0;
    // A connection that is being asked for holds no port yet: its listener does.
    if (state === SYN_RECEIVED && !whole) continue;
    const timeWait = state === TIME_WAIT || (state === FIN_WAIT_2 && !whole);
    const own = options.get(inode);
    const address = columns.localAddress.subarray(row * 16, row * 16 + 16).join('.');
    const device = columns.boundInterface[row]!;
    const told = own ? `${own.reuseAddress} ${own.reusePort} ${own.v6only}` : '';
    const key = `${columns.family[row]} ${address} ${device} ${columns.uid[row]} ${timeWait} ${flags & RowFlag.procfs} ${told}`;
    let kind = kinds.get(key);
    if (!kind) {
      kind = { held: kindOf(table, row, timeWait, own), ports: new Set() };
      kinds.set(key, kind);
    }
    kind.ports.add(columns.localPort[row]!);
  }
  return Array.from(kinds.values(), ({ held, ports }) => ({
    ...held,
    ports: [...ports].sort((one, other) => one - other),
  }));
}

function kindOf(
  table: SocketTable,
  row: number,
  timeWait: boolean,
  own: OwnOptions | undefined,
): HeldPorts {
  const { family, boundInterface, uid, source } = table.at(row);
  const address = formatAddress(addressFromBytes(table.columns.localAddress, row * 16, family));
  const held: HeldPorts = { family, address, boundInterface, uid, timeWait, source, ports: [] };
  if (!own) return held;
  const { reuseAddress, reusePort, v6only } = own;
  return { ...held, reuseAddress, reusePort, ...(v6only === null ? {} : { v6only }) };
}
