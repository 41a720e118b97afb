import { EarshotError } from '../errors.js';
import { addressToBytes, parseAddress } from '../model/address.js';
import { invalid, show } from '../model/arguments.js';
import type { ReadOptions, Socket } from '../model/socket.js';
import { type NetlinkRequest, native } from '../native.js';
import { interfaces } from './interfaces.js';
import { checkReadOptions } from './read-options.js';
import { isPermission, privilegeRemedy, refusalText } from './refusal.js';
import { socketTable } from './sockets.js';

const NETLINK_SOCK_DIAG = 4;
const SOCK_DESTROY = 21;
const ENOENT = 2;
const EOPNOTSUPP = 95;

/** struct inet_diag_req_v2 (linux/inet_diag.h). */
const REQUEST_SIZE = 56;
const AT = { family: 0, protocol: 1, states: 4, localPort: 8, remotePort: 10 } as const;
const AT_WORDS = { local: 12, remote: 28, device: 44, cookie: 48 } as const;

/**
 * Closes a socket of whatever process, as the kernel does when a connection breaks: a TCP peer gets a
 * reset, and the process that holds it the error ECONNABORTED (SOCK_DESTROY of sock_diag(7)). Only
 * the very socket that the record is of, by its cookie: never another one that has its addresses and
 * ports now. `false` when it was gone already. A UDP socket gets the error and loses its peer, and
 * keeps a port that it asked for by number. Needs CAP_NET_ADMIN.
 *
 * @throws EarshotError `ERR_INVALID_ARGUMENT` for what is no record, or one without a cookie (read from
 *   /proc/net); `ERR_NETNS`; `ERR_PERMISSION`; `ERR_KERNEL` where the kernel cannot do it
 *   (CONFIG_INET_DIAG_DESTROY), or finds another socket by the addresses and ports, as it does where several
 *   share a port (SO_REUSEPORT); `ERR_UNSUPPORTED_PLATFORM`, `ERR_NO_BINARY`
 * @example
 * ```js
 * import { closeSocket, sockets } from 'earshot';
 * for (const visitor of await sockets({ protocol: 'tcp', remoteAddress: '192.0.2.7' })) {
 *   console.log(visitor.local.port, (await closeSocket(visitor)) ? 'closed' : 'had gone');
 * }
 * ```
 */
export async function closeSocket(socket: Socket, options?: ReadOptions): Promise<boolean> {
  const { netns } = checkReadOptions(options);
  const request = destroyRequest(socket, await deviceOf(socket, options));
  const query = { protocol: NETLINK_SOCK_DIAG, requests: [request], watchGroups: [], netns };
  const [reply] = (await native.netlink(query)).replies;
  if (reply === undefined || reply instanceof Uint8Array) return true;
  const refusal = { syscall: 'sock_diag', errno: reply.errno };
  const what = `${socket.protocol} ${socket.local.address} port ${socket.local.port}`;
  if (isPermission(reply.errno)) {
    throw new EarshotError(
      'ERR_PERMISSION',
      `the socket of ${what} may not be closed: ${refusalText(reply)}; ${privilegeRemedy('CAP_NET_ADMIN')}`,
      refusal,
    );
  }
  if (reply.errno === ENOENT) {
    if (!(await isThere(socket, options))) return false;
    throw new EarshotError(
      'ERR_KERNEL',
      `the socket of ${what} cannot be closed: the kernel looks for it by address and port, and another socket that shares them (SO_REUSEPORT) is found first; end the process that holds it`,
      refusal,
    );
  }
  const remedy = reply.errno === EOPNOTSUPP ? ': this kernel has no CONFIG_INET_DIAG_DESTROY' : '';
  throw new EarshotError(
    'ERR_KERNEL',
    `the kernel did not close the socket of ${what}: ${refusalText(reply)}${remedy}`,
    refusal,
  );
}

/** The request to destroy the socket of a record and no other. */
function destroyRequest(socket: Socket, device: number): NetlinkRequest {
  const payload = new Uint8Array(REQUEST_SIZE);
  const view = new DataView(payload.buffer);
  payload[AT.family] = socket.family === 'ipv4' ? 2 : 10;
  payload[AT.protocol] = socket.protocol === 'tcp' ? 6 : 17;
  view.setUint32(AT.states, 0xffffffff);
  view.setUint16(AT.localPort, socket.local.port);
  view.setUint16(AT.remotePort, socket.remote?.port ?? 0);
  payload.set(bytesOf(socket.local.address), AT_WORDS.local);
  if (socket.remote) payload.set(bytesOf(socket.remote.address), AT_WORDS.remote);
  // The kernel's own byte order from here on.
  const words = new Uint32Array(payload.buffer);
  words[AT_WORDS.device / 4] = device;
  const cookie = BigInt(`0x${socket.cookie}`);
  words[AT_WORDS.cookie / 4] = Number(cookie & 0xffffffffn);
  words[AT_WORDS.cookie / 4 + 1] = Number(cookie >> 32n);
  return { type: SOCK_DESTROY, flags: 0, payload };
}

function bytesOf(text: string): Uint8Array {
  const address = parseAddress(text);
  if (!address) throw invalid(`socket has the address ${show(text)}, which is none`);
  return addressToBytes(address);
}

/** Checks the record, and gives the index of the device that its socket is bound to, 0 for none. */
async function deviceOf(socket: Socket, options: ReadOptions | undefined): Promise<number> {
  if (typeof socket !== 'object' || socket === null || !socket.local) {
    throw invalid(`socket is ${show(socket)}: give a record that sockets() or listeners() gave`);
  }
  if (typeof socket.cookie !== 'string' || !/^[0-9a-f]{16}$/.test(socket.cookie)) {
    throw invalid(
      `socket.cookie is ${show(socket.cookie)}: only the socket of a known cookie is closed, so read it by netlink`,
    );
  }
  const name = socket.boundInterface;
  if (name === null) return 0;
  const found = (await interfaces(options)).find((device) => device.name === name);
  // One that went away is told by its index.
  return found?.index ?? Number(/^if(\d+)$/.exec(name)?.[1] ?? 0);
}

/** Is a socket of this cookie still there? */
async function isThere(socket: Socket, options: ReadOptions | undefined): Promise<boolean> {
  const { protocol, local, cookie } = socket;
  const wanted = BigInt(`0x${cookie}`);
  const { columns } = await socketTable({ protocol, localPort: local.port }, options);
  return columns.cookie.includes(wanted);
}
