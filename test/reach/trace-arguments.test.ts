import test from 'ava';
import { EarshotError } from '#earshot/errors.js';
import type { HostState } from '#earshot/model/host-state.js';
import { parseState } from '#earshot/model/state-check.js';
import { exposure } from '#earshot/reach/exposure.js';
import type { Flow } from '#earshot/reach/flow.js';
import { trace } from '#earshot/reach/trace.js';
import { asks, asksItself, LAN, lan4, lan6, neighbour4, onLan, tcp } from './support/state.js';

/* What is not a flow, a state or a filter is refused with the value met and the remedy. */

const state = onLan([tcp('[::]:3000')]);
const good = asks(neighbour4, LAN, `${lan4}:3000`);

const refusedFlows: [title: string, flow: unknown, message: string][] = [
  ['nothing', undefined, 'flow is undefined, not an object'],
  ['null', null, 'flow is null, not an object'],
  ['a list', [good], 'flow is [{'],
  [
    'no destination',
    { ...good, destination: undefined },
    'flow.destination is undefined: say whom',
  ],
  [
    'a destination as text',
    { ...good, destination: '192.0.2.1:80' },
    "flow.destination is '192.0.",
  ],
  [
    'port 70000',
    { ...good, destination: { address: lan4, port: 70000 } },
    'flow.destination.port is 70000: give a whole number from 1 to 65535',
  ],
  [
    'port 0',
    { ...good, destination: { address: lan4, port: 0 } },
    'flow.destination.port is 0: give',
  ],
  [
    'half a port',
    { ...good, destination: { address: lan4, port: 80.5 } },
    'flow.destination.port is 80.5: give',
  ],
  [
    'a port as text',
    { ...good, destination: { address: lan4, port: '80' } },
    "flow.destination.port is '80': give",
  ],
  [
    'a name for an address',
    { ...good, destination: { address: 'localhost', port: 80 } },
    "flow.destination.address is 'localhost': give an IPv4 or IPv6 address",
  ],
  [
    'a number for an address',
    { ...good, destination: { address: 127, port: 80 } },
    'flow.destination.address is 127: give',
  ],
  [
    'families that differ',
    { ...good, destination: { address: lan6, port: 80 } },
    `flow.source.address is '${neighbour4}': the destination ${lan6} is of the other family`,
  ],
  [
    'no source from outside',
    { ...good, source: undefined },
    'flow.source is undefined: say which peer asks on eth0',
  ],
  [
    'a source with a zone',
    { ...good, source: { address: 'fe80::1%eth0' } },
    "flow.source.address is 'fe80::1%eth0': give an IPv4 or IPv6 address without a zone",
  ],
  [
    'a source port that is none',
    { ...good, source: { address: neighbour4, port: -1 } },
    'flow.source.port is -1: give a whole number from 0 to 65535',
  ],
  ['an unknown protocol', { ...good, protocol: 'sctp' }, "flow.protocol is 'sctp': give 'tcp'"],
  ['no interface', { ...good, ingress: '' }, "flow.ingress is '': give an interface's name"],
  ['an index for an interface', { ...good, ingress: 2 }, 'flow.ingress is 2: give'],
  ['half a user', { ...good, uid: 0.5 }, 'flow.uid is 0.5: give a whole number'],
  ['a user as text', { ...good, uid: 'root' }, "flow.uid is 'root': give a whole number"],
  ['a misspelled key', { ...good, soruce: {} }, "flow has no key 'soruce': did you mean 'source'?"],
  [
    'a misspelled key of the source',
    { ...good, source: { address: neighbour4, prot: 53 } },
    "flow.source has no key 'prot': did you mean 'port'?",
  ],
  [
    'a misspelled key of the destination',
    { ...good, destination: { adress: lan4, port: 53 } },
    "flow.destination has no key 'adress': did you mean 'address'?",
  ],
];

for (const [title, flow, message] of refusedFlows) {
  test(`a flow is refused: ${title}`, (t) => {
    const error = t.throws(() => trace(state, flow as Flow), { instanceOf: EarshotError });
    t.is(error?.code, 'ERR_INVALID_ARGUMENT');
    t.true(error?.message.startsWith(message), error?.message);
  });
}

test('a flow needs no source port, and from this host no source', (t) => {
  t.is(trace(state, good).outcome, 'reachable');
  t.is(trace(state, asksItself('127.0.0.1:3000')).outcome, 'reachable');
});

test('a program of this host that binds to the unspecified address leaves the source to the kernel', (t) => {
  const flow = { ...asksItself('127.0.0.1:3000'), source: { address: '0.0.0.0', port: 4000 } };
  t.is(trace(state, flow).outcome, 'reachable');
});

test('a program of this host that names a v4-mapped address speaks IPv4', (t) => {
  const only4 = onLan([tcp('127.0.0.1:3000')]);
  t.is(trace(only4, asksItself('[::ffff:127.0.0.1]:3000')).outcome, 'reachable');
});

const cut = JSON.stringify(state).slice(0, -100);
const { routes: _, ...withoutRoutes } = state;

const refusedStates: [title: string, make: () => HostState, message: RegExp][] = [
  ['cut short', () => parseState(cut), /cut short/],
  ['empty', () => parseState(''), /empty/],
  ['null', () => null as unknown as HostState, /not a capture but null/],
  ['text', () => 'state' as unknown as HostState, /not a capture but "state"/],
  [
    'of another version',
    () => ({ ...state, version: 2 }) as unknown as HostState,
    /of version 2, and this earshot reads version 1/,
  ],
  ['without routes', () => withoutRoutes as HostState, /routes is missing/],
  [
    'with an address that is none',
    () => onLanWith({ local: { address: '192.168.1', port: 80 } }),
    /sockets\[0\]\.local\.address is "192\.168\.1"/,
  ],
];

function onLanWith(changes: object): HostState {
  return { ...state, sockets: state.sockets.map((one) => ({ ...one, ...changes })) } as HostState;
}

for (const [title, make, message] of refusedStates) {
  test(`a state is refused: ${title}`, (t) => {
    const about = { instanceOf: EarshotError, code: 'ERR_INVALID_STATE', message };
    t.throws(() => trace(make(), good), about);
    t.throws(() => exposure(make()), about);
  });
}

test('a filter of exposure is looked at as everywhere', (t) => {
  t.throws(() => exposure(state, { localport: 3000 } as object), {
    code: 'ERR_INVALID_ARGUMENT',
    message: /filter has no key 'localport': did you mean 'localPort'\?/,
  });
  t.throws(() => exposure(state, { localPort: 70000 }), {
    code: 'ERR_INVALID_ARGUMENT',
    message: /filter\.localPort is 70000/,
  });
});

test('trace and exposure do not change the state', (t) => {
  // The states of these tests are frozen to the last: a write would throw.
  t.true(Object.isFrozen(state.sockets[0]?.local));
  t.notThrows(() => [trace(state, good), exposure(state)]);
});
