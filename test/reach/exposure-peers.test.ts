import test from 'ava';
import fc from 'fast-check';
import {
  type Address,
  formatAddress,
  isLoopback,
  isMulticast,
  parseAddress,
  parsePrefix,
  prefixHolds,
} from '#earshot/model/address.js';
import type { HostState } from '#earshot/model/host-state.js';
import { addressToNumber, prefixRange } from '#earshot/model/prefix-set.js';
import type { Family, Socket } from '#earshot/model/socket.js';
import { exposure } from '#earshot/reach/exposure.js';
import type { Blocked, Exposure, Reach } from '#earshot/reach/exposure-row.js';
import { trace } from '#earshot/reach/trace.js';
import { host, type LinkChanges, link, route, rule, tcp } from './support/state.js';

/*
 * The peers of exposure's rows, held against trace: on small random hosts, whoever a row names has
 * the fate of that row, and whoever stands on a link or behind a router is named.
 */

const PORT = 3000;
const seed = Number(process.env.SEED ?? Date.now() % 0x7fffffff);

const base: Record<Family, string> = { ipv4: '10.0.0.0', ipv6: '2001:db8::' };

/** Addresses of a small space, so that prefixes meet and hold each other. */
function address(family: Family, low: number): string {
  if (family === 'ipv4') return `10.0.${(low >> 4) & 3}.${low & 15 ? (low & 15) * 16 + 1 : 0}`;
  return formatAddress(parseAddress(`2001:db8:0:${(low >> 4) & 3}::${(low & 15).toString(16)}`)!);
}

const families = fc.constantFrom<Family>('ipv4', 'ipv6');
const low = fc.integer({ min: 0, max: 63 });
const anAddress = fc.tuple(families, low).map(([family, at]) => address(family, at));

const aPrefix = fc.tuple(families, low, fc.nat({ max: 5 })).map(([family, at, place]) => {
  const lengths = { ipv4: [0, 8, 22, 24, 26, 32], ipv6: [0, 32, 62, 64, 126, 128] };
  return prefixText(address(family, at), lengths[family][place] as number);
});

function prefixText(text: string, length: number): string {
  if (length === 0) return text.includes(':') ? '::/0' : '0.0.0.0/0';
  // The network address, as the kernel writes it: one of the addresses with its low part cleared.
  const family: Family = text.includes(':') ? 'ipv6' : 'ipv4';
  const wanted = parsePrefix(`${text}/${length}`);
  const candidates = [base[family], ...Array.from({ length: 64 }, (_, at) => address(family, at))];
  for (const one of [...candidates, '10.0.0.64', '10.0.0.128', '10.0.0.192']) {
    const prefix = parsePrefix(`${one}/${length}`);
    const own = parseAddress(one);
    if (!wanted || !prefix || !own || own.family !== family) continue;
    if (addressToNumber(own) === addressToNumber(wanted.address)) return `${one}/${length}`;
  }
  return `${base[family]}/${family === 'ipv4' ? 22 : 62}`;
}

const onOff = fc.constantFrom(0, 1);

const aLink = (name: string) =>
  fc
    .record({
      addresses: fc.uniqueArray(
        fc
          .tuple(anAddress, fc.constantFrom(0, 1, 2))
          .map(
            ([text, place]) =>
              `${text}/${text.includes(':') ? [64, 62, 128][place] : [24, 22, 32][place]}`,
          ),
        { minLength: 1, maxLength: 3, selector: (text) => text.split('/')[0] },
      ),
      rpFilter: fc.constantFrom(0, 1, 2),
      acceptLocal: onOff,
      forwarding: onOff,
      linkLocal: fc.boolean(),
    })
    .map(({ addresses, rpFilter, acceptLocal, forwarding, linkLocal }) => {
      const changes: LinkChanges = {
        ipv4: { rp_filter: rpFilter, accept_local: acceptLocal, forwarding },
      };
      const more = linkLocal ? [`fe80::${name.length + Number(name.at(-1))}/64`] : [];
      return link(name, [...addresses, ...more], changes);
    });

const device = fc.constantFrom('eth0', 'eth1', 'lo');

const aRoute = fc
  .record({
    destination: aPrefix,
    dev: device,
    gateway: fc.boolean(),
    type: fc.constantFrom(
      'unicast',
      'unicast',
      'unicast',
      'blackhole',
      'unreachable',
      'throw',
      'local',
    ),
    table: fc.constantFrom(254, 254, 100),
    metric: fc.constantFrom(1, 2),
  })
  .map(({ destination, dev, gateway, type, table, metric }) => {
    const via = destination.includes(':') ? 'fe80::99' : '10.0.3.254';
    const way = type === 'unicast' ? { dev, ...(gateway && dev !== 'lo' ? { via } : {}) } : {};
    const local =
      type === 'local' ? { dev: 'lo', table: 255, metric: 0, scope: 254 } : { table, metric };
    return route(destination, { ...way, type: type as 'unicast', ...local });
  });

const aRule = fc
  .record({
    family: families,
    priority: fc.integer({ min: 1, max: 30000 }),
    at: low,
    length: fc.constantFrom(0, 1, 2),
    from: fc.boolean(),
    invert: fc.boolean(),
    action: fc.constantFrom('lookup', 'lookup', 'prohibit', 'blackhole', 'unknown'),
    table: fc.constantFrom(100, 254),
  })
  .map(({ family, priority, at, length, from, invert, action, table }) => {
    const bits = family === 'ipv4' ? [22, 24, 32] : [62, 64, 128];
    const prefix = prefixText(address(family, at), bits[length] as number);
    return rule(priority, {
      family,
      [from ? 'from' : 'to']: prefix,
      invert,
      ...(action === 'unknown'
        ? { table, unknownAttributes: [99] }
        : { action: action as 'lookup', table: action === 'lookup' ? table : null }),
    });
  });

const aSocket = fc
  .record({
    local: fc.oneof(
      fc.constantFrom('0.0.0.0', '[::]', '127.0.0.1', '[::1]', '[::ffff:10.0.0.17]'),
      anAddress.map((text) => (text.includes(':') ? `[${text}]` : text)),
    ),
    v6only: fc.boolean(),
    boundInterface: fc.constantFrom(null, null, null, 'eth0', 'lo'),
    uid: fc.constantFrom(0, 1000),
  })
  .map(({ local, v6only, boundInterface, uid }) => {
    const ipv6 = local.includes(':');
    return tcp(`${local}:${PORT}`, { v6only: ipv6 ? v6only : null, boundInterface, uid });
  });

const aHost = fc
  .record({
    one: aLink('eth0'),
    other: aLink('eth1'),
    routes: fc.array(aRoute, { maxLength: 5 }),
    rules: fc.array(aRule, { maxLength: 2 }),
    sockets: fc.array(aSocket, { minLength: 1, maxLength: 3 }),
  })
  .map(({ one, other, routes, rules, sockets }) =>
    host({ links: [one, other], routes, rules, sockets }),
  );

const moreAddresses = ['192.0.2.1', '203.0.113.254', '2a00::1', 'fe80::77', 'fe80:0:0:1::1'];

/** Peers to ask about: around everything that the host names, and some that it does not. */
function peersOf(state: HostState, random: readonly string[]): string[] {
  const named = state.interfaces.flatMap(({ addresses }) => addresses.map((one) => one.address));
  const routed = state.routes.map(({ destination }) => destination.replace(/\/\d+$/, ''));
  return [...new Set([...moreAddresses, ...random, ...named, ...routed])];
}

/** No peer has such an address: our own, loopback, multicast, broadcast, unspecified. */
function nobodys(state: HostState, text: string, parsed: Address): boolean {
  const ours = state.interfaces.some(({ addresses }) =>
    addresses.some((one) => one.address === text),
  );
  const broadcast = state.routes.some(
    ({ type, destination }) => type === 'broadcast' && destination === `${text}/32`,
  );
  const none = parsed.family === 'ipv4' ? parsed.a >>> 24 === 0 : text === '::';
  return ours || broadcast || none || isLoopback(parsed) || isMulticast(parsed);
}

const holds = (prefixes: readonly string[], parsed: Address) =>
  prefixes.some((text) => prefixHolds(parsePrefix(text)!, parsed));

/** It is of the network of an interface's own address, and nothing more exact leads elsewhere. */
function isNeighbour(state: HostState, name: string, parsed: Address): boolean {
  const longest = (texts: string[]) =>
    Math.max(
      -1,
      ...texts
        .map((text) => parsePrefix(text)!)
        .map((prefix) => (prefixHolds(prefix, parsed) ? prefix.length : -1)),
    );
  const addresses = state.interfaces.find((one) => one.name === name)?.addresses ?? [];
  const own = longest(addresses.map((one) => `${one.address}/${one.prefixLength}`));
  return own >= 0 && own >= longest(state.routes.map(({ destination }) => destination));
}

/** What is wrong with what a row says of a peer; null for nothing. */
function disagreement(state: HostState, exposed: Exposure, peer: string): string | null {
  const parsed = parseAddress(peer)!;
  const socket = exposed.socket as Socket;
  if (nobodys(state, peer, parsed)) return null;
  // Not copied whole: remedies are made for who asks.
  const row = (outcome: string, { interface: name, address, peers }: Reach | Blocked) => ({
    interface: name,
    address,
    peers,
    outcome,
  });
  const rows = [
    ...exposed.reach.map((one) => ({ ...row('reachable', one), cause: null })),
    ...exposed.blocked.map((one) => ({ ...row('unreachable', one), cause: one.cause })),
    ...exposed.unknown.map((one) => ({ ...row('unknown', one), cause: one.cause })),
  ];
  for (const { name, addresses } of state.interfaces) {
    if (name === 'lo') continue;
    for (const { address: asked } of addresses) {
      if (parseAddress(asked)?.family !== parsed.family) continue;
      const here = rows.filter((row) => row.interface === name && row.address === asked);
      const mine = here.filter((row) => holds(row.peers, parsed));
      const flow = {
        protocol: 'tcp',
        ingress: name,
        source: { address: peer },
        destination: { address: asked, port: PORT },
      } as const;
      const verdict = trace(state, flow);
      const at = `${peer} asks ${asked} by ${name}: `;
      if (mine.length > 1) return `${at}${mine.length} rows name it`;
      const [row] = mine;
      const taken = verdict.socket !== null;
      if (!row) {
        if (taken && verdict.socket !== socket) continue;
        if (isNeighbour(state, name, parsed)) return `${at}no row names it`;
        continue;
      }
      if (row.cause?.code === 'shadowed') {
        if (!taken || verdict.socket === socket) return `${at}nothing is in the way`;
        continue;
      }
      if (row.outcome !== verdict.outcome) return `${at}${row.outcome}, but ${verdict.explanation}`;
      const misses = verdict.stage === 'socket' && !taken; // each socket has its own
      if (!misses && row.cause?.code !== verdict.cause?.code)
        return `${at}${row.cause?.code}, but ${verdict.cause?.code}`;
    }
  }
  return null;
}

/** A host as `ip address`, `ip route` and `ip rule` would tell it, for a failure. */
function told(state: HostState): string[] {
  const { interfaces, routes, rules, sockets } = state;
  return [
    ...interfaces.map(
      ({ name, addresses, ipv4 }) =>
        `${name} ${addresses.map((one) => `${one.address}/${one.prefixLength}`).join(' ')} ` +
        `rp_filter ${ipv4?.rp_filter} accept_local ${ipv4?.accept_local} forwarding ${ipv4?.forwarding}`,
    ),
    ...routes
      .filter(({ protocol }) => protocol !== 2)
      .map(({ type, destination, table, nexthops: [way] }) =>
        [type, destination, way?.interface, way?.gateway, `table ${table}`].join(' '),
      ),
    ...rules
      .filter(({ priority }) => priority > 0 && priority < 32766)
      .map((one) => JSON.stringify(one)),
    ...sockets.map(({ local, v6only, boundInterface }) =>
      [local.address, `v6only ${v6only}`, `device ${boundInterface}`].join(' '),
    ),
  ];
}

test(`whoever a row of exposure names has the fate of that row (SEED=${seed})`, (t) => {
  const numRuns = Number(process.env.RUNS ?? 200);
  let asked = 0;
  const property = fc.property(aHost, fc.array(anAddress, { maxLength: 8 }), (state, random) => {
    for (const exposed of exposure(state)) {
      for (const peer of peersOf(state, random)) {
        const wrong = disagreement(state, exposed, peer);
        asked++;
        if (wrong) throw new Error(`${exposed.socket?.local.address}: ${wrong}`);
      }
    }
  });
  const { counterexample, errorInstance } = fc.check(property, { seed, numRuns });
  if (counterexample) t.log([String(errorInstance), ...told(counterexample[0])].join('\n'));
  t.is(errorInstance, null);
  t.true(asked > numRuns);
});

/** Prefixes in ascending order, none inside another, no two that make one. */
function minimal(texts: readonly string[]): boolean {
  const ranges = texts.map((text) => prefixRange(parsePrefix(text)!));
  return ranges.every(({ first, last }, place) => {
    const next = ranges[place + 1];
    if (!next) return true;
    if (next.first <= last) return false;
    const size = last - first + 1n;
    const joins = next.first === last + 1n && next.last - next.first + 1n === size;
    return !(joins && first % (2n * size) === 0n);
  });
}

test(`the peers of a row are the fewest prefixes (SEED=${seed})`, (t) => {
  const property = fc.property(aHost, (state) =>
    exposure(state).every(({ reach, blocked, unknown }) =>
      [...reach, ...blocked, ...unknown].every(({ peers }) => peers.length > 0 && minimal(peers)),
    ),
  );
  t.notThrows(() => fc.assert(property, { seed, numRuns: 100 }));
});
