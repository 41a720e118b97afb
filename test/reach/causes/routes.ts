import {
  asks,
  asksItself,
  host,
  LAN,
  lan4,
  lanLink,
  neighbour4,
  onLan,
  rule,
  tcp,
} from '../support/state.js';
import {
  type Case,
  drops,
  everywhere4,
  fails,
  lanTwo,
  router,
  routeTo,
  server,
  unknown,
  withRouter,
} from './case.js';

/** What routing decides. */
export const routes = {
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
} satisfies Record<string, Case[]>;
