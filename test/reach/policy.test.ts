import test from 'ava';
import { parseAddress, unspecified } from '#earshot/model/address.js';
import type { Route } from '#earshot/model/route.js';
import type { Rule } from '#earshot/model/rule.js';
import type { RouteKey } from '#earshot/reach/fib.js';
import { Host } from '#earshot/reach/host.js';
import { unknownUser } from '#earshot/reach/ready-rule.js';
import { host, link, route, rule } from './support/state.js';

const destination = '10.9.0.1';

/** Where a packet goes on a host of two interfaces: eth0 has index 2, eth1 has 3. */
function way(
  routes: Route[],
  rules: Rule[],
  changes: Partial<RouteKey> & { to?: string; from?: string } = {},
): string {
  const { to = destination, from, ...rest } = changes;
  const links = [link('eth0', ['10.0.0.1/24']), link('eth1', [], { group: 7 })];
  const address = parseAddress(to)!;
  const { policy } = new Host(host({ links, routes, rules }));
  const answer = policy[address.family].lookup({
    destination: address,
    source: from === undefined ? unspecified(address.family) : parseAddress(from)!,
    input: 1,
    output: 0,
    strict: false,
    mark: 0,
    tos: 0,
    protocol: 6,
    sourcePort: 40000,
    destinationPort: 80,
    uid: 1000,
    ...rest,
  });
  if (answer.kind === 'unknown') return 'unknown';
  if (answer.kind === 'refused') return answer.error;
  return `${answer.found.route.destination} ${answer.found.route.table}`;
}

const everywhere = (table: number, dev = 'eth1') => route('0.0.0.0/0', { table, dev });

test('a longer prefix in main beats a local route while no custom rule exists', (t) => {
  const routes = [
    route('10.8.0.0/16', { type: 'local', table: 255, dev: 'lo' }),
    route('10.8.1.0/24', { dev: 'eth1' }),
  ];
  t.is(way(routes, [], { to: '10.8.1.1' }), '10.8.1.0/24 254');
  const custom = [rule(100, { from: '192.0.2.1/32', table: 100 })];
  t.is(way(routes, custom, { to: '10.8.1.1' }), '10.8.0.0/16 255');
});

test('without custom rules the default table is asked where main has no route, not where main refuses', (t) => {
  t.is(way([everywhere(253)], []), '0.0.0.0/0 253');
  t.is(way([everywhere(253), route('10.9.0.0/16', { type: 'blackhole' })], []), 'EINVAL');
});

test('an unreachable rule is ENETUNREACH, a prohibit rule EACCES, a blackhole rule EINVAL', (t) => {
  t.is(way([everywhere(254)], [rule(100, { action: 'unreachable' })]), 'ENETUNREACH');
  t.is(way([everywhere(254)], [rule(100, { action: 'prohibit' })]), 'EACCES');
  t.is(way([everywhere(254)], [rule(100, { action: 'blackhole' })]), 'EINVAL');
});

test('where no rule finds a route it is ENETUNREACH', (t) => {
  t.is(way([], []), 'ENETUNREACH');
  t.is(way([], [rule(100, { table: 100 })]), 'ENETUNREACH');
});

test('a rule is asked only for what all its selectors fit', (t) => {
  const routes = [everywhere(254), everywhere(100)];
  const cases: [Partial<Rule>, Parameters<typeof way>[2], Parameters<typeof way>[2]][] = [
    [{ from: '192.0.2.0/24' }, { from: '192.0.2.9' }, { from: '192.0.3.9' }],
    [{ to: '10.9.0.0/24' }, { to: '10.9.0.2' }, { to: '10.9.1.2' }],
    [{ inputInterface: 'eth0' }, { input: 2 }, { input: 3 }],
    [{ outputInterface: 'eth1' }, { output: 3 }, { output: 0 }],
    [{ mark: { value: 0x10, mask: 0xf0 } }, { mark: 0x1f }, { mark: 0x2f }],
    [{ ipProtocol: 17 }, { protocol: 17 }, { protocol: 6 }],
    [{ sourcePort: { from: 1, to: 9 } }, { sourcePort: 9 }, { sourcePort: 10 }],
    [{ destinationPort: { from: 80, to: 80 } }, { destinationPort: 80 }, { destinationPort: 81 }],
    [{ uidRange: { from: 5, to: 9 } }, { uid: 9 }, { uid: 10 }],
    [{ tos: 0x10 }, { tos: 0x10 }, { tos: 0x08 }],
    [{ tos: 0x10 }, { tos: 0x50 }, { tos: 0 }],
  ];
  for (const [selectors, fits, misses] of cases) {
    const rules = (changes: Partial<Rule> = {}) => [
      rule(100, { table: 100, ...selectors, ...changes }),
    ];
    t.is(way(routes, rules(), fits), '0.0.0.0/0 100', JSON.stringify(selectors));
    t.is(way(routes, rules(), misses), '0.0.0.0/0 254', JSON.stringify(selectors));
    t.is(way(routes, rules({ invert: true }), fits), '0.0.0.0/0 254', 'inverted');
    t.is(way(routes, rules({ invert: true }), misses), '0.0.0.0/0 100', 'inverted');
  }
});

test('a rule for an interface that is gone fits nothing', (t) => {
  const gone = rule(100, { table: 100, inputInterface: 'ppp0', inputDetached: true });
  t.is(way([everywhere(254), everywhere(100)], [gone]), '0.0.0.0/0 254');
});

test('rules of one priority are asked in their order', (t) => {
  const routes = [everywhere(100), everywhere(101)];
  const rules = [rule(100, { table: 101 }), rule(100, { table: 100 })];
  t.is(way(routes, rules), '0.0.0.0/0 101');
});

test('goto skips the rules between, and goes on where its target is gone', (t) => {
  const routes = [everywhere(100), everywhere(101)];
  const between = rule(150, { table: 100 });
  const jump = (goto: number) => rule(100, { action: 'goto', goto });
  t.is(way(routes, [jump(200), between, rule(200, { table: 101 })]), '0.0.0.0/0 101');
  t.is(way(routes, [jump(300), between, rule(200, { table: 101 })]), '0.0.0.0/0 100');
});

test('nop does nothing', (t) => {
  const rules = [rule(100, { action: 'nop' }), rule(110, { table: 100 })];
  t.is(way([everywhere(100)], rules), '0.0.0.0/0 100');
});

test('suppress_prefixlength passes a short prefix over, and lets a long one stand', (t) => {
  const routes = [
    everywhere(254),
    everywhere(100),
    route('10.9.0.0/24', { table: 100, dev: 'eth1' }),
  ];
  const rules = [rule(100, { table: 100, suppressPrefixLength: 0 })];
  t.is(way(routes, rules), '10.9.0.0/24 100');
  t.is(way(routes, rules, { to: '10.10.0.1' }), '0.0.0.0/0 254');
});

test('suppress_prefixlength does not pass a refusal over', (t) => {
  const routes = [everywhere(254), route('0.0.0.0/0', { table: 100, type: 'prohibit' })];
  t.is(way(routes, [rule(100, { table: 100, suppressPrefixLength: 0 })]), 'EACCES');
});

test('suppress_ifgroup passes over what leaves by an interface of the group', (t) => {
  const rules = [rule(100, { table: 100, suppressInterfaceGroup: 7 })];
  t.is(way([everywhere(254, 'eth0'), everywhere(100, 'eth1')], rules), '0.0.0.0/0 254');
  t.is(way([everywhere(254, 'eth0'), everywhere(100, 'eth0')], rules), '0.0.0.0/0 100');
});

test('of an IPv4 multipath route suppress_ifgroup looks at the first way, of an IPv6 one at the one taken', (t) => {
  const nexthops = ['eth0', 'eth1'].map((name) => ({
    interface: name,
    gateway: null,
    weight: 1,
    flags: [],
  }));
  const suppressing = { table: 100, suppressInterfaceGroup: 7 };
  const two = route('0.0.0.0/0', { table: 100, nexthops });
  t.is(way([two], [rule(100, suppressing)]), '0.0.0.0/0 100');
  const six = route('::/0', { table: 100, nexthops });
  const rules = [rule(100, { ...suppressing, family: 'ipv6' })];
  t.is(way([six], rules, { to: '2001:db8::1' }), 'unknown');
});

test('a rule by user is unknown where nobody says who asks', (t) => {
  const rules = [rule(100, { table: 100, uidRange: { from: 0, to: 9 } })];
  t.is(way([everywhere(254)], rules, { uid: unknownUser }), 'unknown');
});

test('a rule with a selector that is not known here is unknown', (t) => {
  const rules = [rule(100, { table: 100, unknownAttributes: [31] })];
  t.is(way([everywhere(254)], rules), 'unknown');
});

test('only what the local table holds is an address of this host, but one of an interface that is down may be a source', (t) => {
  const { policy } = new Host(
    host({
      links: [link('eth0', ['10.0.0.1/24']), link('eth1', ['10.1.0.1/24'], { up: false })],
      routes: [route('10.7.0.0/16', { type: 'local', table: 100, dev: 'lo' })],
    }),
  );
  const is = (text: string) => policy.ipv4.isLocal(parseAddress(text)!);
  const may = (text: string) => policy.ipv4.mayBeSource(parseAddress(text)!);
  t.deepEqual([is('10.0.0.1'), may('10.0.0.1')], [true, true]);
  t.deepEqual([is('127.0.0.53'), may('127.0.0.53')], [true, true]);
  t.deepEqual([is('10.1.0.1'), may('10.1.0.1')], [false, true]);
  t.deepEqual([is('10.7.0.1'), may('10.7.0.1')], [false, false]);
});
