import test from 'ava';
import type { HostState } from '#earshot/model/host-state.js';
import { exposure } from '#earshot/reach/exposure.js';
import type { Flow } from '#earshot/reach/flow.js';
import { trace } from '#earshot/reach/trace.js';
import type { Cause, CauseCode, Outcome, Stage, Symptom } from '#earshot/reach/verdict.js';
import {
  asks,
  asksItself,
  chain,
  host,
  LAN,
  type LinkChanges,
  lan4,
  lan6,
  lanLink,
  legacyTables,
  link,
  lo,
  neighbour4,
  neighbour6,
  nftables,
  onLan,
  route,
  rule,
  tcp,
  udp,
  unreadable,
} from './support/state.js';

/*
 * Why a flow fails: each cause with hosts where it is met. The tables are keyed by the closed sets,
 * so that a cause, stage or symptom without a test does not compile.
 */

interface Case {
  /** A statement about Linux. */
  says: string;
  state: HostState;
  flow: Flow;
  outcome: Exclude<Outcome, 'reachable'>;
  stage: Stage;
  symptom: Symptom | null;
  /** The particulars of the cause. */
  particulars: Record<string, unknown>;
}

const everywhere4 = tcp('0.0.0.0:3000');
const everywhere6 = tcp('[::]:3000');
const loopback4 = tcp('127.0.0.1:3000');
const loopback6 = tcp('[::1]:3000');
const server = onLan([everywhere6]);
const byLan = asks(neighbour4, LAN, `${lan4}:3000`);
const byLan6 = asks(neighbour6, LAN, `[${lan6}]:3000`);
const remedy = { reason: 'the kernel refused: EPERM', remedy: 'run as root' };

const withLan = (changes: LinkChanges, sockets = [everywhere6]) =>
  onLan(sockets, { links: [lanLink(changes)] });

const drops = (
  says: string,
  state: HostState,
  flow: Flow,
  stage: Stage,
  particulars: Record<string, unknown> = {},
): Case => {
  return { says, state, flow, outcome: 'unreachable', stage, symptom: 'ETIMEDOUT', particulars };
};

const fails = (
  says: string,
  state: HostState,
  flow: Flow,
  stage: Stage,
  symptom: Symptom | null,
  particulars: Record<string, unknown> = {},
): Case => ({ says, state, flow, outcome: 'unreachable', stage, symptom, particulars });

const unknown = (
  says: string,
  state: HostState,
  flow: Flow,
  stage: Stage,
  particulars: Record<string, unknown> = {},
): Case => ({ says, state, flow, outcome: 'unknown', stage, symptom: null, particulars });

const routeTo = (destination: string, type: 'blackhole' | 'unreachable' | 'prohibit' | 'throw') =>
  route(destination, { type });

const lanTwo = link('eth1', ['10.0.0.1/24', '2001:db8:2::1/64', 'fe80::11/64']);

const router = withRouter();

function withRouter(changes: Parameters<typeof onLan>[1] = {}): HostState {
  return onLan([everywhere6], {
    links: [lanLink({ ipv4: { forwarding: 1 }, ipv6: { forwarding: 1 } }), lanTwo],
    settings: { 'net.ipv6.conf.all.forwarding': 1 },
    ...changes,
  });
}

/** Those that have tests of their own: test/reach/stages/, test/reach/nftables/, test/lab/edges/. */
type TestedElsewhere =
  | 'rule-drop'
  | 'rule-reject'
  | 'policy-drop'
  | 'outside-vrf'
  | 'neighbour-not-answered'
  | 'group-not-joined'
  | 'port-blocked'
  | 'signature-required';

const cases: Record<Exclude<CauseCode, 'shadowed' | TestedElsewhere>, Case[]> = {
  'interface-missing': [
    drops(
      'nothing arrives on an interface that is not there',
      server,
      { ...byLan, ingress: 'wlan0' },
      'device',
      { interface: 'wlan0' },
    ),
  ],
  'interface-down': [
    drops('an interface that is down takes nothing', withLan({ up: false }), byLan, 'device', {
      interface: LAN,
    }),
    drops(
      'a bridge that is down takes nothing from its ports',
      host({
        links: [
          link('br0', [`${lan4}/24`], { kind: 'bridge', up: false }),
          link('eth1', [], { master: 'br0', portKind: 'bridge' }),
        ],
        sockets: [everywhere4],
      }),
      asks(neighbour4, 'eth1', `${lan4}:3000`),
      'device',
      { interface: 'br0' },
    ),
    fails(
      'a host without loopback does not know its own addresses',
      host({ links: [lo({ up: false }), lanLink()], sockets: [loopback4] }),
      asksItself('127.0.0.1:3000'),
      'routing',
      'ENETUNREACH',
      { code: 'no-route' },
    ),
    drops(
      "a host's packets to its own LAN address go over lo, which must be up",
      host({ links: [lo({ up: false }), lanLink()], sockets: [everywhere6] }),
      asksItself(`${lan4}:3000`),
      'device',
      { interface: 'lo' },
    ),
  ],
  'no-carrier': [
    drops('an interface without carrier', withLan({ lowerUp: false }), byLan, 'device', {
      interface: LAN,
    }),
    drops(
      'an answer that would leave by an interface without carrier is lost',
      onLan([everywhere4], {
        links: [lanLink(), link('eth1', ['10.0.0.1/24'], { lowerUp: false })],
      }),
      asks('10.0.0.9', LAN, `${lan4}:3000`),
      'reply',
      { interface: 'eth1' },
    ),
  ],
  'ip-disabled': [
    drops('disable_ipv6', withLan({ ipv6: { disable_ipv6: 1 } }), byLan6, 'device', {
      interface: LAN,
      family: 'ipv6',
    }),
    drops('a device without IPv4', withLan({ ipv4: null }), byLan, 'device', {
      interface: LAN,
      family: 'ipv4',
    }),
  ],
  'opaque-program': [
    unknown('XDP sees a packet first', withLan({ xdp: ['driver'] }), byLan, 'ingress', {
      interface: LAN,
      program: 'xdp',
      direction: 'request',
    }),
    unknown('a tc filter on the way in', withLan({ tcIngress: true }), byLan, 'ingress', {
      program: 'tc',
      direction: 'request',
    }),
    unknown('a tc filter on the way out', withLan({ tcEgress: true }), byLan, 'reply', {
      program: 'tc',
      direction: 'reply',
    }),
  ],
  'firewall-unreadable': [
    unknown(
      'nftables that may not be read decides',
      onLan([everywhere6], unreadable('nftables')),
      byLan,
      'ingress',
      { backend: 'nftables', hook: 'ingress', ...remedy },
    ),
    unknown(
      'legacy tables that may not be listed decide',
      onLan([everywhere6], unreadable('legacy-tables')),
      byLan,
      'prerouting',
      { backend: 'legacy', hook: 'prerouting', ...remedy },
    ),
  ],
  'firewall-not-evaluated': [
    unknown(
      'rules at output see the answer',
      onLan([everywhere6], { firewall: legacyTables('filter') }),
      byLan,
      'input',
      { backend: 'legacy', chains: ['table filter'] },
    ),
  ],
  'rule-unknown': [
    unknown(
      'an unknown rule at prerouting',
      onLan([everywhere6], { firewall: nftables([chain('ip nat prerouting', 'prerouting')]) }),
      byLan,
      'prerouting',
      { hook: 'prerouting', direction: 'request' },
    ),
    unknown(
      'an unknown rule at input',
      onLan([everywhere6], { firewall: nftables([chain('inet filter input', 'input')]) }),
      byLan,
      'input',
      { hook: 'input', direction: 'request' },
    ),
    unknown(
      'an unknown rule at output sees what this host sends',
      onLan([everywhere6], { firewall: nftables([chain('inet filter output', 'output')]) }),
      asksItself('127.0.0.1:3000'),
      'output',
      { hook: 'output', direction: 'request' },
    ),
  ],
  'not-captured': [
    ...(['interfaces', 'routes', 'rules', 'settings', 'sockets', 'consistency'] as const).map(
      (what) =>
        unknown(
          `without ${what} nothing can be told`,
          onLan([everywhere6], { missing: [{ what, ...remedy }] }),
          byLan,
          'device',
          { what, ...remedy },
        ),
    ),
    unknown(
      "a listener's mark counts where a rule looks at marks",
      onLan([tcp('0.0.0.0:3000', { mark: null })], {
        rules: [rule(100, { mark: { value: 1, mask: 255 }, table: 100 })],
      }),
      byLan,
      'reply',
      { what: 'marks' },
    ),
  ],
  'martian-source': [
    drops(
      'nobody may send from 127.0.0.1',
      server,
      asks('127.0.0.1', LAN, `${lan4}:3000`),
      'routing',
      { source: '127.0.0.1', interface: LAN },
    ),
    drops(
      'nor from a multicast address',
      server,
      asks('224.0.0.5', LAN, `${lan4}:3000`),
      'routing',
    ),
    drops(
      'nor from 255.255.255.255',
      server,
      asks('255.255.255.255', LAN, `${lan4}:3000`),
      'routing',
    ),
    drops('nor from ::1', server, asks('::1', LAN, `[${lan6}]:3000`), 'routing'),
    drops(
      'nor from a v4-mapped address',
      server,
      asks('::ffff:192.0.2.1', LAN, `[${lan6}]:3000`),
      'routing',
    ),
  ],
  'martian-destination': [
    drops(
      'a packet for 127.0.0.1 from outside is a martian unless route_localnet is on',
      server,
      asks(neighbour4, LAN, '127.0.0.1:3000'),
      'routing',
      { destination: '127.0.0.1', setting: 'net.ipv4.conf.eth0.route_localnet' },
    ),
    drops(
      'a packet for ::1 from outside is dropped, and no setting changes that',
      server,
      asks(neighbour6, LAN, '[::1]:3000'),
      'routing',
      { destination: '::1', setting: null },
    ),
    drops('a packet for 0.0.0.0', server, asks(neighbour4, LAN, '0.0.0.0:3000'), 'routing', {
      setting: null,
    }),
  ],
  'source-is-ours': [
    drops(
      'a peer that claims an address of this host is dropped',
      server,
      asks(lan4, LAN, `${lan4}:3000`),
      'routing',
      { source: lan4, interface: LAN },
    ),
  ],
  'reverse-path': [
    drops(
      'a strict filter wants the route back to leave by the same interface',
      onLan([everywhere4], { links: [lanLink({ ipv4: { rp_filter: 1 } }), lanTwo] }),
      asks('10.0.0.9', LAN, `${lan4}:3000`),
      'routing',
      { interface: LAN, mode: 'strict', back: 'eth1' },
    ),
    drops(
      'a loose filter wants a route back at all',
      host({ links: [lanLink({ ipv4: { rp_filter: 2 } })], sockets: [everywhere4] }),
      asks('203.0.113.7', LAN, `${lan4}:3000`),
      'routing',
      { interface: LAN, mode: 'loose', back: null },
    ),
    drops(
      'the filter of `all` counts where it is the larger',
      host({
        links: [lanLink()],
        sockets: [everywhere4],
        settings: { 'net.ipv4.conf.all.rp_filter': 1 },
      }),
      asks('203.0.113.7', LAN, `${lan4}:3000`),
      'routing',
      { mode: 'strict', back: null },
    ),
  ],
  'address-not-ready': (['tentative', 'dadfailed'] as const).map((state) =>
    drops(
      `an address that is ${state} does not answer`,
      onLan([everywhere6], {
        links: [link(LAN, [`${lan6}/64 ${state}`, '2001:db8:1::11/64'])],
      }),
      byLan6,
      'routing',
      { address: lan6, state },
    ),
  ),
  'wrong-scope': [
    drops(
      'a link-local address answers on its own link alone, also where nobody asks for neighbours',
      onLan([everywhere6], { links: [lanLink({ mac: null, noArp: true }), lanTwo] }),
      asks('fe80::20', LAN, '[fe80::11]:3000'),
      'routing',
      { address: 'fe80::11', interface: 'eth1' },
    ),
  ],
  'not-our-address': [
    drops(
      'a host that does not forward drops what is not for it',
      server,
      asks(neighbour4, LAN, '203.0.113.7:3000'),
      'routing',
      { destination: '203.0.113.7' },
    ),
    drops(
      'nor does it forward IPv6',
      server,
      asks(neighbour6, LAN, '[2001:db8:9::1]:3000'),
      'routing',
      { destination: '2001:db8:9::1' },
    ),
  ],
  forwarded: [
    unknown('a router sends it on', router, asks(neighbour4, LAN, '10.0.0.9:3000'), 'forward', {
      interface: 'eth1',
      gateway: null,
    }),
    unknown(
      'a router sends it on to another',
      router,
      asks('2001:db8:2::9', 'eth1', '[2001:db8:9::1]:3000'),
      'forward',
      { interface: LAN, gateway: 'fe80::1' },
    ),
  ],
  'leaves-this-host': [
    unknown(
      'what this host asks of others is not known here',
      server,
      asksItself('203.0.113.7:443'),
      'routing',
      { interface: LAN, gateway: '192.168.1.1' },
    ),
  ],
  'assumed-on-link': [
    unknown(
      'a socket that is bound to a device answers there without a route',
      host({
        links: [lanLink(), lanTwo],
        sockets: [tcp('0.0.0.0:3000', { boundInterface: LAN })],
      }),
      asks('10.0.0.9', LAN, `${lan4}:3000`),
      'reply',
      { destination: '10.0.0.9', interface: LAN },
    ),
  ],
  'not-a-unicast-address': [
    drops(
      'TCP answers no broadcast',
      server,
      asks(neighbour4, LAN, '192.168.1.255:3000'),
      'routing',
      { destination: '192.168.1.255', type: 'broadcast' },
    ),
    drops('TCP answers no multicast', server, asks(neighbour4, LAN, '224.0.0.1:3000'), 'routing', {
      type: 'multicast',
    }),
    drops(
      'TCP answers no anycast address of IPv6',
      onLan([everywhere6], {
        routes: [route('2001:db8:1::/128', { type: 'anycast', table: 255, dev: LAN, metric: 0 })],
      }),
      asks(neighbour6, LAN, '[2001:db8:1::]:3000'),
      'routing',
      { type: 'anycast' },
    ),
    fails(
      'a UDP program may not send to a broadcast address unasked',
      server,
      asksItself('192.168.1.255:3000', 'udp'),
      'routing',
      'EACCES',
      { type: 'broadcast' },
    ),
    unknown(
      'UDP to a multicast group leaves this host',
      server,
      asksItself('224.0.0.1:3000', 'udp'),
      'routing',
      { type: 'multicast' },
    ),
  ],
  'no-route': [
    drops(
      'without a route back the answer is lost',
      host({ links: [lanLink()], sockets: [everywhere4] }),
      asks('203.0.113.7', LAN, `${lan4}:3000`),
      'reply',
      { destination: '203.0.113.7', direction: 'reply' },
    ),
    fails(
      'a router without a route says so',
      withRouter({ routes: [] }),
      asks(neighbour4, LAN, '203.0.113.7:3000'),
      'routing',
      'ENETUNREACH',
      { destination: '203.0.113.7', direction: 'request' },
    ),
    fails(
      'a program of this host is told so at once',
      host(),
      asksItself('203.0.113.7:443'),
      'routing',
      'ENETUNREACH',
      { direction: 'request' },
    ),
  ],
  'route-refuses': [
    ...(
      [
        ['unreachable', 'EHOSTUNREACH'],
        ['prohibit', 'EACCES'],
        ['blackhole', 'EINVAL'],
      ] as const
    ).map(([type, symptom]) =>
      fails(
        `a program of this host that meets a route of type ${type} sees ${symptom}`,
        onLan([], { routes: [routeTo('203.0.113.0/24', type)] }),
        asksItself('203.0.113.7:443'),
        'routing',
        symptom,
        { type, by: 'route', destination: '203.0.113.0/24', table: 254, direction: 'request' },
      ),
    ),
    drops(
      'an answer that meets an unreachable route is lost',
      onLan([everywhere4], { routes: [routeTo('203.0.113.0/24', 'unreachable')] }),
      asks('203.0.113.7', LAN, `${lan4}:3000`),
      'reply',
      { type: 'unreachable', by: 'route', direction: 'reply' },
    ),
    fails(
      'a policy rule may refuse',
      onLan([], { rules: [rule(100, { action: 'prohibit', to: '203.0.113.0/24' })] }),
      asksItself('203.0.113.7:443'),
      'routing',
      'EACCES',
      { type: 'prohibit', by: 'rule', priority: 100, table: null },
    ),
  ],
  'not-evaluated': [
    unknown(
      'a rule whose selector is not known is not guessed at',
      onLan([everywhere4], { rules: [rule(10, { unknownAttributes: [99] })] }),
      asks(neighbour4, LAN, '203.0.113.7:3000'),
      'routing',
    ),
    unknown(
      'who has joined a multicast group is not told',
      server,
      asks(neighbour4, LAN, '224.0.0.1:3000', 'udp'),
      'routing',
    ),
    unknown(
      '/proc/net does not tell the device of a socket',
      onLan([tcp('0.0.0.0:3000', { source: 'procfs' })]),
      byLan,
      'socket',
    ),
    unknown(
      '/proc/net does not tell whether :: takes IPv4',
      onLan([tcp('[::]:3000', { v6only: null })]),
      byLan,
      'socket',
    ),
    unknown(
      'a port of a master of a kind that is not modelled',
      onLan([everywhere4], {
        links: [lanLink({ master: 'team0', portKind: 'ovs' }), link('team0')],
      }),
      byLan,
      'device',
    ),
  ],
  'no-listener': [
    fails('nobody listens', onLan([]), byLan, 'socket', 'ECONNREFUSED'),
    fails(
      'nobody listens for UDP',
      onLan([]),
      asks(neighbour6, LAN, `[${lan6}]:3000`, 'udp'),
      'socket',
      'ECONNREFUSED',
    ),
    drops(
      'a reset that finds no way back is not seen',
      host({ links: [lanLink()] }),
      asks('203.0.113.7', LAN, `${lan4}:3000`),
      'socket',
    ),
    drops(
      'nobody answers a UDP broadcast that nobody takes',
      onLan([]),
      asks(neighbour4, LAN, '192.168.1.255:3000', 'udp'),
      'socket',
    ),
  ],
  'bound-to-loopback': [
    fails('127.0.0.1 and a LAN peer', onLan([loopback4]), byLan, 'socket', 'ECONNREFUSED', {
      socket: loopback4,
    }),
    fails('::1 and a LAN peer', onLan([loopback6]), byLan6, 'socket', 'ECONNREFUSED', {
      socket: loopback6,
    }),
    fails(
      '127.0.0.1 and an IPv6 peer from the LAN: loopback is what must change first',
      onLan([loopback4]),
      byLan6,
      'socket',
      'ECONNREFUSED',
      { socket: loopback4 },
    ),
    fails(
      '::1 and an IPv4 peer from the LAN',
      onLan([loopback6]),
      byLan,
      'socket',
      'ECONNREFUSED',
      { socket: loopback6 },
    ),
  ],
  'bound-to-other-address': [
    fails(
      'a socket on one address of the host does not take another',
      onLan([tcp('10.0.0.1:3000')], { links: [lanLink(), lanTwo] }),
      byLan,
      'socket',
      'ECONNREFUSED',
    ),
  ],
  'bound-to-other-device': [
    fails(
      'a socket bound to a device takes what comes in there alone',
      onLan([tcp('0.0.0.0:3000', { boundInterface: 'eth1' })], { links: [lanLink(), lanTwo] }),
      byLan,
      'socket',
      'ECONNREFUSED',
    ),
    fails(
      'a socket bound to a device that is gone takes nothing',
      onLan([tcp('0.0.0.0:3000', { boundInterface: 'if7' })]),
      byLan,
      'socket',
      'ECONNREFUSED',
    ),
  ],
  'ipv6-only': [
    fails(
      ':: with v6only takes no IPv4',
      onLan([tcp('[::]:3000', { v6only: true })]),
      byLan,
      'socket',
      'ECONNREFUSED',
    ),
    fails(
      'a socket on an IPv6 address takes no IPv4',
      onLan([tcp(`[${lan6}]:3000`)]),
      byLan,
      'socket',
      'ECONNREFUSED',
    ),
    fails(
      'localhost that means 127.0.0.1 and a server on ::1',
      onLan([loopback6]),
      asksItself('127.0.0.1:3000'),
      'socket',
      'ECONNREFUSED',
    ),
  ],
  'ipv4-only': [
    fails('0.0.0.0 takes no IPv6', onLan([everywhere4]), byLan6, 'socket', 'ECONNREFUSED'),
    fails(
      'a socket on an IPv4 address takes no IPv6',
      onLan([tcp(`${lan4}:3000`)]),
      byLan6,
      'socket',
      'ECONNREFUSED',
    ),
    fails(
      'nor does one on its v4-mapped form',
      onLan([tcp(`[::ffff:${lan4}]:3000`)]),
      byLan6,
      'socket',
      'ECONNREFUSED',
    ),
    fails(
      'localhost that means ::1 and a server on 127.0.0.1',
      onLan([loopback4]),
      asksItself('[::1]:3000'),
      'socket',
      'ECONNREFUSED',
    ),
  ],
  'other-protocol': [
    fails(
      'a UDP socket takes no TCP',
      onLan([udp('0.0.0.0:3000')]),
      byLan,
      'socket',
      'ECONNREFUSED',
    ),
  ],
  'connected-to-another': [
    fails(
      'a connected UDP socket takes from its peer alone',
      onLan([udp(`${lan4}:3000`, { remote: { address: '192.168.1.30', port: 53 } })]),
      asks(neighbour4, LAN, `${lan4}:3000`, 'udp'),
      'socket',
      'ECONNREFUSED',
    ),
  ],
  'accept-queue-full': [
    drops(
      'one more than the backlog fits, and then no more',
      onLan([tcp('0.0.0.0:3000', { backlog: { length: 6, limit: 5 } })]),
      byLan,
      'socket',
    ),
  ],
  'source-not-ours': [
    fails(
      'a program of this host may not send from an address of another',
      server,
      { ...asksItself('127.0.0.1:3000'), source: { address: '203.0.113.7' } },
      'routing',
      'EADDRNOTAVAIL',
      { source: '203.0.113.7' },
    ),
  ],
};

const all = Object.entries(cases).flatMap(([code, list]) => list.map((one) => ({ code, ...one })));

for (const { code, says, state, flow, outcome, stage, symptom, particulars } of all) {
  test(`${code}: ${says}`, (t) => {
    const verdict = trace(state, flow);
    t.like(verdict, { outcome, stage, symptom });
    t.like(verdict.cause, { code, ...particulars } as Partial<Cause>);
    const last = verdict.steps.at(-1);
    t.truthy(last?.detail);
    t.is(verdict.outcome === 'unknown' && last?.action === 'deliver', false);
    if (symptom) t.true(verdict.explanation.includes(symptom), verdict.explanation);
  });
}

test('shadowed: only exposure asks for a socket of its own, so only there one can be in the way of another', (t) => {
  const closer = tcp(`${lan4}:3000`);
  const [first] = exposure(onLan([everywhere4, closer]), { localAddress: '0.0.0.0' });
  const shadowed = first?.blocked.filter(({ cause }) => cause.code === 'shadowed');
  t.deepEqual(
    shadowed?.map(({ address, cause }) => [address, cause]),
    [[lan4, { code: 'shadowed', by: closer }]],
  );
});

const stages: Record<Stage, true> = {
  device: true,
  ingress: true,
  prerouting: true,
  routing: true,
  forward: true,
  input: true,
  socket: true,
  output: true,
  reply: true,
};

test('a flow may end at each stage', (t) => {
  const met = new Set(all.map(({ stage }) => stage));
  t.deepEqual(
    Object.keys(stages).filter((stage) => !met.has(stage as Stage)),
    [],
  );
});

/** Where it is given; `false`: rules of a firewall alone give it (test/reach/nftables/). */
const symptoms: Record<Symptom, boolean> = {
  ECONNREFUSED: true,
  ETIMEDOUT: true,
  EHOSTUNREACH: true,
  ENETUNREACH: true,
  EACCES: true,
  EINVAL: true,
  EADDRNOTAVAIL: true,
  EPERM: false,
  ENOPROTOOPT: false,
  ECONNRESET: false,
};

test('each symptom is met', (t) => {
  const met = new Set(all.map(({ symptom }) => symptom));
  for (const [symptom, given] of Object.entries(symptoms)) {
    t.is(met.has(symptom as Symptom), given, symptom);
  }
});
