import { isLinkLocal, isLoopback, isUnspecified, parseAddress } from '../../model/address.js';
import type { HostState } from '../../model/host-state.js';
import type { Socket } from '../../model/socket.js';
import { interfacesByInterest, nameInterface } from './interface-names.js';
import { printable } from './printable.js';
import { enumerate, pad, widthOf } from './text.js';

/**
 * The addresses that sockets of one port stand on, in words: "every address", "every IPv4 address",
 * "192.168.1.10 (eth0)", "127.0.0.1 and ::1".
 */
export function standsOn(sockets: readonly Socket[], most = 3): string {
  const places: string[] = [];
  const devices = [...new Set(sockets.map((socket) => socket.boundInterface))];
  for (const device of devices) {
    const here = sockets.filter((socket) => socket.boundInterface === device);
    const every = wildcards(here);
    if (every !== null) {
      places.push(device === null ? every : `${every} of device ${printable(device)}`);
    }
  }
  for (const socket of sockets) {
    if (!isWildcard(socket)) places.push(place(socket));
  }
  return enumerate([...new Set(places)], most);
}

/** Does it take every address of its family? */
export function isWildcard(socket: Socket): boolean {
  const address = parseAddress(socket.local.address);
  return address !== null && isUnspecified(address);
}

function wildcards(sockets: readonly Socket[]): string | null {
  const every = sockets.filter(isWildcard);
  if (every.length === 0) return null;
  const ipv6 = every.some(({ family }) => family === 'ipv6');
  const ipv4 = every.some(({ family, v6only }) => family === 'ipv4' || v6only === false);
  if (ipv4 && ipv6) return 'every address';
  if (ipv4) return 'every IPv4 address';
  // /proc cannot tell whether IPv4 is taken too.
  return every.some(({ v6only }) => v6only === null) ? ':: (IPv4 not told)' : 'every IPv6 address';
}

function place(socket: Socket): string {
  const { address } = socket.local;
  const parsed = parseAddress(address);
  const device =
    socket.boundInterface ?? (socket.interfaces.length === 1 ? socket.interfaces[0]! : null);
  if (device === null || (parsed && isLoopback(parsed))) return address;
  return `${address} (${printable(device)})`;
}

/**
 * The interfaces that the addresses stand on, a line each: name, what it is, and the addresses; the
 * one people care about first. Link-local addresses are left out where there are others.
 */
export function interfaceLines(state: HostState, sockets: readonly Socket[]): string[] {
  const found = interfacesByInterest(state).flatMap((device) => {
    const addresses = device.addresses
      .map(({ address }) => address)
      .filter((address) => sockets.some((socket) => covers(socket, device.name, address)));
    const lasting = addresses.filter((address) => !isLinkLocal(parseAddress(address)!));
    // A port of a bridge has a link-local address that its master answers for.
    const told = lasting.length > 0 || device.master !== null ? lasting : addresses;
    const what = nameInterface(device).what + (device.up ? '' : ', down');
    return told.length === 0
      ? []
      : [{ name: printable(device.name), what, addresses: enumerate(told, 4) }];
  });
  const nameWidth = Math.max(0, ...found.map(({ name }) => widthOf(name)));
  const whatWidth = Math.max(0, ...found.map(({ what }) => widthOf(what)));
  return found.map(
    ({ name, what, addresses }) => `${pad(name, nameWidth)}  ${pad(what, whatWidth)}  ${addresses}`,
  );
}

function covers(socket: Socket, device: string, address: string): boolean {
  if (socket.boundInterface !== null && socket.boundInterface !== device) return false;
  if (!isWildcard(socket)) return socket.local.address === address;
  const ipv4 = !address.includes(':');
  return ipv4 ? socket.family === 'ipv4' || socket.v6only === false : socket.family === 'ipv6';
}
