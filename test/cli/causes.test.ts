import test from 'ava';
import { type Advice, causeWords } from '#earshot/cli/render/causes.js';
import { symptomWords } from '#earshot/cli/render/symptom-words.js';
import type { Cause, CauseCode, Symptom } from '#earshot/reach/verdict.js';
import { process, socket } from './laptop.js';

const held = socket('127.0.0.1', 80, { owners: [process(9, 'nginx')] });
const rule = {
  family: 'inet',
  table: 'filter',
  chain: 'input',
  handle: 7,
  tool: 'nft',
  line: 1,
  text: 'tcp dport 80 drop',
} as const;
const all: { [Code in CauseCode]: Extract<Cause, { code: Code }> } = {
  'interface-missing': { code: 'interface-missing', interface: 'eth9' },
  'interface-down': { code: 'interface-down', interface: 'eth1' },
  'no-carrier': { code: 'no-carrier', interface: 'eth1' },
  'port-blocked': { code: 'port-blocked', interface: 'eth1', master: 'br0' },
  'group-not-joined': { code: 'group-not-joined', group: '239.1.2.3', interface: 'eth0' },
  'ip-disabled': { code: 'ip-disabled', interface: 'eth1', family: 'ipv6' },
  'opaque-program': {
    code: 'opaque-program',
    interface: 'eth0',
    program: 'xdp',
    direction: 'request',
  },
  'firewall-unreadable': {
    code: 'firewall-unreadable',
    backend: 'nftables',
    hook: 'input',
    direction: 'request',
    reason: 'EPERM',
    remedy: 'run as root',
  },
  'firewall-not-evaluated': {
    code: 'firewall-not-evaluated',
    backend: 'legacy',
    hook: 'input',
    direction: 'reply',
    chains: ['INPUT'],
  },
  'not-captured': { code: 'not-captured', what: 'routes', reason: 'EPERM', remedy: 'run as root' },
  'martian-source': { code: 'martian-source', source: '127.0.0.1', interface: 'eth0' },
  'martian-destination': {
    code: 'martian-destination',
    destination: '127.0.0.1',
    interface: 'eth0',
    setting: null,
  },
  'source-is-ours': { code: 'source-is-ours', source: '10.0.0.1', interface: 'eth0' },
  'reverse-path': { code: 'reverse-path', interface: 'eth0', mode: 'strict', back: 'wg0' },
  'address-not-ready': { code: 'address-not-ready', address: 'fd00::1', state: 'tentative' },
  'neighbour-not-answered': {
    code: 'neighbour-not-answered',
    destination: '10.0.0.9',
    interface: 'eth0',
    protocol: 'arp',
    setting: 'net.ipv4.conf.eth0.arp_ignore',
    rule: null,
  },
  'wrong-scope': { code: 'wrong-scope', address: 'fe80::1', interface: 'eth0' },
  'not-our-address': { code: 'not-our-address', destination: '10.0.0.9' },
  forwarded: { code: 'forwarded', interface: 'docker0', gateway: null, translatedTo: null },
  'leaves-this-host': { code: 'leaves-this-host', interface: 'eth0', gateway: '10.0.0.254' },
  'assumed-on-link': { code: 'assumed-on-link', destination: '10.0.0.9', interface: 'eth0' },
  'not-a-unicast-address': {
    code: 'not-a-unicast-address',
    destination: '224.0.0.1',
    type: 'multicast',
  },
  'no-route': { code: 'no-route', destination: '10.0.0.9', direction: 'reply' },
  'route-refuses': {
    code: 'route-refuses',
    type: 'blackhole',
    by: 'route',
    destination: '10.0.0.0/8',
    table: 254,
    priority: null,
    direction: 'reply',
  },
  'not-evaluated': { code: 'not-evaluated', what: 'a rule' },
  'no-listener': { code: 'no-listener' },
  'bound-to-loopback': { code: 'bound-to-loopback', socket: held },
  'bound-to-other-address': { code: 'bound-to-other-address', socket: socket('10.0.0.1', 80) },
  'outside-vrf': {
    code: 'outside-vrf',
    socket: socket('0.0.0.0', 80),
    vrf: 'blue',
    setting: 'net.ipv4.tcp_l3mdev_accept',
  },
  'signature-required': { code: 'signature-required', socket: held, peers: '10.0.0.0/8' },
  'bound-to-other-device': {
    code: 'bound-to-other-device',
    socket: socket('0.0.0.0', 80, { boundInterface: 'wg0' }),
  },
  'ipv6-only': { code: 'ipv6-only', socket: socket('::', 80, { v6only: true }) },
  'ipv4-only': { code: 'ipv4-only', socket: socket('0.0.0.0', 80) },
  'other-protocol': { code: 'other-protocol', socket: socket('0.0.0.0', 80, { protocol: 'udp' }) },
  'connected-to-another': {
    code: 'connected-to-another',
    socket: socket('0.0.0.0', 80, { remote: { address: '10.0.0.2', port: 9 } }),
  },
  shadowed: { code: 'shadowed', by: held },
  'accept-queue-full': {
    code: 'accept-queue-full',
    socket: socket('0.0.0.0', 80, { backlog: { length: 6, limit: 5 } }),
  },
  'rule-drop': { code: 'rule-drop', rule, hook: 'input', direction: 'request' },
  'rule-reject': { code: 'rule-reject', rule, hook: 'input', direction: 'request', with: 'icmp' },
  'policy-drop': {
    code: 'policy-drop',
    tool: 'nft',
    family: 'inet',
    table: 'filter',
    chain: 'input',
    hook: 'input',
    direction: 'reply',
  },
  'rule-unknown': { code: 'rule-unknown', rule, hook: 'input', direction: 'request' },
  'source-not-ours': { code: 'source-not-ours', source: '10.0.0.9' },
};
const advice: Advice = { protocol: 'tcp', port: 80, shareable: '192.168.1.10', sockets: [] };

for (const cause of Object.values(all)) {
  test(`${cause.code} is a sentence, a few words, and advice`, (t) => {
    const { why, brief, hint } = causeWords(cause, advice);
    t.regex(why, /^\S.*\.$/u);
    t.true(brief.length > 0 && brief.length <= 45, brief);
    t.notRegex(`${why}${brief}${hint ?? ''}`, /undefined|null|\[object/);
    t.is(cause.code === 'not-evaluated', hint === null);
  });
}

test('a server on loopback is told to listen where others can reach it', (t) => {
  const { why, hint } = causeWords(all['bound-to-loopback'], advice);
  t.is(why, 'nginx (pid 9) listens on 127.0.0.1, and loopback addresses answer this host alone.');
  t.is(hint, 'Let the server listen on 0.0.0.0 for everyone, or on 192.168.1.10 alone.');
});

test('a symptom is told in the words of a colleague and in those of Node', (t) => {
  const symptoms: Symptom[] = [
    'ECONNREFUSED',
    'ETIMEDOUT',
    'EHOSTUNREACH',
    'ENETUNREACH',
    'EACCES',
    'EPERM',
    'EINVAL',
    'EADDRNOTAVAIL',
  ];
  for (const symptom of symptoms)
    t.regex(symptomWords(symptom), new RegExp(`^[a-z ]+ \\(${symptom}\\)$`));
});
