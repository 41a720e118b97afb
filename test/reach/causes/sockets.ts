import {
  asks,
  asksItself,
  host,
  LAN,
  lan4,
  lan6,
  lanLink,
  neighbour4,
  neighbour6,
  onLan,
  tcp,
  udp,
} from '../support/state.js';
import {
  byLan,
  byLan6,
  type Case,
  drops,
  everywhere4,
  fails,
  lanTwo,
  loopback4,
  loopback6,
} from './case.js';

/** What the sockets of a port decide. */
export const sockets = {
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
} satisfies Record<string, Case[]>;
