import test from 'ava';
import type { HostState } from '#earshot/model/host-state.js';
import type { Rule } from '#earshot/model/rule.js';
import type { Socket } from '#earshot/model/socket.js';
import { exposure } from '#earshot/reach/exposure.js';
import { trace } from '#earshot/reach/trace.js';
import { address, device, laptop, route, socket } from '../../cli/laptop.js';

/*
 * VRFs, on states made by hand after net/l3mdev/l3mdev.c, drivers/net/vrf.c and
 * include/net/inet_sock.h: not every kernel that runs these tests has VRFs.
 */

const VRF_TABLE = 10;

const ipv6Settings = {
  forwarding: 0,
  disable_ipv6: 0,
  optimistic_dad: 0,
  use_optimistic: 0,
  ignore_routes_with_linkdown: 0,
  drop_unicast_in_l2_multicast: 0,
  force_forwarding: 0,
};

/** eth1 is a port of the VRF blue, whose table has its network and no default route. */
function host(sockets: Socket[], changes: Partial<HostState> = {}): HostState {
  const plain = laptop();
  const inVrf = { table: VRF_TABLE };
  const local = { ...inVrf, type: 'local', scope: 254 } as const;
  const l3mdev: Rule[] = (['ipv4', 'ipv6'] as const).map((family) => ({
    ...plain.rules[0]!,
    family,
    priority: 1000,
    table: null,
    l3mdev: true,
  }));
  const [zero, main, fallback] = plain.rules as [Rule, Rule, Rule];
  return {
    ...plain,
    interfaces: [
      ...plain.interfaces,
      device('blue', { index: 10, kind: 'vrf', vrfTable: VRF_TABLE, noArp: true }),
      device('eth1', {
        index: 11,
        master: 'blue',
        portKind: 'vrf',
        ipv6: ipv6Settings,
        addresses: [address('10.1.0.1', 24), address('fd00:1::1', 64), address('fe80::11', 64)],
      }),
    ],
    routes: [
      ...plain.routes,
      route('10.1.0.0/24', 'eth1', inVrf),
      route('10.1.0.1/32', 'eth1', local),
      route('fd00:1::/64', 'eth1', inVrf),
      route('fd00:1::1/128', 'eth1', local),
      route('fe80::/64', 'eth1', inVrf),
      route('fe80::11/128', 'eth1', local),
    ],
    rules: [zero, l3mdev[0]!, main, fallback]
      .concat([{ ...zero, family: 'ipv6' }, l3mdev[1]!, { ...main, family: 'ipv6' }])
      .map((rule) => ({ ...rule })),
    settings: { 'net.ipv4.tcp_l3mdev_accept': 0, 'net.ipv4.udp_l3mdev_accept': 0 },
    sockets,
    ...changes,
  };
}

const peers = { ipv4: ['10.1.0.7', '10.1.0.1'], ipv6: ['fd00:1::7', 'fd00:1::1'] } as const;

function ask(
  state: HostState,
  protocol: 'tcp' | 'udp' = 'tcp',
  [source, destination]: readonly [string, string] = peers.ipv4,
  port = 80,
) {
  return trace(state, {
    protocol,
    ingress: 'eth1',
    source: { address: source },
    destination: { address: destination, port },
  });
}

const accept = { 'net.ipv4.tcp_l3mdev_accept': 1, 'net.ipv4.udp_l3mdev_accept': 1 };

test('a socket outside of a VRF does not take what comes in by its port (constructed)', (t) => {
  for (const protocol of ['tcp', 'udp'] as const) {
    for (const family of ['ipv4', 'ipv6'] as const) {
      const wide = socket(family === 'ipv4' ? '0.0.0.0' : '::', 80, { protocol, v6only: null });
      if (family === 'ipv6') wide.v6only = true;
      const verdict = ask(host([wide]), protocol, peers[family]);
      t.is(verdict.outcome, 'unreachable');
      t.is(verdict.symptom, 'ECONNREFUSED');
      t.like(verdict.cause, {
        code: 'outside-vrf',
        vrf: 'blue',
        setting: `net.ipv4.${protocol}_l3mdev_accept`,
      });
    }
  }
});

test('with tcp_l3mdev_accept it takes it, and the answer goes out through the VRF (constructed)', (t) => {
  for (const family of ['ipv4', 'ipv6'] as const) {
    const wide = socket('::', 80, { v6only: false });
    const verdict = ask(host([wide], { settings: accept }), 'tcp', peers[family]);
    t.is(verdict.outcome, 'reachable', verdict.explanation);
    t.regex(verdict.steps.at(-1)!.detail, /leaves by eth1/);
  }
});

test('with udp_l3mdev_accept it takes it, but answers by the routes outside unless it takes care (constructed)', (t) => {
  const udp = socket('10.1.0.1', 80, { protocol: 'udp' });
  const verdict = ask(host([udp], { settings: accept }), 'udp');
  t.is(verdict.socket, udp);
  t.is(verdict.outcome, 'unknown');
  t.is(verdict.cause?.code, 'not-evaluated');
});

test('a socket bound to the VRF or to the port takes it, before one that is not bound (constructed)', (t) => {
  for (const protocol of ['tcp', 'udp'] as const) {
    for (const family of ['ipv4', 'ipv6'] as const) {
      for (const boundInterface of ['blue', 'eth1']) {
        const wildcard = family === 'ipv4' ? '0.0.0.0' : '::';
        const inside = socket(wildcard, 80, { protocol, boundInterface, inode: 2 });
        const wide = socket(wildcard, 80, { protocol, inode: 3, uid: 7 });
        const verdict = ask(host([wide, inside], { settings: accept }), protocol, peers[family]);
        t.is(verdict.socket, inside, `${protocol} ${family} ${boundInterface}`);
        t.is(verdict.outcome, 'reachable', verdict.explanation);
      }
    }
  }
});

test('a link-local peer inside a VRF is answered on its link (constructed)', (t) => {
  const state = host([socket('::', 80, { boundInterface: 'blue' })]);
  const verdict = ask(state, 'tcp', ['fe80::7', 'fe80::11']);
  t.is(verdict.outcome, 'reachable', verdict.explanation);
  t.regex(verdict.steps.at(-1)!.detail, /leaves by eth1/);
});

test('a reset to a peer of a VRF goes out through it: refused, not silent (constructed)', (t) => {
  t.is(ask(host([])).symptom, 'ECONNREFUSED');
  t.is(ask(host([]), 'udp').symptom, 'ECONNREFUSED');
  t.is(ask(host([]), 'tcp', peers.ipv6).symptom, 'ECONNREFUSED');
  t.is(ask(host([]), 'udp', peers.ipv6).symptom, 'ECONNREFUSED');
});

test('an answer for which the VRF has no route goes by the main table, unless the VRF refuses it (constructed)', (t) => {
  const state = host([socket('0.0.0.0', 80, { boundInterface: 'blue' })]);
  const leaks = ask(state, 'tcp', ['203.0.113.5', '10.1.0.1']);
  t.regex(leaks.steps.at(-1)!.detail, /leaves by eth0/);
  const refusal = route('0.0.0.0/0', 'eth1', {
    table: VRF_TABLE,
    type: 'unreachable',
    nexthops: [],
  });
  const closed = { ...state, routes: [...state.routes, refusal] };
  const verdict = ask(closed, 'tcp', ['203.0.113.5', '10.1.0.1']);
  t.is(verdict.symptom, 'ETIMEDOUT');
  t.like(verdict.cause, { code: 'route-refuses', direction: 'reply', table: VRF_TABLE });
});

test('an address outside of the VRF is not this host to whom comes in by the VRF, but for the local table (constructed)', (t) => {
  const sockets = [socket('0.0.0.0', 80, { boundInterface: 'blue' })];
  // The rule of table local stands before the one of VRFs, so those addresses are found all the same.
  t.is(ask(host(sockets), 'tcp', ['10.1.0.7', '192.168.1.10']).outcome, 'reachable');
  const state = host(sockets);
  const [local, ...rest] = state.rules as [Rule, ...Rule[]];
  const moved = [...rest.slice(0, 1), { ...local, priority: 2000 }, ...rest.slice(1)];
  const blackhole = route('0.0.0.0/0', 'eth1', {
    table: VRF_TABLE,
    type: 'unreachable',
    nexthops: [],
  });
  const closed = { ...state, rules: moved, routes: [...state.routes, blackhole] };
  t.is(ask(closed, 'tcp', ['10.1.0.7', '192.168.1.10']).outcome, 'unreachable');
});

test('a rule for what comes in by a VRF holds for its ports; one for a port holds for IPv4 (constructed)', (t) => {
  const state = host([socket('::', 80, { v6only: false, boundInterface: 'blue' })]);
  const refuse = (family: 'ipv4' | 'ipv6', inputInterface: string): HostState => ({
    ...state,
    rules: [
      { ...state.rules[0]!, family, priority: 0, inputInterface, action: 'blackhole', table: null },
      ...state.rules,
    ],
  });
  t.is(ask(refuse('ipv4', 'blue')).outcome, 'unreachable');
  t.is(ask(refuse('ipv4', 'eth1')).outcome, 'unreachable');
  t.is(ask(refuse('ipv6', 'blue'), 'tcp', peers.ipv6).outcome, 'unreachable');
  t.is(ask(refuse('ipv6', 'eth1'), 'tcp', peers.ipv6).outcome, 'reachable');
});

test('a VRF that is down lets no IPv4 answer out (constructed)', (t) => {
  const state = host([socket('0.0.0.0', 80, { boundInterface: 'blue' })]);
  state.interfaces.find(({ name }) => name === 'blue')!.up = false;
  t.like(ask(state).cause, { code: 'interface-down', interface: 'blue' });
});

test('what is sent inside a VRF by the host itself is not told (constructed)', (t) => {
  const verdict = trace(host([socket('0.0.0.0', 80)]), {
    protocol: 'tcp',
    ingress: 'blue',
    source: { address: '10.1.0.1' },
    destination: { address: '10.1.0.1', port: 80 },
  });
  t.is(verdict.outcome, 'unknown');
});

test('a port of a kind of master that is not known stays unknown (constructed)', (t) => {
  const state = host([socket('0.0.0.0', 80)]);
  const port = state.interfaces.find(({ name }) => name === 'eth1')!;
  port.portKind = 'openvswitch';
  const verdict = ask(state);
  t.is(verdict.outcome, 'unknown');
  t.is(verdict.cause?.code, 'not-evaluated');
});

test('exposure lists who comes in by the port of a VRF (constructed)', (t) => {
  const [row] = exposure(host([socket('0.0.0.0', 80, { boundInterface: 'blue' })]));
  t.true(
    row!.reach.some(
      (entry) =>
        entry.interface === 'eth1' && entry.peers.some((peer) => peer.startsWith('10.1.0.')),
    ),
  );
  t.true(row!.reach.every((entry) => entry.interface === 'eth1'));
});
