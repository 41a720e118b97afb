import { formatAddress } from '../model/address.js';
import type { Interface, InterfaceAddress } from '../model/interface.js';
import type { Family } from '../model/socket.js';
import type { NetlinkRequest } from '../native.js';
import { type Bytes, messages, namesOfBits } from './netlink-message.js';

const RTM_NEWADDR = 20;
const RTM_GETADDR = 22;
const NLM_F_DUMP = 0x300;
const IFADDRMSG_SIZE = 8;

const AF_INET = 2;
const AF_INET6 = 10;

const IFA_ADDRESS = 1;
const IFA_LOCAL = 2;
const IFA_BROADCAST = 4;
const IFA_FLAGS = 8;

const IFA_F_SECONDARY = 0x01;

/** IFA_F_*, named as ip-address(8) names them. Bit 1 has two meanings, see `flagNames`. */
const FLAGS = [
  [0x02, 'nodad'],
  [0x04, 'optimistic'],
  [0x08, 'dadfailed'],
  [0x10, 'home'],
  [0x20, 'deprecated'],
  [0x40, 'tentative'],
  [0x80, 'permanent'],
  [0x100, 'mngtmpaddr'],
  [0x200, 'noprefixroute'],
  [0x400, 'autojoin'],
  [0x800, 'stable-privacy'],
] as const;

const SCOPES: Record<number, string> = {
  0: 'global',
  200: 'site',
  253: 'link',
  254: 'host',
  255: 'nowhere',
};

/** Asks for every address of the namespace, both families (RTM_GETADDR). */
export function addressesRequest(): NetlinkRequest {
  return { type: RTM_GETADDR, flags: NLM_F_DUMP, payload: new Uint8Array(IFADDRMSG_SIZE) };
}

/** The addresses in the bytes of an RTM_GETADDR dump, by interface index, in the order of the kernel. */
export function decodeAddresses(
  bytes: Uint8Array,
  littleEndian?: boolean,
): Map<number, InterfaceAddress[]> {
  const byIndex = new Map<number, InterfaceAddress[]>();
  for (const { type, payload } of messages(bytes, 'addresses', littleEndian)) {
    if (type !== RTM_NEWADDR) continue;
    const family = familyOf(payload.u8(0));
    if (!family) continue;
    const index = payload.u32(4);
    const entry = decodeAddress(payload, family);
    const list = byIndex.get(index);
    if (list) list.push(entry);
    else byIndex.set(index, [entry]);
  }
  return byIndex;
}

/** Puts the addresses where they belong; those of an interface that is not listed are dropped. */
export function joinAddresses(
  interfaces: Interface[],
  addresses: ReadonlyMap<number, InterfaceAddress[]>,
): void {
  for (const entry of interfaces) entry.addresses = addresses.get(entry.index) ?? [];
}

function familyOf(number: number): Family | null {
  return number === AF_INET ? 'ipv4' : number === AF_INET6 ? 'ipv6' : null;
}

function decodeAddress(payload: Bytes, family: Family): InterfaceAddress {
  const attributes = payload.attributeMap(IFADDRMSG_SIZE);
  const text = (type: number): string | null => {
    const value = attributes.get(type);
    return value ? formatAddress(value.address(0, family)) : null;
  };
  // IFA_ADDRESS is the other end where there is one, and IFA_LOCAL then this host's (if_addr.h).
  const other = text(IFA_ADDRESS);
  const local = text(IFA_LOCAL) ?? other;
  if (local === null) throw payload.malformed(0, 'an address message without an address');
  const flags = attributes.get(IFA_FLAGS)?.u32(0) ?? payload.u8(2);
  const scope = payload.u8(3);
  return {
    address: local,
    prefixLength: payload.u8(1),
    scope: SCOPES[scope] ?? String(scope),
    flags: flagNames(flags, family),
    peer: other === local ? null : other,
    broadcast: text(IFA_BROADCAST),
  };
}

function flagNames(flags: number, family: Family): string[] {
  const names = namesOfBits(flags, FLAGS);
  if ((flags & IFA_F_SECONDARY) !== 0) names.unshift(family === 'ipv4' ? 'secondary' : 'temporary');
  return names;
}
