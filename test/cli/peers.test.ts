import test from 'ava';
import { PeerNames } from '#earshot/cli/render/peers.js';
import { prefixesToRanges, rangesToPrefixes, rangesWithout } from '#earshot/model/prefix-set.js';
import { laptop } from './laptop.js';

const names = new PeerNames(laptop());
const cases: [peers: string[], name: string, words: string][] = [
  [['127.0.0.1'], 'lo', 'this host'],
  [['0.0.0.0/0'], 'eth0', 'anyone via eth0'],
  [['::/0'], 'eth0', 'anyone via eth0'],
  [['192.168.1.0/24'], 'eth0', 'the LAN on eth0 (192.168.1.0/24)'],
  [
    ['192.168.1.0/24', 'fd12:3456::/64', 'fe80::/64'],
    'eth0',
    'the LAN on eth0 (192.168.1.0/24, fd12:3456::/64)',
  ],
  [['fe80::/10'], 'eth0', 'the LAN on eth0 (fe80::/64)'],
  [['172.17.0.0/16'], 'docker0', 'containers on docker0 (172.17.0.0/16)'],
  [['10.8.0.0/24'], 'wg0', 'VPN peers on wg0 (10.8.0.0/24)'],
  [['192.168.1.7'], 'eth0', '192.168.1.7 via eth0'],
  [['198.51.100.0/24', '192.168.1.0/24'], 'eth0', '192.168.1.0/24 and 198.51.100.0/24 via eth0'],
  [
    ['1.0.0.0/8', '3.0.0.0/8', '5.0.0.0/8', '7.0.0.0/8', '9.0.0.0/8'],
    'eth0',
    '1.0.0.0/8, 3.0.0.0/8, 5.0.0.0/8 and 2 more via eth0',
  ],
];

for (const [peers, name, words] of cases) {
  test(`${peers.join(', ')} on ${name}: ${words}`, (t) => {
    t.is(names.describe({ interface: name, peers }), words);
  });
}

test('the LAN without this host, its network and its broadcast address is still the LAN', (t) => {
  const peers = rangesToPrefixes(
    rangesWithout(
      prefixesToRanges(['192.168.1.0/24'], 'ipv4'),
      prefixesToRanges(['192.168.1.0', '192.168.1.10', '192.168.1.255'], 'ipv4'),
    ),
    'ipv4',
  );
  t.is(names.describe({ interface: 'eth0', peers }), 'the LAN on eth0 (192.168.1.0/24)');
});

test('the LAN without one neighbour is not called the LAN', (t) => {
  const peers = rangesToPrefixes(
    rangesWithout(
      prefixesToRanges(['192.168.1.0/24'], 'ipv4'),
      prefixesToRanges(['192.168.1.7'], 'ipv4'),
    ),
    'ipv4',
  );
  t.notRegex(names.describe({ interface: 'eth0', peers }), /LAN/);
});

test('networks that are routed elsewhere do not lessen anyone; one that is missing is named', (t) => {
  const all = prefixesToRanges(['0.0.0.0/0'], 'ipv4');
  const routed = rangesToPrefixes(
    rangesWithout(all, prefixesToRanges(['172.17.0.0/16', '10.8.0.0/24'], 'ipv4')),
    'ipv4',
  );
  const banned = rangesToPrefixes(
    rangesWithout(all, prefixesToRanges(['203.0.113.0/24'], 'ipv4')),
    'ipv4',
  );
  t.is(names.describe({ interface: 'eth0', peers: routed }), 'anyone via eth0');
  t.is(names.describe({ interface: 'eth0', peers: banned }), 'anyone via eth0 but 203.0.113.0/24');
  t.false(names.isAnyone({ interface: 'eth0', peers: banned }));
});

test('a text of one family says so where it matters', (t) => {
  t.is(names.describe({ interface: 'eth0', peers: ['::/0'] }, true), 'anyone via eth0 over IPv6');
  t.is(
    names.describe({ interface: 'eth0', peers: ['::/0', '0.0.0.0/0'] }, true),
    'anyone via eth0',
  );
});
