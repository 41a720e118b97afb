import { endianness } from 'node:os';
import { messages } from '#earshot/kernel/netlink-message.js';
import { decodeRoutes } from '#earshot/kernel/routes.js';
import { type Address, addressToBytes, formatAddress } from '#earshot/model/address.js';
import type { Route } from '#earshot/model/route.js';
import type { Family } from '#earshot/model/socket.js';
import { type NetlinkRefusal, type NetlinkRequest, native } from '#earshot/native.js';

/*
 * RTM_GETROUTE without NLM_F_DUMP asks the kernel to route one packet (inet_rtm_getroute in
 * net/ipv4/route.c, inet6_rtm_getroute in net/ipv6/route.c). With an input interface it is what a
 * packet that arrives there meets, without one it is what this host sends.
 */

/** One routing question. */
export interface Question {
  readonly family: Family;
  readonly destination: Address;
  /** Null: none chosen yet. */
  readonly source: Address | null;
  /** Index of the interface it arrives on; 0: this host sends it. */
  readonly input: number;
  /** Index of the interface it must leave by, 0 for any. */
  readonly output: number;
  readonly mark: number;
  readonly tos: number;
  /** IPPROTO_* */
  readonly protocol: number;
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly uid: number;
}

/** What the kernel would do with the packet. */
export interface Answer {
  /** RTN_*: 1 unicast, 2 local, 3 broadcast, 4 anycast. */
  readonly type: number;
  /** Index of the way out taken this time; 0 where there is none. */
  readonly output: number;
  readonly gateway: string | null;
}

/** The kernel's answer, and the route it stands on. */
export interface KernelAnswer {
  /** Or the errno of its refusal. */
  readonly routed: Answer | number;
  /** The entry of the table that was matched (RTM_F_FIB_MATCH); null where none was, or it is refused. */
  readonly match: Route | null;
}

const RTM_GETROUTE = 26;
const RTM_F_LOOKUP_TABLE = 0x1000;
const RTM_F_FIB_MATCH = 0x2000;
const RTMSG_SIZE = 12;

const AF_INET = 2;
const AF_INET6 = 10;

const RTA_DST = 1;
const RTA_SRC = 2;
const RTA_IIF = 3;
const RTA_OIF = 4;
const RTA_GATEWAY = 5;
const RTA_MARK = 16;
const RTA_VIA = 18;
const RTA_UID = 25;
const RTA_IP_PROTO = 27;
const RTA_SPORT = 28;
const RTA_DPORT = 29;

const NETLINK_ROUTE = 0;
const littleEndian = endianness() === 'LE';

/** Puts questions to the kernel of a namespace, all over one socket. */
export async function askKernel(
  netns: string,
  questions: readonly Question[],
  names: ReadonlyMap<number, string>,
): Promise<KernelAnswer[]> {
  const { replies } = await native.netlink({
    protocol: NETLINK_ROUTE,
    requests: questions.flatMap((question) => [
      request(question, 0),
      request(question, RTM_F_FIB_MATCH),
    ]),
    watchGroups: [],
    netns,
  });
  return questions.map(({ family }, index) => ({
    routed: decodeAnswer(replies[index * 2]!, family),
    match: decodeMatch(replies[index * 2 + 1]!, family, names),
  }));
}

/** struct rtmsg and its attributes. */
function request(question: Question, flags: number): NetlinkRequest {
  const { family, destination, source, input, output } = question;
  const bits = family === 'ipv4' ? 32 : 128;
  const header = new Uint8Array(RTMSG_SIZE);
  header.set([family === 'ipv4' ? AF_INET : AF_INET6, bits, source ? bits : 0, question.tos]);
  // IPv6 always tells the table, and refuses to be asked for it.
  const table = family === 'ipv4' ? RTM_F_LOOKUP_TABLE : 0;
  new DataView(header.buffer).setUint32(8, table | flags, littleEndian);
  const parts = [
    header,
    attribute(RTA_DST, addressToBytes(destination)),
    ...(source ? [attribute(RTA_SRC, addressToBytes(source))] : []),
    ...(input ? [attribute(RTA_IIF, u32(input))] : []),
    ...(output ? [attribute(RTA_OIF, u32(output))] : []),
    attribute(RTA_MARK, u32(question.mark)),
    attribute(RTA_UID, u32(question.uid)),
    attribute(RTA_IP_PROTO, Uint8Array.of(question.protocol)),
    attribute(RTA_SPORT, be16(question.sourcePort)),
    attribute(RTA_DPORT, be16(question.destinationPort)),
  ];
  return {
    type: RTM_GETROUTE,
    flags: 0,
    payload: Uint8Array.from(parts.flatMap((part) => [...part])),
  };
}

function attribute(type: number, value: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(4 + ((value.length + 3) & ~3));
  const view = new DataView(bytes.buffer);
  view.setUint16(0, 4 + value.length, littleEndian);
  view.setUint16(2, type, littleEndian);
  bytes.set(value, 4);
  return bytes;
}

function u32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value, littleEndian);
  return bytes;
}

function be16(value: number): Uint8Array {
  return Uint8Array.of(value >> 8, value & 0xff);
}

function decodeAnswer(reply: Uint8Array | NetlinkRefusal, family: Family): Answer | number {
  if (!(reply instanceof Uint8Array)) return reply.errno;
  for (const { payload } of messages(reply, 'an answer of routing')) {
    const attributes = payload.attributeMap(RTMSG_SIZE);
    const gateway = attributes.get(RTA_GATEWAY);
    const via = attributes.get(RTA_VIA);
    return {
      type: payload.u8(7),
      output: attributes.get(RTA_OIF)?.u32(0) ?? 0,
      gateway: gateway
        ? formatAddress(gateway.address(0, family))
        : via
          ? formatAddress(via.address(2, via.u16(0) === AF_INET6 ? 'ipv6' : 'ipv4'))
          : null,
    };
  }
  throw new Error('the kernel answered a routing question with nothing');
}

function decodeMatch(
  reply: Uint8Array | NetlinkRefusal,
  family: Family,
  names: ReadonlyMap<number, string>,
): Route | null {
  if (!(reply instanceof Uint8Array)) return null;
  return decodeRoutes(reply, family, names, new Map())[0] ?? null;
}
