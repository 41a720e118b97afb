import { addressFromBytes, formatAddress } from '../../../model/address.js';
import { fromBigEndian, fromLittleEndian, hexFromBytes } from '../bytes.js';

/** How bytes are read: numbers in the host's order or the network's, names, addresses, flags. */
export type ValueType =
  | 'number'
  | 'interface'
  | 'network-number'
  | 'mark'
  | 'hex'
  | 'name'
  | 'address'
  | 'ipv6-address'
  | 'mac'
  | 'protocol'
  | 'family'
  | 'ethertype'
  | 'packet-type'
  | 'flag'
  | 'address-type'
  | 'ct-state'
  | 'ct-status'
  | 'ct-direction'
  | 'tcp-flags';

const protocols: Record<number, string> = {
  1: 'icmp',
  2: 'igmp',
  6: 'tcp',
  17: 'udp',
  33: 'dccp',
  47: 'gre',
  50: 'esp',
  51: 'ah',
  58: 'icmpv6',
  132: 'sctp',
  136: 'udplite',
};
const families: Record<number, string> = {
  1: 'inet',
  2: 'ipv4',
  3: 'arp',
  7: 'bridge',
  10: 'ipv6',
};
const ethertypes: Record<number, string> = { 2048: 'ip', 2054: 'arp', 34525: 'ip6', 33024: 'vlan' };
const packetTypes = ['host', 'broadcast', 'multicast', 'other'];
const addressTypes = [
  'unspec',
  'unicast',
  'local',
  'broadcast',
  'anycast',
  'multicast',
  'blackhole',
  'unreachable',
  'prohibit',
];
const ctStates: Record<number, string> = {
  1: 'invalid',
  2: 'established',
  4: 'related',
  8: 'new',
  64: 'untracked',
};
const ctStatuses: Record<number, string> = {
  1: 'expected',
  2: 'seen-reply',
  4: 'assured',
  8: 'confirmed',
  16: 'snat',
  32: 'dnat',
  512: 'dying',
};
const tcpFlags: Record<number, string> = {
  1: 'fin',
  2: 'syn',
  4: 'rst',
  8: 'psh',
  16: 'ack',
  32: 'urg',
  64: 'ecn',
  128: 'cwr',
};

/** Bytes as nft(8) would write them. */
export function printValue(bytes: Uint8Array, type: ValueType): string {
  switch (type) {
    case 'number':
    case 'interface':
      return bytes.length > 4 ? `0x${hexFromBytes(bytes)}` : String(fromLittleEndian(bytes));
    case 'network-number':
      return bytes.length > 4 ? `0x${hexFromBytes(bytes)}` : String(fromBigEndian(bytes));
    case 'mark':
      return `0x${fromLittleEndian(bytes).toString(16)}`;
    case 'name':
      return printName(bytes);
    case 'address':
      return printAddress(bytes, bytes.length <= 4 ? 'ipv4' : 'ipv6');
    case 'ipv6-address':
      return printAddress(bytes, 'ipv6');
    case 'mac':
      return [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join(':');
    case 'protocol':
      return named(protocols, bytes[0] ?? 0);
    case 'family':
      return named(families, bytes[0] ?? 0);
    case 'ethertype':
      return named(ethertypes, fromBigEndian(bytes));
    case 'packet-type':
      return packetTypes[bytes[0] ?? 0] ?? String(bytes[0]);
    case 'address-type':
      return addressTypes[fromLittleEndian(bytes)] ?? String(fromLittleEndian(bytes));
    case 'flag':
      return bytes[0] === 0 ? 'missing' : 'exists';
    case 'ct-state':
      return flags(ctStates, fromLittleEndian(bytes));
    case 'ct-status':
      return flags(ctStatuses, fromLittleEndian(bytes));
    case 'ct-direction':
      return bytes[0] === 0 ? 'original' : 'reply';
    case 'tcp-flags':
      return flags(tcpFlags, bytes[0] ?? 0);
    case 'hex':
      return `0x${hexFromBytes(bytes)}`;
  }
}

/** An address of either family, or the beginning of one. */
export function isAddress(type: ValueType): boolean {
  return type === 'address' || type === 'ipv6-address';
}

/** Types of which a mask names one flag or more of. */
export function isFlags(type: ValueType): boolean {
  return type === 'ct-state' || type === 'ct-status' || type === 'tcp-flags';
}

/** How many leading bits a mask keeps; null where it is no prefix. */
export function prefixLengthOf(mask: Uint8Array): number | null {
  let length = 0;
  while (length < mask.length * 8 && bit(mask, length)) length++;
  for (let place = length; place < mask.length * 8; place++) if (bit(mask, place)) return null;
  return length;
}

function bit(bytes: Uint8Array, place: number): boolean {
  return ((bytes[place >>> 3]! >>> (7 - (place & 7))) & 1) === 1;
}

function named(names: Record<number, string>, value: number): string {
  return names[value] ?? String(value);
}

function flags(names: Record<number, string>, value: number): string {
  const found: string[] = [];
  let rest = value;
  for (const [flag, name] of Object.entries(names)) {
    if ((rest & Number(flag)) === 0) continue;
    found.push(name);
    rest &= ~Number(flag);
  }
  if (rest !== 0 || found.length === 0) return `0x${value.toString(16)}`;
  return found.join(',');
}

/** A name that is compared without its end stands for all that begin so. */
function printName(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  const text = new TextDecoder().decode(end < 0 ? bytes : bytes.subarray(0, end));
  return `"${text}${end < 0 && bytes.length < 16 ? '*' : ''}"`;
}

/** Leading bytes of an address alone are a prefix. */
function printAddress(bytes: Uint8Array, family: 'ipv4' | 'ipv6'): string {
  const full = new Uint8Array(family === 'ipv4' ? 4 : 16);
  full.set(bytes.subarray(0, full.length));
  const text = formatAddress(addressFromBytes(full, 0, family));
  return bytes.length < full.length ? `${text}/${bytes.length * 8}` : text;
}
