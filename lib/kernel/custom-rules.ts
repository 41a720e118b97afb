import {
  type Address,
  addressToBytes,
  isLinkLocal,
  isMulticast,
  parsePrefix,
} from '../model/address.js';
import type { Route } from '../model/route.js';
import { type Rule, takesEveryPacket } from '../model/rule.js';
import { type NetlinkRefusal, type NetlinkRequest, native } from '../native.js';
import { NETLINK_ROUTE } from './interfaces.js';
import { messages } from './netlink-message.js';
import type { Network } from './network.js';

/*
 * A namespace that never had a policy rule of its own does not ask the rules: IPv4 keeps local and
 * main as one table (fib_lookup in include/net/ip_fib.h), IPv6 asks local, then main
 * (fib6_rule_lookup in net/ipv6/fib6_rules.c). From the first rule on it does, for good, also when
 * that has gone. Rules that are listed do not tell which of the two it is where they are the
 * kernel's own: these tell.
 */

/** What IPv4's tables look like inside, readable by everybody (proc_pid_net(5)). */
const TABLE_STATISTICS = '/proc/thread-self/net/fib_triestat';
const LOCAL = 255;
const MAIN = 254;

const RTM_GETROUTE = 26;
const RTMSG_SIZE = 12;
const ATTRIBUTE_HEADER = 4;
const RTA_DST = 1;
const RTA_TABLE = 15;
const AF_INET6 = 10;

export interface CustomRules {
  ipv4: boolean | null;
  ipv6: boolean | null;
}

/** Which families of a namespace ask its rules; `null` where that was not told, or cannot matter. */
export async function readCustomRules(
  netns: string | null,
  { routes, rules }: Network,
): Promise<CustomRules> {
  const question = aboutRemovedDefault(rules, routes);
  const [[statistics], ipv6] = await Promise.all([
    native.readFiles({ paths: [TABLE_STATISTICS], netns }),
    question && ask(netns, question),
  ]);
  return { ipv4: tablesAreApart(statistics, routes), ipv6 };
}

/**
 * Are IPv4's local and main table two (fib_unmerge in net/ipv4/fib_frontend.c)? While they are one,
 * the statistics of each count the routes of both. `null` where there are no statistics, or their
 * counts are of another moment than the routes.
 */
export function tablesAreApart(
  statistics: Uint8Array | number | undefined,
  routes: readonly Route[],
): boolean | null {
  if (typeof statistics !== 'object') return null;
  const text = new TextDecoder().decode(statistics);
  const counted = { local: prefixesOf(text, 'Local'), main: prefixesOf(text, 'Main') };
  const told = { local: routesIn(LOCAL), main: routesIn(MAIN) };
  const both = told.local + told.main;
  // Without routes there is nothing that could be merged, and nothing that depends on it.
  if (both === 0) return null;
  if (counted.local === both && counted.main === both) return false;
  return counted.local === told.local && counted.main === told.main ? true : null;

  function routesIn(table: number): number {
    return routes.filter((one) => one.family === 'ipv4' && one.table === table).length;
  }
}

/** How many routes the section of a table counts (fib_triestat_seq_show); none where it has no section. */
function prefixesOf(text: string, name: string): number {
  const section = text.split(/^(?=\S+(?: \d+)?:$)/m).find((one) => one.startsWith(`${name}:\n`));
  return Number(section?.match(/^\s*Prefixes:\s*(\d+)$/m)?.[1] ?? 0);
}

/** Destinations that find a route in this table only where the rules are not asked. */
export interface Question {
  readonly table: number;
  readonly destinations: readonly Address[];
}

/** One of them may be shadowed by a longer prefix in another table, or its way be lost meanwhile. */
const ATTEMPTS = 8;

/**
 * What to ask IPv6 where it has lost a rule that it started with, and has no other: `null` where it
 * has both or others, or no route that could tell, so that it does not matter.
 */
export function aboutRemovedDefault(
  rules: readonly Rule[],
  routes: readonly Route[],
): Question | null {
  const listed = rules.filter(({ family }) => family === 'ipv6');
  if (listed.length > 1 || !listed.every(takesEveryPacket)) return null;
  for (const [table, type] of [
    [LOCAL, 'local'],
    [MAIN, 'unicast'],
  ] as const) {
    if (listed.some((rule) => rule.table === table)) continue;
    const telling = routes.filter(
      (one) => one.family === 'ipv6' && one.table === table && one.type === type,
    );
    const destinations = telling
      .map(({ destination }) => parsePrefix(destination)!.address)
      .filter((address) => !isLinkLocal(address) && !isMulticast(address))
      .slice(0, ATTEMPTS);
    if (destinations.length > 0) return { table, destinations };
  }
  return null;
}

async function ask(netns: string | null, question: Question): Promise<boolean | null> {
  const { replies } = await native.netlink({
    protocol: NETLINK_ROUTE,
    requests: question.destinations.map(routeRequest),
    watchGroups: [],
    netns,
  });
  return rulesAreAsked(question.table, replies);
}

/** Whether the rules were asked, by the answers: one from that table tells that they were not. */
export function rulesAreAsked(
  table: number,
  replies: readonly (Uint8Array | NetlinkRefusal)[],
): boolean | null {
  const tables = replies.map(tableOf);
  if (tables.includes(table)) return false;
  return tables.length > 0 ? true : null;
}

function routeRequest(destination: Address): NetlinkRequest {
  const payload = new Uint8Array(RTMSG_SIZE + ATTRIBUTE_HEADER + 16);
  payload.set([AF_INET6, 128]);
  const attribute = new Uint16Array(payload.buffer, RTMSG_SIZE, 2);
  attribute.set([ATTRIBUTE_HEADER + 16, RTA_DST]);
  payload.set(addressToBytes(destination), RTMSG_SIZE + ATTRIBUTE_HEADER);
  return { type: RTM_GETROUTE, flags: 0, payload };
}

/** The table that answered; `null` where none did. */
function tableOf(reply: Uint8Array | NetlinkRefusal): number | null {
  if (!(reply instanceof Uint8Array)) return null;
  for (const { payload } of messages(reply, 'the answer to a routing question')) {
    return payload.attributeMap(RTMSG_SIZE).get(RTA_TABLE)?.u32(0) ?? payload.u8(4);
  }
  return null;
}
