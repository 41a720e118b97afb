import {
  formatAddress,
  isLinkLocal,
  isLoopback,
  isUnspecified,
  isV4Mapped,
  parseAddress,
} from '../../model/address.js';
import { formatEndpoint } from '../../model/endpoint.js';
import type { HostState } from '../../model/host-state.js';
import type { Socket } from '../../model/socket.js';
import { refusalOf } from '../bind/address.js';
import { checkSpec } from '../bind/spec.js';
import { tcpConflict } from '../bind/tcp.js';
import { udpConflict } from '../bind/udp.js';
import { hostOf } from '../host.js';
import type { Change, Failing } from './change.js';
import { movedSocket, withSocket } from './edit.js';
import { listeningOn } from './server-command.js';

/* What a program can do: listen elsewhere. bind() must work there, as `checkBind` has it. */

/** The server on the address that was asked for, and on every address. */
export function listenThere(failing: Failing, socket: Socket): Change[] {
  const { packet } = failing.followed.course;
  const asked = formatAddress(packet.destination);
  const everywhere = packet.family === 'ipv6' ? '::' : '0.0.0.0';
  return [
    ...(isLinkLocal(packet.destination) ? [] : move(failing, socket, { address: asked }, 10)),
    ...(isEverywhere(socket)
      ? []
      : move(failing, socket, { address: everywhere, v6only: false }, 30)),
  ];
}

/** A socket of IPv6 alone takes IPv4 too, or another one does. */
export function listenForIpv4(failing: Failing, socket: Socket): Change[] {
  if (!isEverywhere(socket)) return listenThere(failing, socket);
  const both = move(failing, socket, { v6only: false }, 20, (who) => [
    `Let ${who} listen on :: for IPv4 too (without IPV6_V6ONLY)`,
    null,
  ]);
  const asked = formatAddress(failing.followed.course.packet.destination);
  return [
    ...both,
    ...listenBeside(failing, socket, asked),
    ...listenBeside(failing, socket, '0.0.0.0'),
  ];
}

/** The same for IPv6. */
export function listenForIpv6(failing: Failing, socket: Socket): Change[] {
  const asked = formatAddress(failing.followed.course.packet.destination);
  const beside = listenBeside(failing, socket, asked);
  return isEverywhere(socket)
    ? [...move(failing, socket, { address: '::', v6only: false }, 20), ...beside]
    : [...listenThere(failing, socket), ...beside];
}

/** The server on loopback alone: for IPv4 where it takes that, as people say localhost. */
export function listenOnLoopback(failing: Failing, socket: Socket): Change[] {
  const address = parseAddress(socket.local.address);
  const takesIpv4 =
    socket.family === 'ipv4' || (address && isV4Mapped(address)) || socket.v6only === false;
  return address && !isLoopback(address)
    ? move(failing, socket, { address: takesIpv4 ? '127.0.0.1' : '::1' }, 20)
    : [];
}

/** The server without its device, or on the device by which the packet comes. */
export function listenOnDevice(failing: Failing, socket: Socket): Change[] {
  const { device } = failing.followed.course;
  const { name } = device.vrf ?? device;
  const old = socket.boundInterface;
  return [
    ...move(failing, socket, { boundInterface: name }, 12, (who) => [
      `Let ${who} listen on the device ${name}${old === null ? '' : `, not on ${old}`} (SO_BINDTODEVICE)`,
      null,
    ]),
    ...(old === null
      ? []
      : move(failing, socket, { boundInterface: null }, 30, (who) => [
          `Let ${who} listen without a device (now SO_BINDTODEVICE ${old})`,
          null,
        ])),
  ];
}

/** Another program takes it: that one ends. */
export function stopOther({ state }: Failing, by: Socket): Change[] {
  const change: Change = {
    what: `Stop ${whoHas(by)}, which listens on ${formatEndpoint(by.local)}`,
    command: null,
    weight: 50,
    move: { from: by, to: null },
    apply: (before) => withSocket(before, by, null),
  };
  return state.sockets.includes(by) ? [change] : [];
}

/** Another socket of the same program, beside the one it has. */
function listenBeside(failing: Failing, socket: Socket, address: string): Change[] {
  const { state } = failing;
  const to = {
    ...movedSocket(state, socket, { address, v6only: address.includes(':') }),
    inode: 0,
  };
  if (!mayBind(state, to)) return [];
  return [
    {
      what: `Let ${whoHas(socket)} listen on ${address} as well`,
      command: null,
      weight: isEverywhere(to) ? 25 : 15,
      move: { from: null, to },
      apply: (before) => withSocket(before, null, to),
    },
  ];
}

type Says = (who: string) => readonly [what: string, command: string | null];

function move(
  { state }: Failing,
  socket: Socket,
  how: Parameters<typeof movedSocket>[2],
  weight: number,
  says: Says | null = null,
): Change[] {
  const to = movedSocket(state, socket, how);
  if (!mayBind(withSocket(state, socket, null), to)) return [];
  const [what, command] = says ? says(whoHas(socket)) : instruction(socket, to);
  return [
    {
      what,
      command,
      weight,
      move: { from: socket, to },
      apply: (before) => withSocket(before, socket, to),
    },
  ];
}

/** What to do, with the option of a server that is known. */
function instruction(socket: Socket, to: Socket): [what: string, command: string | null] {
  const { address, port } = to.local;
  const text = isEverywhere(to) ? `${address} (every address)` : address;
  const [owner] = socket.owners ?? [];
  const how = owner ? listeningOn(owner, address, port) : null;
  const what = `Let ${whoHas(socket)} listen on ${text} instead of ${socket.local.address}`;
  if (!how) return [what, null];
  if (how.setting) return [`${what}: ${how.setting.name} in ${how.setting.file}`, null];
  return [what, how.command];
}

/** A socket that was bound before may be bound again: its connections end with its program. */
function mayBind(
  state: HostState,
  { protocol, local, boundInterface, ...socket }: Socket,
): boolean {
  const host = hostOf({ ...state, held: [] });
  const spec = checkSpec(
    {
      protocol,
      address: local.address,
      port: local.port,
      ...(boundInterface === null ? {} : { boundInterface }),
      ...(socket.family === 'ipv6' ? { v6only: socket.v6only === true } : {}),
      reuseAddress: socket.reuseAddress ?? protocol === 'tcp',
      reusePort: socket.reusePort ?? false,
      uid: socket.uid,
      privileged: true,
    },
    host,
  );
  if (refusalOf(host, spec)) return false;
  const conflict = protocol === 'tcp' ? tcpConflict(host, spec) : udpConflict(host, spec);
  return conflict.kind === 'none';
}

function isEverywhere({ local }: Socket): boolean {
  const address = parseAddress(local.address);
  return address !== null && isUnspecified(address) && !isV4Mapped(address);
}

/** The program of a socket as a person knows it. */
export function whoHas({ owners }: Socket): string {
  const [owner] = owners ?? [];
  return owner ? `${owner.name} (pid ${owner.pid})` : 'the server';
}
