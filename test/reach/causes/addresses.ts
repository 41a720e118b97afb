import {
  asks,
  asksItself,
  host,
  LAN,
  lan4,
  lan6,
  lanLink,
  link,
  neighbour4,
  neighbour6,
  onLan,
  route,
} from '../support/state.js';
import {
  byLan6,
  type Case,
  drops,
  everywhere4,
  everywhere6,
  fails,
  lanTwo,
  server,
  unknown,
} from './case.js';

/** What the addresses of a packet decide, before or beside any route. */
export const addresses = {
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
} satisfies Record<string, Case[]>;
