import { capture } from '#earshot/kernel/capture.js';
import { withLab } from '../harness.js';
import { labTest } from '../lab-test.js';
import { both, everyFlow, LAN4, LAN6, routed } from '../networks.js';
import { holdAgainstKernel } from '../witness.js';
import { backends, iptablesTools, loadRules, printed } from './load.js';

/*
 * Sets of ipset(8), asked by rules of both backends: each kind of set that this kernel has, with
 * elements that hold some of the flows and not others.
 */

const test = labTest(['ipset', ...iptablesTools]);

const servers = [
  ...both({ address: '0.0.0.0', port: 80 }),
  ...both({ address: '::', port: 80, v6only: true }),
];

const flows = [
  ...everyFlow(['neighbour', 'host', 'remote'], [LAN4, LAN6], 80),
  ...everyFlow(['neighbour', 'host', 'remote'], [LAN4, LAN6], 81),
];

interface SetCase {
  /** Lines for `ipset restore`. */
  sets: string[];
  /** What a rule of INPUT asks, for either family. */
  match: string[];
}

const cases: Record<string, SetCase> = {
  'hash:ip': {
    sets: [
      'create s hash:ip',
      'add s 192.0.2.10',
      'create s6 hash:ip family inet6',
      'add s6 2001:db8:1::10',
    ],
    match: ['4: -m set --match-set s src', '6: -m set ! --match-set s6 src'],
  },
  'hash:ip with a netmask': {
    sets: ['create s hash:ip netmask 28', 'add s 192.0.2.1'],
    match: ['4: -m set --match-set s src'],
  },
  'hash:net, the longest prefix decides': {
    sets: [
      'create s hash:net',
      'add s 192.0.2.0/24',
      'add s 192.0.2.8/29 nomatch',
      'add s 198.51.100.10',
      'create s6 hash:net family inet6',
      'add s6 2001:db8::/32',
      'add s6 2001:db8::10/128 nomatch',
    ],
    match: ['4: -m set --match-set s src', '6: -m set --match-set s6 src'],
  },
  'what is left out, asked for': {
    sets: ['create s hash:net', 'add s 192.0.2.0/24', 'add s 192.0.2.8/29 nomatch'],
    match: ['4: -m set --match-set s src --return-nomatch'],
  },
  'hash:ip,port': {
    sets: [
      'create s hash:ip,port',
      'add s 192.0.2.10,tcp:80',
      'add s 192.0.2.10,udp:81',
      'add s 198.51.100.10,81',
    ],
    match: ['4: -m set --match-set s src,dst'],
  },
  'hash:ip,port,net': {
    sets: [
      'create s hash:ip,port,net',
      'add s 192.0.2.1,tcp:80,192.0.2.0/24',
      'add s 192.0.2.1,udp:80,0.0.0.0/1',
      'add s 192.0.2.1,udp:80,192.0.0.0/8',
    ],
    match: ['4: -m set --match-set s dst,dst,src'],
  },
  'hash:ip,port,ip': {
    sets: [
      'create s hash:ip,port,ip',
      'add s 192.0.2.1,tcp:80,192.0.2.10',
      'add s 192.0.2.1,tcp:81,198.51.100.10',
    ],
    match: ['4: -m set --match-set s dst,dst,src'],
  },
  'hash:net,port': {
    sets: [
      'create s hash:net,port family inet6',
      'add s 2001:db8::/64,tcp:80',
      'add s 2001:db8:1::/48,udp:80',
      'add s 2001:db8:1::10,udp:80 nomatch',
    ],
    match: ['6: -m set --match-set s src,dst'],
  },
  'hash:net,iface': {
    sets: [
      'create s hash:net,iface',
      'add s 192.0.2.0/24,eth0',
      'add s 192.0.2.10,eth0 nomatch',
      'add s 198.51.100.0/24,lo',
    ],
    match: ['4: -m set --match-set s src,src'],
  },
  'hash:net,iface by the beginning of a name': {
    sets: ['create s hash:net,iface', 'add s 0.0.0.0/0,eth wildcard'],
    match: ['4: -m set --match-set s src,src'],
  },
  'bitmap:ip': {
    sets: ['create s bitmap:ip range 192.0.2.0/24', 'add s 192.0.2.10-192.0.2.20'],
    match: ['4: -m set --match-set s src'],
  },
  'bitmap:port': {
    sets: ['create s bitmap:port range 1-1024', 'add s 80'],
    match: ['-m set --match-set s dst'],
  },
  'list:set': {
    sets: [
      'create a hash:ip',
      'add a 192.0.2.10',
      'create b bitmap:port range 1-1024',
      'add b 81',
      'create s list:set',
      'add s a',
      'add s b',
    ],
    match: ['4: -m set --match-set s src', '6: -m set --match-set b dst'],
  },
  'a set of the other family, and one of more fields than are asked': {
    sets: ['create s hash:ip family inet6', 'create t hash:ip,port', 'add t 192.0.2.10,80'],
    match: ['4: -m set --match-set t src', '6: -m set ! --match-set s src'],
  },
  'elements whose time has not run out': {
    sets: ['create s hash:ip timeout 600', 'add s 192.0.2.10', 'add s 198.51.100.10 timeout 1000'],
    match: ['4: -m set --match-set s src'],
  },
};

for (const [title, { sets, match }] of Object.entries(cases)) {
  for (const backend of backends) {
    test(`ipset by iptables-${backend}: ${title}`, async (t) => {
      await withLab(routed, async (lab) => {
        const host = lab.host.namespace;
        await host.run(['ipset', 'restore'], `${sets.join('\n')}\n`);
        const rules = match.map(
          (line) => `${line.replace(/^([46]: )?/, '$1-A INPUT -p tcp ')} -j DROP`,
        );
        const udp = match.map(
          (line) => `${line.replace(/^([46]: )?/, '$1-A INPUT -p udp ')} -j REJECT`,
        );
        await loadRules(host, backend, { filter: [...rules, ...udp] });
        lab.listen(servers);
        for (const { flow, verdict } of await holdAgainstKernel(lab, flows))
          t.not(verdict.outcome, 'unknown', `${JSON.stringify(flow)}: ${verdict.explanation}`);
        const { ours, theirs } = await printed(host, backend);
        const plain = (lines: string[]) =>
          lines.map((line) => line.replace(/ --reject-with \S+/, ''));
        t.deepEqual(plain(ours), plain(theirs));
      });
    });
  }
}

test('a flow that a rule has put into a set may be found there, or not', async (t) => {
  await withLab(routed, async (lab) => {
    const host = lab.host.namespace;
    await host.run(['ipset', 'restore'], 'create seen hash:ip\ncreate other hash:ip\n');
    await loadRules(host, 'legacy', {
      filter: [
        '4: -A INPUT -p tcp -m tcp --dport 80 -j SET --add-set seen src',
        '4: -A INPUT -p tcp -m set --match-set seen src -m tcp --dport 80 -j DROP',
        '4: -A INPUT -p tcp -m set --match-set other src -j DROP',
      ],
    });
    lab.listen(servers);
    const told = await holdAgainstKernel(lab, flows);
    for (const { flow, verdict } of told) {
      const { address, port } = flow.destination;
      const changed = flow.protocol === 'tcp' && port === 80 && !address.includes(':');
      t.is(verdict.outcome === 'unknown', changed, JSON.stringify(flow));
    }
  });
});

test('sets are read only where a rule asks one', async (t) => {
  await withLab(routed, async (lab) => {
    const host = lab.host.namespace;
    await host.run(['ipset', 'restore'], 'create s hash:net\nadd s 192.0.2.0/24\n');
    t.deepEqual((await capture({ netns: host.path })).firewall.ipsets, []);
    await loadRules(host, 'nft', { filter: ['4: -A INPUT -m set --match-set s src -j DROP'] });
    const { ipsets } = (await capture({ netns: host.path })).firewall;
    t.like(ipsets, { length: 1, 0: { name: 's', type: 'hash:net', family: 'ipv4' } });
    t.deepEqual(ipsets![0]!.elements, ['192.0.2.0/24']);
  });
});
