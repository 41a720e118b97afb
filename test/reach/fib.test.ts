import test from 'ava';
import { parseAddress, unspecified } from '#earshot/model/address.js';
import type { Route } from '#earshot/model/route.js';
import type { Family } from '#earshot/model/socket.js';
import { Fib, type RouteKey, type TableAnswer } from '#earshot/reach/fib.js';
import { Host } from '#earshot/reach/host.js';
import { host, type LinkChanges, link, route } from './support/state.js';

const links = (changes: LinkChanges = {}) => [link('eth0', [], changes), link('eth1', [], changes)];

function key(destination: string, changes: Partial<RouteKey> & { from?: string } = {}): RouteKey {
  const { from, ...rest } = changes;
  const family: Family = destination.includes(':') ? 'ipv6' : 'ipv4';
  return {
    destination: parseAddress(destination)!,
    source: from === undefined ? unspecified(family) : parseAddress(from)!,
    input: 1,
    output: 0,
    strict: false,
    mark: 0,
    tos: 0,
    protocol: 6,
    sourcePort: 40000,
    destinationPort: 80,
    uid: 0,
    ...rest,
  };
}

/** Asks a table of its own. eth0 has index 2, eth1 has 3. */
function ask(routes: Route[], asked: RouteKey, changes: LinkChanges = {}): TableAnswer {
  const fib = new Fib(routes, new Host(host({ links: links(changes) })).devices);
  const ipv4 = asked.destination.family === 'ipv4';
  return ipv4 ? fib.lookup4(asked, false) : fib.lookup6(asked, asked.output);
}

/** The route that answers, as its destination and device; or the refusal, or 'again'. */
function way(routes: Route[], asked: RouteKey, changes: LinkChanges = {}): string {
  const answer = ask(routes, asked, changes);
  if (answer === 'again') return answer;
  if ('refused' in answer) return answer.refused;
  return `${answer.route.destination} ${answer.nexthop?.interface}`;
}

const nexthop = (name: string, ...flags: string[]) => ({
  interface: name,
  gateway: null,
  weight: 1,
  flags,
});

test('the longest prefix wins, whatever the metric', (t) => {
  const routes = [
    route('10.0.0.0/8', { dev: 'eth0', metric: 1 }),
    route('10.1.0.0/16', { dev: 'eth1', metric: 100 }),
  ];
  t.is(way(routes, key('10.1.2.3')), '10.1.0.0/16 eth1');
  t.is(way(routes, key('10.2.2.3')), '10.0.0.0/8 eth0');
  t.is(way(routes, key('11.0.0.1')), 'again');
});

test('of one prefix the smaller metric wins, and a TOS that fits before none', (t) => {
  const routes = [
    route('10.0.0.0/8', { dev: 'eth0', metric: 5 }),
    route('10.0.0.0/8', { dev: 'eth1', metric: 1 }),
    route('10.0.0.0/8', { dev: 'eth0', metric: 9, tos: 0x10 }),
  ];
  t.is(way(routes, key('10.0.0.1')), '10.0.0.0/8 eth1');
  t.is(way(routes, key('10.0.0.1', { tos: 0x10 })), '10.0.0.0/8 eth0');
});

test('routes of IPv4 do not look at the precedence bits of the TOS', (t) => {
  const routes = [route('10.0.0.0/8', { dev: 'eth0', tos: 0x10 })];
  t.is(way(routes, key('10.0.0.1', { tos: 0xf0 })), '10.0.0.0/8 eth0');
  t.is(way(routes, key('10.0.0.1', { tos: 0x08 })), 'again');
});

test('blackhole is EINVAL, unreachable EHOSTUNREACH, prohibit EACCES, and throw leaves the table', (t) => {
  for (const everything of ['0.0.0.0/0', '::/0']) {
    const asked = key(everything === '::/0' ? '2001:db8::1' : '10.0.0.1');
    t.is(way([route(everything, { type: 'blackhole' })], asked), 'EINVAL');
    t.is(way([route(everything, { type: 'unreachable' })], asked), 'EHOSTUNREACH');
    t.is(way([route(everything, { type: 'prohibit' })], asked), 'EACCES');
    t.is(way([route(everything, { type: 'throw' })], asked), 'again');
  }
});

test('a throw route hides the shorter prefixes of its table', (t) => {
  const routes = [route('0.0.0.0/0', { dev: 'eth0' }), route('10.0.0.0/8', { type: 'throw' })];
  t.is(way(routes, key('10.0.0.1')), 'again');
  t.is(way(routes, key('11.0.0.1')), '0.0.0.0/0 eth0');
});

test('a dead way is passed over, and one without carrier where its interface says so', (t) => {
  for (const [down, flags] of [
    [{}, ['dead']],
    [{ ipv4: { ignore_routes_with_linkdown: 1 } }, ['linkdown']],
  ] as const) {
    const routes = [
      route('10.0.0.0/8', { nexthops: [nexthop('eth0', ...flags), nexthop('eth1')] }),
      route('0.0.0.0/0', { dev: 'eth0' }),
    ];
    t.is(way(routes, key('10.0.0.1'), down), '10.0.0.0/8 eth1');
    const none = [route('10.0.0.0/8', { nexthops: [nexthop('eth0', ...flags)] }), routes[1]!];
    t.is(way(none, key('10.0.0.1'), down), '0.0.0.0/0 eth0');
  }
  const told = [route('10.0.0.0/8', { nexthops: [nexthop('eth0', 'linkdown')] })];
  t.is(way(told, key('10.0.0.1')), '10.0.0.0/8 eth0');
});

test('IPv4: a nexthop object without a usable way hides the shorter prefixes that begin at the same address', (t) => {
  const routes = [
    route('10.0.0.0/24', { nexthops: [nexthop('eth0', 'dead')], nexthopId: 1 }),
    route('10.0.0.0/16', { dev: 'eth1' }),
    route('0.0.0.0/0', { dev: 'eth1' }),
  ];
  t.is(way(routes, key('10.0.0.1')), '0.0.0.0/0 eth1');
  t.is(way(routes, key('10.0.1.1')), '10.0.0.0/16 eth1');
});

test('IPv4: only ways by the wanted interface count', (t) => {
  const routes = [route('10.0.0.0/8', { dev: 'eth0' }), route('0.0.0.0/0', { dev: 'eth1' })];
  t.is(way(routes, key('10.0.0.1', { output: 3 })), '0.0.0.0/0 eth1');
});

test('IPv6: the wanted interface is preferred, and demanded only where the look is strict', (t) => {
  const routes = [
    route('2001:db8::/32', { dev: 'eth0' }),
    route('2001:db8::/32', { dev: 'eth1' }),
    route('2001:db8:1::/48', { dev: 'eth0' }),
  ];
  t.is(way(routes, key('2001:db8::1', { output: 3 })), '2001:db8::/32 eth1');
  t.is(way(routes, key('2001:db8:1::1', { output: 3 })), '2001:db8:1::/48 eth0');
  t.is(way(routes, key('2001:db8:1::1', { output: 3, strict: true })), '2001:db8::/32 eth1');
});

test('IPv6: what leads nowhere is reached by lo, so that a strict look for another interface passes it over', (t) => {
  const routes = [route('2001:db8::/32', { type: 'unreachable' }), route('::/0', { dev: 'eth1' })];
  t.is(way(routes, key('2001:db8::1')), 'EHOSTUNREACH');
  t.is(way(routes, key('2001:db8::1', { output: 3, strict: true })), '::/0 eth1');
  t.is(way(routes, key('2001:db8::1', { output: 1, strict: true })), 'EHOSTUNREACH');
});

test('IPv6: once the routes of the smallest metric are out, the others are compared without it', (t) => {
  const dead = route('2001:db8::/32', { nexthops: [nexthop('eth0', 'dead')], metric: 1 });
  const near = route('2001:db8::/32', { dev: 'eth0', metric: 2 });
  const far = route('2001:db8::/32', { dev: 'eth1', metric: 3 });
  t.is(way([near, far], key('2001:db8::1', { output: 3 })), '2001:db8::/32 eth0');
  t.is(way([dead, near, far], key('2001:db8::1', { output: 3 })), '2001:db8::/32 eth1');
});

test("IPv6: a router's preference decides among routes of one metric", (t) => {
  const routes = [
    route('::/0', { dev: 'eth0', preference: 'low' }),
    route('::/0', { dev: 'eth1', preference: 'high' }),
  ];
  t.is(way(routes, key('2001:db8::1')), '::/0 eth1');
});

test('IPv6: of one destination the longest source prefix is asked first', (t) => {
  const routes = [
    route('::/0', { dev: 'eth0' }),
    route('::/0', { dev: 'eth1', sourcePrefix: '2001:db8::/32' }),
    route('::/0', { type: 'prohibit', sourcePrefix: '2001:db8:1::/48' }),
  ];
  t.is(way(routes, key('fd00::1', { from: 'fd01::1' })), '::/0 eth0');
  t.is(way(routes, key('fd00::1', { from: '2001:db8:2::1' })), '::/0 eth1');
  t.is(way(routes, key('fd00::1', { from: '2001:db8:1::1' })), 'EACCES');
});

test('IPv6: a destination that has routes by source, none of which fits, is passed over as a whole', (t) => {
  const routes = [
    route('fd00::/16', { dev: 'eth0' }),
    route('fd00::/16', { dev: 'eth1', sourcePrefix: '2001:db8:1::/64' }),
    route('fd00::/8', { dev: 'eth1' }),
  ];
  t.is(way(routes, key('fd00::1', { from: '2001:db8:2::1' })), 'fd00::/8 eth1');
  t.is(way(routes, key('fd00::1', { from: '2001:db8:1::1' })), 'fd00::/16 eth1');
});

test('IPv6: a nexthop object that is a blackhole is taken whatever stands before it', (t) => {
  const routes = [
    route('2001:db8::/32', { dev: 'eth0' }),
    route('2001:db8::/32', { type: 'blackhole', nexthopId: 5 }),
  ];
  t.is(way(routes, key('2001:db8::1')), 'EINVAL');
});
