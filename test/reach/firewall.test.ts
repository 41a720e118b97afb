import test, { type ExecutionContext } from 'ava';
import type { Hook } from '#earshot/model/firewall.js';
import type { HostState } from '#earshot/model/host-state.js';
import type { Flow } from '#earshot/reach/flow.js';
import { trace } from '#earshot/reach/trace.js';
import {
  asks,
  asksItself,
  chain,
  type HostChanges,
  host,
  LAN,
  lan4,
  lan6,
  lanLink,
  legacyTables,
  link,
  neighbour4,
  neighbour6,
  nftables,
  onLan,
  tcp,
  unreadable,
} from './support/state.js';

/* Rules that cannot be read: what cannot act is passed, what may act makes what depends on it unknown. */

const server = tcp('[::]:3000');
const byLan = asks(neighbour4, LAN, `${lan4}:3000`);
const byLan6 = asks(neighbour6, LAN, `[${lan6}]:3000`);
const itself = asksItself('127.0.0.1:3000');
const toNobody = asks(neighbour4, LAN, `${lan4}:4000`);
const martian = asks(neighbour4, LAN, '127.0.0.1:3000');

const withChains = (...chains: ReturnType<typeof chain>[]) =>
  onLan([server], { firewall: nftables(chains) });

function isUnknown(t: ExecutionContext, state: HostState, flow: Flow, cause: object) {
  const verdict = trace(state, flow);
  t.like(verdict, { outcome: 'unknown', symptom: null });
  t.like(verdict.cause, cause);
}

test('rules at input make the answer unknown, and the cause names family, table and chain', (t) => {
  const state = withChains(chain('inet filter input', 'input'));
  const rule = { family: 'inet', table: 'filter', chain: 'input', handle: 2, text: '[ novelty ]' };
  const named = { rule, hook: 'input', direction: 'request' };
  isUnknown(t, state, byLan, { code: 'rule-unknown', ...named });
  isUnknown(t, state, byLan6, { code: 'rule-unknown', ...named });
  t.true(trace(state, byLan).explanation.includes('chain input in table inet filter'));
});

test('rules of a host whose byte order is the other one are not evaluated', (t) => {
  const state = withChains(chain('inet filter input', 'input'));
  const { firewall } = state;
  const foreign: HostState = {
    ...state,
    firewall: { ...firewall, nftables: { ...firewall.nftables!, byteOrder: 'big' } },
  };
  const chains = ['inet filter input'];
  isUnknown(t, foreign, byLan, { code: 'firewall-not-evaluated', hook: 'input', chains });
  t.is(trace(foreign, toNobody).outcome, 'unreachable');
});

test('a base chain without rules that accepts changes nothing', (t) => {
  const idle = { rules: 0 };
  const state = withChains(
    chain('inet filter input', 'input', idle),
    chain('ip nat prerouting', 'prerouting', idle),
    chain('inet filter output', 'output', idle),
  );
  t.is(trace(state, byLan).outcome, 'reachable');
  t.is(trace(state, itself).outcome, 'reachable');
});

test('a base chain without rules that drops lets nothing pass', (t) => {
  const state = withChains(chain('inet filter input', 'input', { rules: 0, policy: 'drop' }));
  const cause = { code: 'policy-drop', family: 'inet', table: 'filter', chain: 'input' };
  t.like(trace(state, byLan), { outcome: 'unreachable', symptom: 'ETIMEDOUT', cause });
});

test('a chain that is no base chain is not hooked', (t) => {
  const loose = { ...chain('inet filter helper', 'input'), base: null };
  t.is(trace(withChains(loose), byLan).outcome, 'reachable');
});

test("a dormant table's chains are not hooked", (t) => {
  const chains = [chain('inet filter input', 'input', { policy: 'drop' })];
  const state = onLan([server], { firewall: nftables(chains, ['dormant']) });
  t.is(trace(state, byLan).outcome, 'reachable');
});

test('a chain of another family does not see the packet', (t) => {
  const only6 = withChains(chain('ip6 filter input', 'input'));
  t.is(trace(only6, byLan).outcome, 'reachable');
  isUnknown(t, only6, byLan6, { code: 'rule-unknown' });
  const only4 = withChains(chain('ip filter input', 'input'));
  isUnknown(t, only4, byLan, { code: 'rule-unknown' });
  t.is(trace(only4, byLan6).outcome, 'reachable');
});

for (const family of ['netdev', 'inet']) {
  test(`an ingress chain of ${family} sees its own devices alone`, (t) => {
    const on = (...devices: string[]) => withChains(chain(`${family} f i`, 'ingress', { devices }));
    isUnknown(t, on(LAN), byLan, { hook: 'ingress', rule: { family, chain: 'i' } });
    isUnknown(t, on('eth9', LAN), byLan, { hook: 'ingress' });
    t.is(trace(on('eth1'), byLan).outcome, 'reachable');
    t.is(trace(on(LAN), itself).outcome, 'reachable');
  });
}

test('a device that ends with a star stands for all that begin so', (t) => {
  const on = (device: string) => withChains(chain('netdev f i', 'ingress', { devices: [device] }));
  isUnknown(t, on('eth*'), byLan, { hook: 'ingress' });
  t.is(trace(on('veth*'), byLan).outcome, 'reachable');
});

test('an egress chain sees answers that leave by its own devices alone', (t) => {
  const on = (device: string) => withChains(chain('netdev f e', 'egress', { devices: [device] }));
  isUnknown(t, on(LAN), byLan, { hook: 'egress', direction: 'reply' });
  t.is(trace(on('eth1'), byLan).outcome, 'reachable');
  isUnknown(t, on('lo'), itself, { hook: 'egress', direction: 'request' });
});

const port = link('eth1', [], { master: 'br0', portKind: 'bridge' });
const bridge = link('br0', [`${lan4}/24`], { kind: 'bridge' });
const bridged = (changes: HostChanges) =>
  host({ links: [bridge, port], sockets: [server], ...changes });
const byPort = asks(neighbour4, 'eth1', `${lan4}:3000`);
const byBridge = asks(neighbour4, 'br0', `${lan4}:3000`);

test('what comes in by a port of a bridge passes the ingress chains of both', (t) => {
  for (const device of ['eth1', 'br0']) {
    const chains = [chain('netdev f i', 'ingress', { devices: [device] })];
    for (const flow of [byPort, byBridge]) {
      isUnknown(t, bridged({ firewall: nftables(chains) }), flow, { hook: 'ingress' });
    }
  }
  const elsewhere = [chain('netdev f i', 'ingress', { devices: ['eth2'] })];
  t.is(trace(bridged({ firewall: nftables(elsewhere) }), byPort).outcome, 'reachable');
});

test('a chain of the bridge family sees what a bridge hands up or sends, and nothing else', (t) => {
  for (const hook of ['prerouting', 'input', 'output', 'postrouting'] as const) {
    const firewall = nftables([chain('bridge f c', hook)]);
    isUnknown(t, bridged({ firewall }), byPort, { hook });
    isUnknown(t, bridged({ firewall }), byBridge, { hook });
    t.is(trace(onLan([server], { firewall }), byLan).outcome, 'reachable');
    t.is(trace(bridged({ firewall }), itself).outcome, 'reachable');
  }
});

test('an arp chain decides whether an IPv4 peer finds the host at all', (t) => {
  const state = withChains(chain('arp filter input', 'input', { rules: 0, policy: 'drop' }));
  isUnknown(t, state, byLan, { chains: ['arp filter input'] });
  t.is(trace(state, byLan6).outcome, 'reachable');
  t.is(trace(state, itself).outcome, 'reachable');
});

test('programs count on every device that the packet passes', (t) => {
  const under = link('eth1', [], { index: 7, xdp: ['driver'] });
  const vlan = link('eth1.5', [`${lan4}/24`], { index: 8, kind: 'vlan', lowerIndex: 7 });
  const asked = asks(neighbour4, 'eth1.5', `${lan4}:3000`);
  const onVlan = host({ links: [under, vlan], sockets: [server] });
  isUnknown(t, onVlan, asked, { code: 'opaque-program', interface: 'eth1', program: 'xdp' });
  const elsewhere = host({ links: [under, { ...vlan, lowerElsewhere: true }], sockets: [server] });
  t.is(trace(elsewhere, asked).outcome, 'reachable');
  const filtered = bridged({ links: [bridge, { ...port, tcIngress: true }] });
  isUnknown(t, filtered, byPort, { code: 'opaque-program', interface: 'eth1', program: 'tc' });
  isUnknown(t, filtered, byBridge, { code: 'opaque-program', interface: 'eth1', program: 'tc' });
});

test('a program that cannot be read on another device does not matter', (t) => {
  const other = link('eth1', ['10.0.0.1/24'], { xdp: ['driver'], tcEgress: true });
  const state = onLan([server], { links: [lanLink(), other] });
  t.is(trace(state, byLan).outcome, 'reachable');
});

test('devices that stand on each other in a spoiled capture end the walk', (t) => {
  const one = link('a', [`${lan4}/24`], { index: 7, kind: 'vlan', lowerIndex: 8 });
  const other = link('b', [], { index: 8, kind: 'vlan', lowerIndex: 7 });
  const state = host({ links: [one, other], sockets: [server] });
  t.is(trace(state, asks(neighbour4, 'a', `${lan4}:3000`)).outcome, 'reachable');
});

for (const which of ['nftables', 'legacy-tables'] as const) {
  test(`${which} that could not be read: the cause carries the reason and the remedy`, (t) => {
    const state = onLan([server], unreadable(which));
    for (const flow of [byLan, byLan6, itself]) {
      isUnknown(t, state, flow, {
        code: 'firewall-unreadable',
        backend: which === 'nftables' ? 'nftables' : 'legacy',
        reason: 'the kernel refused: EPERM',
        remedy: 'run as root',
      });
    }
    t.true(trace(state, byLan).explanation.includes('run as root'));
  });

  test(`${which} that could not be read, and nobody says why: there is a remedy still`, (t) => {
    const state = onLan([server], { ...unreadable(which), missing: [] });
    const { cause } = trace(state, byLan);
    t.true(cause?.code === 'firewall-unreadable' && cause.remedy !== '');
  });
}

test('a martian is dropped for sure only if nothing before routing could redirect it', (t) => {
  t.like(trace(withChains(chain('inet filter input', 'input')), martian), {
    outcome: 'unreachable',
    cause: { code: 'martian-destination' },
    symptom: 'ETIMEDOUT',
  });
  for (const hook of ['prerouting', 'ingress'] as const) {
    const family = hook === 'ingress' ? 'netdev' : 'ip';
    const state = withChains(chain(`${family} f c`, hook, { devices: [LAN] }));
    isUnknown(t, state, martian, { code: 'rule-unknown', hook });
  }
});

test('nobody listens and rules stand at input or output: it fails for sure, but how is not known', (t) => {
  for (const hook of ['input', 'output', 'postrouting'] as const) {
    t.like(trace(withChains(chain('inet filter c', hook)), toNobody), {
      outcome: 'unreachable',
      stage: 'socket',
      cause: { code: 'no-listener' },
      symptom: null,
    });
  }
});

test('nobody listens and rules stand at prerouting: it may go elsewhere', (t) => {
  const state = withChains(chain('ip nat prerouting', 'prerouting'));
  isUnknown(t, state, toNobody, { hook: 'prerouting' });
});

test('rules at output may send what this host asks elsewhere', (t) => {
  const state = withChains(chain('ip nat output', 'output'));
  isUnknown(t, state, asksItself('127.0.0.1:4000'), { hook: 'output', direction: 'request' });
});

test('rules at forward do not see what is for this host', (t) => {
  t.is(trace(withChains(chain('inet filter forward', 'forward')), byLan).outcome, 'reachable');
});

const legacy: [table: string, hook: Hook][] = [
  ['raw', 'prerouting'],
  ['mangle', 'prerouting'],
  ['nat', 'prerouting'],
  ['filter', 'input'],
  ['security', 'input'],
];

for (const [table, first] of legacy) {
  test(`the legacy table ${table} is met first at ${first}`, (t) => {
    const state = onLan([server], { firewall: legacyTables(table) });
    for (const flow of [byLan, byLan6]) {
      isUnknown(t, state, flow, { backend: 'legacy', hook: first, chains: [`table ${table}`] });
    }
    isUnknown(t, state, itself, { backend: 'legacy', hook: 'output', direction: 'request' });
  });
}

test('legacy tables of one family do not see the other', (t) => {
  const { nftables: none } = legacyTables();
  const state = onLan([server], {
    firewall: {
      nftables: none,
      legacy: { ipv4: [], ipv6: [{ name: 'filter', chains: null }] },
      ipsets: [],
    },
  });
  t.is(trace(state, byLan).outcome, 'reachable');
  isUnknown(t, state, byLan6, { backend: 'legacy', hook: 'input' });
});
