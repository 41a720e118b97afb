import {
  asks,
  asksItself,
  host,
  LAN,
  lan4,
  lanLink,
  link,
  lo,
  neighbour4,
  onLan,
} from '../support/state.js';
import {
  byLan,
  byLan6,
  type Case,
  drops,
  everywhere4,
  everywhere6,
  fails,
  loopback4,
  server,
  unknown,
  withLan,
} from './case.js';

/** What an interface, its state or a program at its door decides. */
export const device = {
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
} satisfies Record<string, Case[]>;
