import {
  type Address,
  formatAddress,
  isV4Mapped,
  type Prefix,
  parseAddress,
  parsePrefix,
} from '../model/address.js';
import type { HostState } from '../model/host-state.js';
import type { Interface, InterfaceAddress } from '../model/interface.js';
import type { Family, Socket, Transport } from '../model/socket.js';
import { checkState } from '../model/state-check.js';
import { Device } from './device.js';
import { Ruleset } from './nftables/ruleset.js';
import { Policy } from './policy.js';

export { type Device, LOOPBACK_INDEX } from './device.js';

/** A socket that can take a first packet, with its addresses as words. */
export interface Receiver {
  readonly socket: Socket;
  readonly address: Address;
  readonly remote: Address | null;
  readonly remotePort: number;
  /** Index of the device it is bound to, 0 for none. */
  readonly device: number;
  /** Peers that must sign what they send (TCP MD5). */
  readonly keyed: readonly Prefix[];
}

/** An address of this host and where it stands. */
export interface OwnAddress {
  readonly address: Address;
  readonly prefix: Prefix;
  readonly entry: InterfaceAddress;
  readonly device: Device;
}

/** A host state made ready for questions: names resolved, texts parsed, tables indexed. Built once per state. */
export class Host {
  readonly devices = new Map<string, Device>();
  readonly byIndex = new Map<number, Device>();
  readonly loopback: Device | undefined;
  readonly own: OwnAddress[] = [];
  readonly policy: { readonly ipv4: Policy; readonly ipv6: Policy };
  /** A port for peers that name none: ephemeral, and named by no policy rule and no connected socket. */
  readonly unnamedPort: number;
  /** The rules; null where those of nftables could not be read, or none does anything to any packet. */
  readonly ruleset: Ruleset | null;
  /** The rules of a host whose numbers begin with the most significant byte: they are not evaluated. */
  readonly foreignRules: boolean;
  /** Both firewalls could be read and do nothing to any packet. */
  readonly withoutFirewall: boolean;
  /** No interface has an XDP or tc program. */
  readonly withoutPrograms: boolean;
  readonly #receivers = new Map<number, Receiver[]>();
  readonly #ownByText = new Map<string, OwnAddress[]>();
  readonly #ownCanonical = new Map<unknown, Address>();

  constructor(readonly state: HostState) {
    this.#readDevices();
    this.loopback = state.interfaces
      .filter((link) => link.loopback)
      .map((link) => this.devices.get(link.name))[0];
    for (const socket of state.sockets) this.#addReceiver(socket);
    this.unnamedPort = this.#findUnnamedPort();
    const { nftables, legacy } = state.firewall;
    const tables = legacy && [...legacy.ipv4, ...legacy.ipv6];
    const isRead = tables?.every(({ chains }) => chains !== null) === true;
    const isThere = nftables !== null && nftables.chains.length + (tables?.length ?? 0) > 0;
    this.foreignRules = nftables?.byteOrder === 'big' && isThere;
    const nameOf = (index: number) => this.byIndex.get(index)?.name ?? null;
    const ruleset =
      isThere && !this.foreignRules ? new Ruleset({ ...state.firewall, nftables }, nameOf) : null;
    this.ruleset = ruleset?.idle ? null : ruleset;
    this.withoutFirewall =
      nftables !== null && this.ruleset === null && !this.foreignRules && isRead;
    this.withoutPrograms = state.interfaces.every(
      ({ xdp, tcIngress, tcEgress }) => xdp.length === 0 && !tcIngress && !tcEgress,
    );
    this.policy = {
      ipv4: new Policy('ipv4', state, this.devices),
      ipv6: new Policy('ipv6', state, this.devices),
    };
  }

  /** A setting that is a number; `absent` where that kernel does not have it. */
  setting(name: string, absent: number): number {
    const value = this.state.settings[name];
    return typeof value === 'number' ? value : absent;
  }

  /** The sockets of a protocol that stand on a port. */
  receivers(protocol: Transport, port: number): readonly Receiver[] {
    return this.#receivers.get(receiverKey(protocol, port)) ?? none;
  }

  /** Where this address is one of the host's interface addresses. */
  owners(text: string): readonly OwnAddress[] {
    return this.#ownByText.get(text) ?? none;
  }

  /** This address of an interface, as it is written canonically; `null` for every other text. */
  ownAddress(text: unknown): Address | null {
    return this.#ownCanonical.get(text) ?? null;
  }

  #findUnnamedPort(): number {
    const { rules, sockets } = this.state;
    const named = (port: number) =>
      rules.some(
        ({ sourcePort }) => sourcePort && sourcePort.from <= port && port <= sourcePort.to,
      ) || sockets.some(({ remote }) => remote?.port === port);
    for (let port = 49152; port <= 65535; port++) if (!named(port)) return port;
    return 49152;
  }

  #readDevices(): void {
    const { state } = this;
    const byName = new Map(state.interfaces.map((link) => [link.name, link]));
    const make = (link: Interface, below: number): Device => {
      const made = this.devices.get(link.name);
      if (made) return made;
      const master = link.master === null ? undefined : byName.get(link.master);
      const kind = master ? (link.portKind ?? master.kind) : null;
      const device = new Device(link, (name) => this.setting(name, 0));
      this.devices.set(link.name, device);
      this.byIndex.set(link.index, device);
      // A chain of masters deeper than any real one would be a loop in a spoiled capture.
      if (master)
        device.joins(kind ?? 'unknown', () => (below < 8 ? make(master, below + 1) : null));
      return device;
    };
    for (const link of state.interfaces) make(link, 0);
    // In the kernel's order: of sources that are as good as each other the first is chosen.
    for (const { name, addresses } of state.interfaces)
      for (const entry of addresses) this.#addOwn(entry, this.devices.get(name)!);
  }

  #addOwn(entry: InterfaceAddress, device: Device): void {
    const address = parseAddress(entry.address);
    const prefix = parsePrefix(`${entry.address}/${entry.prefixLength}`);
    if (!address || !prefix) return;
    const own = { address, prefix, entry, device };
    this.own.push(own);
    if (formatAddress(address) === entry.address && !isV4Mapped(address)) {
      this.#ownCanonical.set(entry.address, address);
    }
    const others = this.#ownByText.get(entry.address);
    if (others) others.push(own);
    else this.#ownByText.set(entry.address, [own]);
  }

  #addReceiver(socket: Socket): void {
    const listens = socket.protocol === 'tcp' ? socket.state === 'listen' : true;
    const address = parseAddress(socket.local.address);
    if (!listens || !address) return;
    const receiver: Receiver = {
      socket,
      address,
      remote: socket.remote ? parseAddress(socket.remote.address) : null,
      remotePort: socket.remote?.port ?? 0,
      keyed: socket.keyedPeers
        ? socket.keyedPeers.map((text) => parsePrefix(text)).filter((prefix) => prefix !== null)
        : none,
      // A device that is gone has no index: such a socket takes nothing.
      device:
        socket.boundInterface === null ? 0 : (this.devices.get(socket.boundInterface)?.index ?? -1),
    };
    const key = receiverKey(socket.protocol, socket.local.port);
    const others = this.#receivers.get(key);
    if (others) others.push(receiver);
    else this.#receivers.set(key, [receiver]);
  }
}

const none: readonly never[] = [];

function receiverKey(protocol: Transport, port: number): number {
  return port * 2 + (protocol === 'tcp' ? 0 : 1);
}

const hosts = new WeakMap<HostState, Host>();

/**
 * The index of a state: checked and built at the first question, kept as long as the state lives.
 * A state is a record of one moment: to ask about a changed one, make a changed copy.
 */
export function hostOf(state: HostState): Host {
  let host = typeof state === 'object' && state !== null ? hosts.get(state) : undefined;
  if (!host) {
    host = new Host(checkState(state));
    hosts.set(state, host);
  }
  return host;
}

/** The name of a family for a person. */
export function familyName(family: Family): string {
  return family === 'ipv4' ? 'IPv4' : 'IPv6';
}
