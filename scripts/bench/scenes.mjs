/*
 * Hosts of which it is asked who reaches them: a laptop, and a server with a thousand listeners
 * behind a thousand rules and a block list.
 */
import { device, hostState, listener, ownRoutes, route } from './host.mjs';

/** @typedef {import('../../lib/reach/index.js').HostState} HostState */
/** @typedef {NonNullable<HostState['firewall']['nftables']>} Nftables */
/** @typedef {Nftables['sets'][number]} NftSet */
/** @typedef {Nftables['chains'][number]['rules'][number]['expressions'][number]} NftExpression */

/** A laptop: 5 interfaces, 40 routes, 25 listeners. */
export function laptop() {
  const interfaces = [
    device('lo', 1, ['127.0.0.1/8', '::1/128']),
    device('wlan0', 2, ['192.168.1.23/24', '2001:db8:1::23/64', 'fe80::23/64']),
    device('docker0', 3, ['172.17.0.1/16', 'fe80::42/64']),
    device('wg0', 4, ['10.8.0.2/24']),
    device('virbr0', 5, ['192.168.122.1/24']),
  ];
  const routes = ownRoutes(interfaces);
  routes.push(route({ destination: '0.0.0.0/0', interface: 'wlan0', gateway: '192.168.1.1' }));
  routes.push(route({ destination: '::/0', interface: 'wlan0', gateway: 'fe80::1' }));
  for (let count = 0; routes.length < 40; count++)
    routes.push(route({ destination: `10.${20 + count}.0.0/16`, interface: 'wg0' }));
  const addresses = ['0.0.0.0', '::', '127.0.0.1', '::1', '192.168.1.23'];
  const sockets = Array.from({ length: 25 }, (_, count) =>
    listener(count % 4 === 0 ? 'udp' : 'tcp', addresses[count % 5] ?? '::', 3000 + count),
  );
  return hostState(interfaces, routes, sockets);
}

/** The laptop behind rules such as ufw's: connections that stand, lo, ICMP, three open ports, policy drop. */
export function guardedLaptop() {
  const state = laptop();
  const rules = [
    [...isEstablished(), accept],
    [...comesInBy('lo'), accept],
    [...isProtocol('01'), accept],
    [...isProtocol('06'), ...hasPort(3001), accept],
    [...isProtocol('06'), ...hasPort(3002), ...isFrom('c0a80100', 24), accept],
    [...isProtocol('11'), ...hasPort(3004), accept],
  ];
  state.firewall.nftables = rulesOf(rules, []);
  return state;
}

/**
 * A server: lo and so many interfaces with both protocols, listeners on all kinds of addresses, a
 * block list, and rules for peers, ports and interfaces, most of which name a listener's port.
 * @param {{ interfaces: number, listeners: number, rules: number, elements: number }} sizes
 * @returns {HostState}
 */
export function server({ interfaces: cards, listeners, rules, elements }) {
  const interfaces = [device('lo', 1, ['127.0.0.1/8', '::1/128'])];
  for (let index = 2; index <= cards; index++) {
    const addresses = [`10.${index}.0.1/16`, `2001:db8:${index}::1/48`, `fe80::${index}/64`];
    interfaces.push(device(`eth${index}`, index, addresses));
  }
  const routes = ownRoutes(interfaces);
  routes.push(route({ destination: '0.0.0.0/0', interface: 'eth2', gateway: '10.2.0.254' }));
  routes.push(route({ destination: '::/0', interface: 'eth2', gateway: '2001:db8:2::fe' }));
  const addresses = ['0.0.0.0', '::', '::', '0.0.0.0', '::', '10.3.0.1', '127.0.0.1'];
  const sockets = Array.from({ length: listeners }, (_, count) =>
    listener(
      count % 3 === 0 ? 'udp' : 'tcp',
      addresses[count % addresses.length] ?? '::',
      1024 + count,
    ),
  );
  const state = hostState(interfaces, routes, sockets);
  /** @type {NftSet[]} */
  const sets = [blockList(elements)];
  state.firewall.nftables = rulesOf([...serverRules(rules, sets)], sets);
  return state;
}

/**
 * @param {number} count
 * @param {NftSet[]} sets anonymous sets of rules are added to them
 * @returns {Generator<NftExpression[]>}
 */
function* serverRules(count, sets) {
  yield [...isEstablished(), accept];
  yield [
    ...isIpv4,
    load(12, 4),
    { kind: 'lookup', set: 'blocked', source: 0, destination: null, invert: false },
    drop,
  ];
  for (let number = 0; number < count - 3; number++) {
    const [low, high] = [hex(number & 255, 2), hex((number >> 8) & 255, 2)];
    const port = 1024 + number;
    switch (number % 5) {
      case 0:
        yield [
          ...isFrom(`0a${high}${low}00`, 24),
          ...isProtocol('06'),
          ...hasPort(port),
          counter,
          accept,
        ];
        break;
      case 1:
        yield [
          ...isProtocol('06'),
          ...hasPort(port),
          ...isFrom(`c0a8${low}${high}`, 32),
          counter,
          drop,
        ];
        break;
      case 2: {
        const set = `__set${number}`;
        sets.push(setOf(set, [hex(port, 4), hex(port + 10, 4)], null));
        const lookup = { set, source: 0, destination: null, invert: false };
        yield [...isProtocol('11'), portOf, { kind: 'lookup', ...lookup }, counter, accept];
        break;
      }
      case 3:
        yield [...comesInBy(`eth${2 + (number % 10)}`), ...isFrom(`ac10${low}${high}`, 32), accept];
        break;
      default:
        yield [
          ...isIpv6,
          load(8, 8),
          compare(`fd00${hex(number, 4)}00000000`),
          ...isProtocol('06'),
          portOf,
          { kind: 'range', source: 0, op: 'eq', from: hex(port, 4), to: hex(port + 3, 4) },
          accept,
        ];
    }
  }
  yield [
    ...isProtocol('06'),
    portOf,
    { kind: 'range', source: 0, op: 'eq', from: hex(1024, 4), to: hex(1500, 4) },
    accept,
  ];
}

/** Every 1,024 addresses a prefix or a range of a hundred. @param {number} count */
function blockList(count) {
  /** @type {string[]} */
  const keys = [];
  for (let number = 0; number < count; number++) {
    const first = 0x0b000000 + number * 1024;
    keys.push(hex(first, 8), hex(first + (number % 2 === 0 ? 256 : 100), 8));
  }
  return setOf(
    'blocked',
    keys,
    keys.map((_, place) => place % 2 === 1),
  );
}

/**
 * @param {string} name
 * @param {string[]} keys
 * @param {boolean[] | null} ends which of them close an interval; `null` where there are none
 * @returns {NftSet}
 */
function setOf(name, keys, ends) {
  const bits = new Uint8Array(Math.ceil(keys.length / 8));
  for (const [place, closes] of (ends ?? []).entries())
    if (closes) bits[place >> 3] = (bits[place >> 3] ?? 0) | (1 << (place & 7));
  return {
    family: 'inet',
    table: 'filter',
    name,
    handle: 1,
    flags: ends ? ['interval'] : ['anonymous', 'constant'],
    keyType: 7,
    keyLength: (keys[0]?.length ?? 8) / 2,
    fields: [],
    dataType: null,
    dataLength: 0,
    objectType: null,
    size: keys.length,
    keys: Buffer.from(keys.join(''), 'hex').toString('base64'),
    keyEnds: null,
    ends: ends && Buffer.from(bits).toString('base64'),
    data: null,
    verdictOf: null,
    verdicts: [],
    objects: null,
    catchall: null,
    expressionLists: [],
    expressionsOf: null,
    expressions: [],
  };
}

/** @param {number} number @param {number} digits */
const hex = (number, digits) => (number >>> 0).toString(16).padStart(digits, '0');

/** @type {NftExpression} */
const counter = { kind: 'counter' };
/** @type {NftExpression} */
const accept = { kind: 'immediate', destination: 'verdict', data: { verdict: { code: 'accept' } } };
/** @type {NftExpression} */
const drop = { kind: 'immediate', destination: 'verdict', data: { verdict: { code: 'drop' } } };
/** @param {string} data @returns {NftExpression} */
const compare = (data) => ({ kind: 'cmp', source: 0, op: 'eq', data });
/** @param {number} key @returns {NftExpression} */
const meta = (key) => ({ kind: 'meta', destination: 0, key });
/** @param {number} offset @param {number} length @returns {NftExpression} */
const load = (offset, length) => ({
  kind: 'payload',
  destination: 0,
  base: 'network',
  offset,
  length,
});
/** @type {NftExpression} */
const portOf = { kind: 'payload', destination: 0, base: 'transport', offset: 2, length: 2 };
/** @param {number} port @returns {NftExpression[]} */
const hasPort = (port) => [portOf, compare(hex(port, 4))];
/** @param {string} number @returns {NftExpression[]} */
const isProtocol = (number) => [meta(16), compare(number)];
/** @type {NftExpression[]} */
const isIpv4 = [meta(15), compare('02')];
/** @type {NftExpression[]} */
const isIpv6 = [meta(15), compare('0a')];
/** @param {string} network @param {24 | 32} length @returns {NftExpression[]} */
const isFrom = (network, length) => [
  ...isIpv4,
  load(12, length / 8),
  compare(network.slice(0, length / 4)),
];
/** @param {string} name @returns {NftExpression[]} */
const comesInBy = (name) => [meta(6), compare(Buffer.from(name.padEnd(16, '\0')).toString('hex'))];
/** `ct state established,related` @returns {NftExpression[]} */
const isEstablished = () => [
  { kind: 'ct', destination: 0, key: 0, direction: null },
  {
    kind: 'bitwise',
    source: 0,
    source2: null,
    destination: 0,
    length: 4,
    op: 'mask-xor',
    mask: '06000000',
    xor: '00000000',
    data: null,
  },
  { kind: 'cmp', source: 0, op: 'neq', data: '00000000' },
];

/**
 * One chain at input that drops what no rule accepts.
 * @param {NftExpression[][]} rules
 * @param {NftSet[]} sets
 * @returns {Nftables}
 */
function rulesOf(rules, sets) {
  return {
    generation: 1,
    byteOrder: 'little',
    tables: [{ family: 'inet', name: 'filter', handle: 1, flags: [] }],
    chains: [
      {
        family: 'inet',
        table: 'filter',
        name: 'input',
        handle: 1,
        base: { hook: 'input', priority: 0, policy: 'drop', type: 'filter', devices: [] },
        rules: rules.map((expressions, handle) => ({ handle, expressions, comment: null })),
      },
    ],
    sets,
    objects: [],
    flowtables: [],
  };
}
