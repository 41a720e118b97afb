import {
  type Address,
  formatAddress,
  isLinkLocal,
  isLoopback,
  parseAddress,
} from '../model/address.js';
import type { HostState } from '../model/host-state.js';
import { addressArgument } from './arguments.js';
import type { Context } from './context.js';
import { printable } from './render/printable.js';
import { UsageError } from './usage-error.js';

/** A peer, and the interface on which its packets arrive. */
export interface Peer {
  address: Address;
  /** Canonical text. */
  text: string;
  ingress: string;
  /** Why this interface, where nobody named one; else `null`. */
  chosen: string | null;
}

/**
 * The peer that --from and --in name. Without --in its packets are taken to arrive where the route
 * back to it goes, which is so on every host whose routing is symmetric; from an address of this
 * host they never leave it.
 */
export async function peerOf(
  state: HostState,
  options: { from: string; in?: string },
  context: Context,
): Promise<Peer> {
  const address = addressArgument(options.from, '--from');
  const text = formatAddress(address);
  if (options.in !== undefined) {
    checkInterface(state, options.in);
    return { address, text, ingress: options.in, chosen: null };
  }
  if (isOwn(state, address)) {
    return {
      address,
      text,
      ingress: 'lo',
      chosen: `(${text} is an address of this host: nothing leaves it.)`,
    };
  }
  const back = await context.services.wayBack(state, text);
  if (back === null) {
    throw new UsageError(
      isLinkLocal(address)
        ? `${text} is a link-local address, which does not tell its link: name the interface with --in`
        : `this host has no route back to ${text}, so the interface cannot be told: name it with --in`,
    );
  }
  return {
    address,
    text,
    ingress: back,
    chosen: `(${printable(back)} because the route back to ${text} goes by it; --in names another.)`,
  };
}

/** An interface of the state, or a UsageError that lists those there are. */
export function checkInterface(state: HostState, name: string): void {
  if (state.interfaces.some((device) => device.name === name)) return;
  const there = state.interfaces.map((device) => printable(device.name));
  const shown = there.length > 8 ? `${there.slice(0, 8).join(', ')}, …` : there.join(', ');
  throw new UsageError(
    `--in '${printable(name)}' is no interface of this host${there.length > 0 ? `: it has ${shown}` : ''}`,
  );
}

function isOwn(state: HostState, address: Address): boolean {
  if (isLoopback(address)) return true;
  const text = formatAddress(address);
  return state.interfaces.some((device) =>
    device.addresses.some((entry) => entry.address === text),
  );
}

/** The addresses that a peer would use on an interface, of one family, the interface's own first. */
export function addressesFor(
  state: HostState,
  family: Address['family'],
  ingress: string,
): string[] {
  const all = state.interfaces.flatMap((device) =>
    device.addresses.map(({ address }) => ({ device: device.name, address })),
  );
  const fitting = all.filter(({ address }) => parseAddress(address)?.family === family);
  const own = fitting.filter(({ device }) => device === ingress || ingress === 'lo');
  return (own.length > 0 ? own : fitting.filter(({ device }) => device !== 'lo')).map(
    ({ address }) => address,
  );
}
