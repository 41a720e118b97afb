import { addressToBytes, bitsOf, parsePrefix } from '../../../model/address.js';
import type { Hex, NftExpression } from '../../../model/ruleset.js';
import type { Family, Transport } from '../../../model/socket.js';
import type { LegacyRule, MaskedAddress } from '../../../model/xtables.js';
import { hexFromBytes } from '../../nftables/bytes.js';
import { META } from '../../nftables/expressions/meta.js';
import { addressAt, addressIs, compare, hexPort, payload } from '../../nftables/make-expression.js';

/** What a rule that is added asks of a packet. */
export interface Match {
  readonly family: Family;
  readonly protocol: Transport;
  /** Whom it is from, or for, as a CIDR text; `null` for anybody. */
  readonly source: string | null;
  readonly destination: string | null;
  /** The port on this side: of the destination for a request, of the source for an answer. */
  readonly port: number;
  readonly portOf: 'source' | 'destination';
}

const protocolNumber = { tcp: 6, udp: 17 } as const;

/** As nft(8) writes it. */
export function nftText({ family, protocol, source, destination, port, portOf }: Match): string {
  const ip = family === 'ipv6' ? 'ip6' : 'ip';
  return [
    ...(source === null ? [] : [`${ip} saddr ${shortPrefix(source)}`]),
    ...(destination === null ? [] : [`${ip} daddr ${shortPrefix(destination)}`]),
    `${protocol} ${portOf === 'source' ? 'sport' : 'dport'} ${port}`,
  ].join(' ');
}

/** As options of iptables(8). */
export function iptablesText({ protocol, source, destination, port, portOf }: Match): string {
  return [
    ...(source === null ? [] : [`-s ${shortPrefix(source)}`]),
    ...(destination === null ? [] : [`-d ${shortPrefix(destination)}`]),
    `-p ${protocol} --${portOf === 'source' ? 'sport' : 'dport'} ${port}`,
  ].join(' ');
}

/** An address alone is written without the length of a prefix. */
export function shortPrefix(text: string): string {
  return text.replace(/^([\d.]+)\/32$|^([\da-f:.]+)\/128$/, '$1$2');
}

/** As expressions of nftables; a rule for either family asks for the family first. */
export function nftExpressions(match: Match): NftExpression[] {
  const { family, protocol, port, portOf } = match;
  const at = addressAt[family];
  return [
    { kind: 'meta', destination: 0, key: META.nfproto },
    compare(family === 'ipv4' ? '02' : '0a'),
    ...addressIs(maskedAddress(match.source), at.source),
    ...addressIs(maskedAddress(match.destination), at.destination),
    { kind: 'meta', destination: 0, key: META.l4proto },
    compare(byte(protocolNumber[protocol])),
    payload('transport', portOf === 'source' ? 0 : 2, 2),
    compare(hexPort(port)),
  ];
}

function byte(value: number): Hex {
  return value.toString(16).padStart(2, '0');
}

/** As a rule of a legacy table, with the structure of its match as the kernel has it (xt_tcpudp.h). */
export function legacyMatch(
  match: Match,
): Pick<LegacyRule, 'source' | 'destination' | 'protocol' | 'matches'> {
  const { protocol, port, portOf } = match;
  const asked = [port & 0xff, port >>> 8, port & 0xff, port >>> 8];
  const any = [0, 0, 0xff, 0xff];
  const ports = portOf === 'source' ? [...asked, ...any] : [...any, ...asked];
  const info = Uint8Array.from([...ports, 0, 0, 0, 0]);
  return {
    source: maskedAddress(match.source),
    destination: maskedAddress(match.destination),
    protocol: { number: protocolNumber[protocol], invert: false },
    matches: [{ name: protocol, revision: 0, info: hexFromBytes(info) }],
  };
}

function maskedAddress(text: string | null): MaskedAddress | null {
  const prefix = text === null ? null : parsePrefix(text);
  if (!prefix) return null;
  const bytes = bitsOf(prefix.address.family) / 8;
  const mask = Uint8Array.from({ length: bytes }, (_, at) => {
    const ones = Math.min(8, Math.max(0, prefix.length - at * 8));
    return (0xff << (8 - ones)) & 0xff;
  });
  return {
    address: hexFromBytes(addressToBytes(prefix.address)),
    mask: hexFromBytes(mask),
    invert: false,
  };
}
