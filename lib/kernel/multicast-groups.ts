import { addressFromBytes, formatAddress } from '../model/address.js';
import type { Interface } from '../model/interface.js';

/** Which groups each interface has joined, IPv4 and IPv6 (proc_pid_net(5)). */
export const GROUP_FILES = ['/proc/thread-self/net/igmp', '/proc/thread-self/net/igmp6'];

/**
 * Adds to each interface the multicast groups it has joined, from what `readFiles` gave for
 * `GROUP_FILES`. A file that a kernel without the family does not have holds no groups; one that
 * could not be read leaves all interfaces without the field.
 */
export function joinGroups(
  interfaces: Interface[],
  [igmp, igmp6]: readonly (Uint8Array | number | undefined)[],
  littleEndian = hostIsLittleEndian,
): void {
  const ENOENT = 2;
  const groups = new Map<number, string[]>();
  for (const [content, decode] of [
    [igmp, (text: string) => decodeIgmp(text, littleEndian)],
    [igmp6, decodeIgmp6],
  ] as const) {
    if (content === ENOENT) continue;
    if (content === undefined || typeof content === 'number') return;
    for (const [index, group] of decode(new TextDecoder().decode(content))) {
      groups.set(index, [...(groups.get(index) ?? []), group]);
    }
  }
  for (const link of interfaces) link.groups = groups.get(link.index) ?? [];
}

const hostIsLittleEndian = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;

/**
 * /proc/net/igmp: a line for each interface, which begins with its index, and below it a line for
 * each group, which begins with white space and the address as a word of the machine
 * (igmp_mc_seq_show in net/ipv4/igmp.c).
 */
export function decodeIgmp(text: string, littleEndian: boolean): [index: number, group: string][] {
  const groups: [number, string][] = [];
  let index = 0;
  for (const line of text.split('\n')) {
    const device = /^(\d+)\s/.exec(line);
    const group = /^\s+([0-9A-F]{8})\s/.exec(line);
    if (device) index = Number(device[1]);
    if (!group) continue;
    const bytes = Buffer.from(group[1]!, 'hex');
    if (littleEndian) bytes.reverse();
    groups.push([index, formatAddress(addressFromBytes(bytes, 0, 'ipv4'))]);
  }
  return groups;
}

/** /proc/net/igmp6: index, name, address as 32 hexadecimal digits (igmp6_mc_seq_show). */
export function decodeIgmp6(text: string): [index: number, group: string][] {
  const groups: [number, string][] = [];
  for (const line of text.split('\n')) {
    const match = /^(\d+)\s+\S+\s+([0-9a-f]{32})\s/.exec(line);
    if (!match) continue;
    const bytes = Buffer.from(match[2]!, 'hex');
    groups.push([Number(match[1]), formatAddress(addressFromBytes(bytes, 0, 'ipv6'))]);
  }
  return groups;
}
