import { capture } from '#earshot/kernel/capture.js';
import { withLab } from '../harness.js';
import { labTest } from '../lab-test.js';
import { both, everyFlow, LAN4, LAN6, lan } from '../networks.js';
import { holdAgainstKernel } from '../witness.js';

const test = labTest();
const nft = labTest(['nft']);

test("once a rule has been there, IPv4's local table comes before a longer prefix in main, also when the rule has gone", async (t) => {
  const ip = [
    'route add local 203.0.113.0/24 dev lo',
    'route add 203.0.113.128/25 via 192.0.2.10 dev eth0',
  ];
  await withLab({ ...lan, ip }, async (lab) => {
    lab.listen(both({ address: '0.0.0.0', port: 80, answerFrom: 'asked' }));
    const fates = async () => {
      const flows = everyFlow(['neighbour'], ['203.0.113.5', '203.0.113.200'], 80);
      const compared = await holdAgainstKernel(lab, flows);
      return compared.map(({ verdict }) => verdict.outcome);
    };
    const [yes, no] = ['reachable', 'unreachable'];
    t.deepEqual(await fates(), [yes, yes, no, no]);
    t.is((await capture({ netns: lab.host.namespace.path })).customRules?.ipv4, false);

    await lab.ip(['rule add from 198.51.100.9 lookup 100']);
    await lab.ip(['rule del from 198.51.100.9 lookup 100']);
    t.deepEqual(await fates(), [yes, yes, yes, yes]);
    t.is((await capture({ netns: lab.host.namespace.path })).customRules?.ipv4, true);
  });
});

test('the reverse path is looked up without ports while only rules for what this host sends select by them', async (t) => {
  const sysctls = { 'net.ipv4.conf.all.rp_filter': 1 };
  const own = 'rule add not from 192.0.2.0/24 iif lo ipproto tcp sport 80 priority 10 blackhole';
  await withLab({ ...lan, ip: [own] }, async (lab) => {
    lab.sysctl(sysctls);
    lab.listen(both({ address: '0.0.0.0', port: 80 }));
    const outcome = async () => {
      const compared = await holdAgainstKernel(lab, everyFlow(['neighbour'], [LAN4], 80));
      return compared.map(({ verdict: { outcome, cause } }) => cause?.code ?? outcome);
    };
    t.deepEqual(await outcome(), ['reverse-path', 'reverse-path']);
    await lab.ip(['rule add iif eth0 sport 9 lookup 100']);
    // UDP's answers do not come from TCP's port 80, and meet the rule.
    t.deepEqual(await outcome(), ['reachable', 'reverse-path']);
  });
});

test('IPv6 does not ask its rules until there has been one of its own: without the one for local it goes on as before', async (t) => {
  await withLab(lan, async (lab) => {
    lab.listen(both({ address: '::', port: 80 }));
    const fates = async () => {
      const compared = await holdAgainstKernel(lab, everyFlow(['neighbour'], [LAN6], 80));
      return compared.map(({ verdict }) => verdict.outcome);
    };
    const asked = async () => (await capture({ netns: lab.host.namespace.path })).customRules?.ipv6;
    t.is(await asked(), null);
    await lab.ip(['-6 rule del priority 0']);
    t.is(await asked(), false);
    t.deepEqual(await fates(), ['reachable', 'reachable']);

    await lab.ip(['-6 rule add from 2001:db8:9::9 lookup 100']);
    t.deepEqual(await fates(), ['unreachable', 'unreachable']);
    await lab.ip(['-6 rule del from 2001:db8:9::9 lookup 100']);
    t.is(await asked(), true);
    t.deepEqual(await fates(), ['unreachable', 'unreachable']);
  });
});

test('where rules are asked, a route by an interface that has lost its IPv6 is passed over', async (t) => {
  const ip = [
    '-6 nexthop add id 60 via 2001:db8::10 dev eth0',
    '-6 route add 2001:db8:7::/48 nhid 60',
    'link set eth0 mtu 1200', // less than IPv6 needs
  ];
  await withLab({ ...lan, ip }, async (lab) => {
    const flows = everyFlow(['host'], ['2001:db8:7::7'], 80);
    const symptoms = async () =>
      (await holdAgainstKernel(lab, flows)).map(({ verdict }) => verdict.symptom);
    t.deepEqual(await symptoms(), [null, null]); // it leaves, and nobody knows what becomes of it
    await lab.ip(['-6 rule add from 2001:db8:9::9 lookup 100']);
    t.deepEqual(await symptoms(), ['ENETUNREACH', 'ENETUNREACH']);
  });
});

test('so it is without the rule for main, and without either', async (t) => {
  const routed = { ...lan, ip: ['-6 route add 2001:db8:7::/48 via 2001:db8::10 dev eth0'] };
  await withLab(routed, async (lab) => {
    const asked = async () => (await capture({ netns: lab.host.namespace.path })).customRules?.ipv6;
    await lab.ip(['-6 rule del priority 32766']);
    t.is(await asked(), false);
    await lab.ip(['-6 rule del priority 0']);
    t.is(await asked(), false);
    await lab.ip(['-6 rule add priority 0 lookup local']);
    t.is(await asked(), true);
    await lab.ip(['-6 rule add priority 32766 lookup main']);
    t.is(await asked(), null);
  });
});

nft(
  'where the table of local addresses comes last, a router passes a packet for its own link-local address on',
  async (t) => {
    const ip = ['-6 rule add priority 40000 lookup local', '-6 rule del priority 0'];
    const sysctls = { 'net.ipv6.conf.all.forwarding': 1 };
    await withLab({ ...lan, ip, sysctls }, async (lab) => {
      const { linkLocal } = lab.host.ports.eth0!;
      const flows = everyFlow(['neighbour'], [linkLocal!], 80).map((flow) => ({
        ...flow,
        source: { address: '2001:db8::10' },
        scope: 'eth0',
      }));
      const told = async () => {
        const compared = await holdAgainstKernel(lab, flows);
        return compared.map(({ verdict: { cause, symptom } }) => [cause?.code, symptom]);
      };
      t.deepEqual(await told(), [
        ['not-our-address', 'ETIMEDOUT'],
        ['not-our-address', 'ETIMEDOUT'],
      ]);
      await lab.nft(
        [
          'add table ip6 t',
          'add chain ip6 t c { type filter hook forward priority 0; }',
          'add rule ip6 t c reject with icmpv6 admin-prohibited',
        ].join('\n'),
      );
      t.deepEqual(await told(), [
        ['rule-reject', 'EACCES'],
        ['rule-reject', 'EACCES'],
      ]);
    });
  },
);

nft(
  'whether a bridge has confirmed the connection of a broadcast before rules at input see it depends on the kernel',
  async (t) => {
    const br0 = {
      kind: 'bridge' as const,
      addresses: [`${LAN4}/24`],
      peers: { neighbour: { addresses: ['192.0.2.10/24'] } },
    };
    const host = { interfaces: { br0 }, sysctls: { 'net.bridge.bridge-nf-call-iptables': 1 } };
    await withLab(host, async (lab) => {
      lab.listen([{ protocol: 'udp', address: '0.0.0.0', port: 80, answerFrom: 'asked' }]);
      const ask = (address: string) =>
        ({ from: 'neighbour', protocol: 'udp', destination: { address, port: 80 } }) as const;
      const told = async (rule: string) => {
        await lab.nft(`table ip t {
          chain c {
            type filter hook input priority 0
            ${rule}
          }
        }`);
        const compared = await holdAgainstKernel(lab, [ask(LAN4), ask('192.0.2.255')]);
        await lab.nft('delete table ip t');
        return compared.map(({ verdict: { outcome } }) => outcome);
      };
      t.deepEqual(await told('ct status confirmed drop'), ['reachable', 'unknown']);
      t.deepEqual(await told('ct state established drop'), ['reachable', 'reachable']);
      t.deepEqual(await told('udp dport 80 drop'), ['unreachable', 'unreachable']);
    });
  },
);
