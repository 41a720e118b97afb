import {
  asks,
  asksItself,
  chain,
  LAN,
  lanLink,
  legacyTables,
  link,
  neighbour4,
  nftables,
  onLan,
  rule,
  tcp,
  unreadable,
} from '../support/state.js';
import { byLan, type Case, everywhere4, everywhere6, remedy, server, unknown } from './case.js';

/** What a capture does not tell, or earshot does not evaluate. */
export const notKnown = {
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
} satisfies Record<string, Case[]>;
