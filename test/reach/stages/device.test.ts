import test from 'ava';
import type { Interface } from '#earshot/model/interface.js';
import { trace } from '#earshot/reach/trace.js';
import { address, device, laptop, route, socket } from '../../cli/laptop.js';

/*
 * Ports and their masters, on states made by hand after net/bridge/br_input.c and
 * drivers/net/bonding/bond_main.c: not every kernel that runs these tests has them.
 */

function ask(master: Partial<Interface>, port: Partial<Interface>, ingress = 'eth1') {
  const plain = laptop();
  const state = laptop({
    interfaces: [
      ...plain.interfaces,
      device('top0', { index: 10, addresses: [address('10.1.0.1', 24)], ...master }),
      device('eth1', { index: 11, master: 'top0', ...port }),
    ],
    routes: [
      ...plain.routes,
      route('10.1.0.0/24', 'top0'),
      route('10.1.0.1/32', 'top0', { table: 255, type: 'local', scope: 254 }),
    ],
    sockets: [socket('0.0.0.0', 80)],
  });
  return trace(state, {
    protocol: 'tcp',
    ingress,
    source: { address: '10.1.0.7' },
    destination: { address: '10.1.0.1', port: 80 },
  });
}

test('a port of a bridge that is forwarding lets packets in, any other state does not (constructed)', (t) => {
  const bridge = { kind: 'bridge' };
  t.is(ask(bridge, { portKind: 'bridge', portState: 'forwarding' }).outcome, 'reachable');
  t.is(ask(bridge, { portKind: 'bridge' }).outcome, 'reachable', 'an older capture does not say');
  t.is(ask(bridge, { portKind: 'bridge', portState: 'blocked' }).cause?.code, 'port-blocked');
});

test('a bridge that sorts by VLAN may let in what comes by a port or not; what comes by the bridge is in (constructed)', (t) => {
  const bridge = { kind: 'bridge', vlanFiltering: true };
  const byPort = ask(bridge, { portKind: 'bridge', portState: 'forwarding' });
  t.is(byPort.outcome, 'unknown');
  t.like(byPort.cause, { code: 'not-evaluated' });
  t.is(ask(bridge, { portKind: 'bridge' }, 'top0').outcome, 'reachable');
});

test('what comes in by the active port of a bond comes in, by one in reserve that is not told (constructed)', (t) => {
  const bond = { kind: 'bond' };
  t.is(ask(bond, { portKind: 'bond', portState: 'active' }).outcome, 'reachable');
  t.is(ask(bond, { portKind: 'bond', portState: 'backup' }).outcome, 'unknown');
});

test('programs and filters of the master see what its port hands it (constructed)', (t) => {
  const verdict = ask({ kind: 'bridge', tcIngress: true }, { portKind: 'bridge' });
  t.is(verdict.outcome, 'unknown');
  t.like(verdict.cause, { code: 'opaque-program', interface: 'top0' });
});
