import { type Lab, withLab } from '../harness.js';
import { labTest } from '../lab-test.js';
import { both, everyFlow, LAN4, LAN6, lan, routed } from '../networks.js';
import { type Comparison, holdAgainstKernel } from '../witness.js';

/*
 * Whom ARP and neighbour discovery answer. The peers of a lab know each other's link-layer
 * addresses; what they are asked for here they have to find out.
 */

const test = labTest();
const nftTest = labTest(['nft']);

/** An address of the LAN's network that stands on another interface, as behind a load balancer. */
const VIP4 = '192.0.2.77';
const VIP6 = '2001:db8::77';

const vip = [`address add ${VIP4}/32 dev lo`, `address add ${VIP6}/128 dev lo nodad`];

/** A peer gives up at its first question that is not answered; it tells its programs over its `lo`. */
async function impatient(lab: Lab, machine: string): Promise<void> {
  await lab.ip(['link set lo up'], machine);
  for (const family of ['ipv4', 'ipv6']) {
    lab.sysctl(
      {
        [`net.${family}.neigh.eth0.mcast_solicit`]: 1,
        [`net.${family}.neigh.eth0.retrans_time_ms`]: 200,
      },
      machine,
    );
  }
}

async function ask(lab: Lab, machine: string, address: string): Promise<Comparison[]> {
  // What a peer has learned it forgets between two questions.
  await lab.ip(['neighbour flush dev eth0 nud reachable nud stale nud failed nud delay'], machine);
  const flows = everyFlow([machine], [address], 80).map((flow) => ({ ...flow, timeoutMs: 1000 }));
  return holdAgainstKernel(lab, flows);
}

const symptoms = (compared: Comparison[]) => compared.map(({ result }) => result.symptom);

const silence = ['EHOSTUNREACH', 'ETIMEDOUT']; // TCP hears of it, UDP does not

for (const [value, answers] of [
  [0, true],
  [1, false],
  [2, false],
  [3, true],
  [8, false],
] as const) {
  test(`with arp_ignore=${value} a neighbour ${answers ? 'reaches' : 'does not reach'} an address that stands on another interface`, async (t) => {
    await withLab({ ...lan, ip: vip }, async (lab) => {
      await impatient(lab, 'neighbour');
      lab.listen(both({ address: '0.0.0.0', port: 80, answerFrom: 'asked' }));
      for (const name of ['all', 'eth0']) {
        lab.sysctl({ [`net.ipv4.conf.${name}.arp_ignore`]: value });
        const compared = await ask(lab, 'neighbour', VIP4);
        t.deepEqual(symptoms(compared), answers ? [null, null] : silence, name);
        if (!answers) {
          for (const { verdict } of compared) {
            t.like(verdict.cause, {
              code: 'neighbour-not-answered',
              protocol: 'arp',
              setting: `net.ipv4.conf.${name}.arp_ignore`,
            });
          }
        }
        lab.sysctl({ [`net.ipv4.conf.${name}.arp_ignore`]: 0 });
      }
    });
  });
}

test('with arp_ignore=3 no address of host scope is answered for, with 8 none at all', async (t) => {
  const ip = [`address add ${VIP4}/32 dev lo scope host`];
  await withLab({ ...lan, ip }, async (lab) => {
    await impatient(lab, 'neighbour');
    lab.listen(both({ address: '0.0.0.0', port: 80, answerFrom: 'asked' }));
    lab.sysctl({ 'net.ipv4.conf.eth0.arp_ignore': 3 });
    t.deepEqual(symptoms(await ask(lab, 'neighbour', VIP4)), silence);
    await lab.ip([`neighbour del ${LAN4} dev eth0`], 'neighbour');
    t.deepEqual(symptoms(await ask(lab, 'neighbour', LAN4)), [null, null]);
    lab.sysctl({ 'net.ipv4.conf.eth0.arp_ignore': 8 });
    t.deepEqual(symptoms(await ask(lab, 'neighbour', LAN4)), silence);
  });
});

test('whatever arp_ignore says, an address is reached by a router, which sends to another one', async (t) => {
  const description = structuredClone(routed);
  // The router is told the way: it need not ask for the address itself.
  description.interfaces.eth0!.peers!.router!.ip = [
    `route add ${VIP4}/32 via ${LAN4}`,
    `route add ${VIP6}/128 via ${LAN6}`,
  ];
  await withLab({ ...description, ip: vip }, async (lab) => {
    lab.listen(both({ address: '::', port: 80, v6only: false, answerFrom: 'asked' }));
    lab.sysctl({ 'net.ipv4.conf.eth0.arp_ignore': 1 });
    t.deepEqual(symptoms(await ask(lab, 'remote', VIP4)), [null, null]);
    t.deepEqual(symptoms(await ask(lab, 'remote', VIP6)), [null, null]);
  });
});

test('a neighbour of another interface sends by its router, so arp_ignore does not keep it out', async (t) => {
  const description = structuredClone(lan);
  description.interfaces.eth1 = { addresses: ['198.51.100.1/24'] };
  await withLab({ ...description, ip: ['link set lo up'] }, async (lab) => {
    lab.listen(both({ address: '0.0.0.0', port: 80, answerFrom: 'asked' }));
    lab.sysctl({ 'net.ipv4.conf.all.arp_ignore': 1 });
    t.deepEqual(symptoms(await ask(lab, 'neighbour', '198.51.100.1')), [null, null]);
  });
});

test('with arp_filter ARP is answered only where the way back to who asks leads out of that interface', async (t) => {
  const description = structuredClone(lan);
  description.interfaces.eth1 = {
    addresses: ['192.0.2.2/25'],
    peers: { other: { addresses: ['192.0.2.20/24'] } },
  };
  await withLab(description, async (lab) => {
    for (const peer of ['neighbour', 'other']) await impatient(lab, peer);
    lab.listen(both({ address: '0.0.0.0', port: 80, answerFrom: 'asked' }));
    await lab.ip([`neighbour del ${LAN4} dev eth0`], 'neighbour');
    // The /25 on eth1 is the longer prefix: it is the way back to both.
    t.deepEqual(symptoms(await ask(lab, 'other', '192.0.2.2')), [null, null]);
    lab.sysctl({ 'net.ipv4.conf.all.arp_filter': 1 });
    t.deepEqual(symptoms(await ask(lab, 'other', '192.0.2.2')), [null, null]);
    const compared = await ask(lab, 'neighbour', LAN4);
    t.deepEqual(symptoms(compared), silence);
    t.like(compared[0]!.verdict.cause, { setting: 'net.ipv4.conf.all.arp_filter' });
  });
});

test('a whole prefix that is local (AnyIP) is answered for by ARP, but not with arp_ignore', async (t) => {
  const ip = ['route add local 192.0.2.128/25 dev lo'];
  await withLab({ ...lan, ip }, async (lab) => {
    await impatient(lab, 'neighbour');
    lab.listen(both({ address: '0.0.0.0', port: 80, answerFrom: 'asked' }));
    t.deepEqual(symptoms(await ask(lab, 'neighbour', '192.0.2.200')), [null, null]);
    lab.sysctl({ 'net.ipv4.conf.all.arp_ignore': 1 });
    t.deepEqual(symptoms(await ask(lab, 'neighbour', '192.0.2.200')), silence);
  });
});

test('neighbour discovery answers for addresses of that very interface alone, whatever the settings', async (t) => {
  const ip = [...vip, 'route add local 2001:db8:0:0:ffff::/80 dev lo'];
  await withLab({ ...lan, ip }, async (lab) => {
    await impatient(lab, 'neighbour');
    lab.listen(both({ address: '::', port: 80, v6only: true, answerFrom: 'asked' }));
    for (const address of [VIP6, '2001:db8:0:0:ffff::5']) {
      const compared = await ask(lab, 'neighbour', address);
      t.deepEqual(symptoms(compared), silence, address);
      t.like(compared[0]!.verdict.cause, { code: 'neighbour-not-answered', protocol: 'ndp' });
    }
    await lab.ip([`neighbour del ${LAN6} dev eth0`], 'neighbour');
    t.deepEqual(symptoms(await ask(lab, 'neighbour', LAN6)), [null, null]);
    await lab.ip([`address add ${VIP6}/128 dev eth0 nodad`]);
    t.deepEqual(symptoms(await ask(lab, 'neighbour', VIP6)), [null, null]);
  });
});

const input = 'table ip6 t { chain c { type filter hook input priority 0;';
const wanted = 'meta l4proto { tcp, udp } accept';

for (const [rules, answers] of [
  [`${input} policy drop; ${wanted}; }; }`, false],
  [`${input} policy drop; ct state established,related accept; ${wanted}; }; }`, false],
  [`${input} policy drop; ${wanted}; icmpv6 type nd-neighbor-solicit accept; }; }`, true],
  [`${input} policy drop; ${wanted}; icmpv6 type nd-neighbor-advert accept; }; }`, false],
  [`${input} policy drop; ${wanted}; ct state untracked accept; }; }`, true],
  [`${input} policy drop; ${wanted}; ip6 saddr fe80::/10 meta l4proto icmpv6 accept; }; }`, false],
  [`${input} ct state invalid drop; ct state new meta l4proto icmpv6 drop; }; }`, true],
  [`${input} meta pkttype multicast drop; }; }`, false],
  [`${input} ip6 daddr ff02::1:ff00:0/104 drop; }; }`, false],
  [`${input} ip6 daddr ${LAN6} meta l4proto icmpv6 drop; }; }`, true],
  [`${input} icmpv6 type nd-neighbor-solicit ip6 hoplimit 255 meta length 72 drop; }; }`, false],
  [
    `${input} icmpv6 type nd-neighbor-solicit @th,64,128 0x20010db8000000000000000000000001 drop; }; }`,
    false,
  ],
  [`${input} meta l4proto icmpv6 reject; }; }`, false],
  [
    'table ip6 t { chain c { type filter hook prerouting priority -300; icmpv6 type 135 drop; }; }',
    false,
  ],
  [
    'table netdev t { chain c { type filter hook ingress device eth0 priority 0; ip6 nexthdr icmpv6 drop; }; }',
    false,
  ],
  [
    'table ip6 t { chain c { type filter hook output priority 0; icmpv6 type nd-neighbor-advert drop; }; }',
    false,
  ],
  [
    'table ip6 t { chain c { type filter hook output priority 0; icmpv6 type nd-neighbor-solicit drop; }; }',
    true,
  ],
  [
    'table ip6 t { chain c { type filter hook postrouting priority 0; ip6 hoplimit 255 drop; }; }',
    false,
  ],
] as const) {
  nftTest(
    `a neighbour of IPv6 that has to ask ${answers ? 'gets in' : 'does not get in'} by ${rules}`,
    async (t) => {
      await withLab(lan, async (lab) => {
        await impatient(lab, 'neighbour');
        lab.listen(both({ address: '::', port: 80, v6only: true, answerFrom: 'asked' }));
        await lab.nft(rules);
        // Who is written down knows this host too, and does not ask.
        t.deepEqual(symptoms(await ask(lab, 'neighbour', LAN6)), [null, null]);
        await lab.ip([`neighbour del ${LAN6} dev eth0`], 'neighbour');
        await lab.ip(['neighbour del 2001:db8::10 dev eth0']);
        const compared = await ask(lab, 'neighbour', LAN6);
        t.deepEqual(symptoms(compared), answers ? [null, null] : silence);
        if (answers) return;
        const { verdict } = compared[0]!;
        t.like(verdict.cause, { code: 'neighbour-not-answered', protocol: 'ndp' });
        t.regex(verdict.explanation, /(handle \d+|policy drop)/);
      });
    },
  );
}

nftTest(
  'whether a neighbour that was learned of still knows this host is not told, where rules keep it from asking',
  async (t) => {
    await withLab(lan, async (lab) => {
      lab.listen(both({ address: '::', port: 80, v6only: true, answerFrom: 'asked' }));
      await lab.ip(['neighbour change 2001:db8::10 dev eth0 nud stale']);
      const flows = everyFlow(['neighbour'], [LAN6], 80);
      const outcome = async () => (await holdAgainstKernel(lab, flows))[0]!.verdict.outcome;
      t.is(await outcome(), 'reachable');
      await lab.nft(`${input} policy drop; ${wanted}; }; }`);
      t.is(await outcome(), 'unknown');
    });
  },
);

test('where ARP is off on an Ethernet device, only who knows its link-layer address by heart gets in', async (t) => {
  await withLab({ ...lan, ip: ['link set eth0 arp off'] }, async (lab) => {
    await impatient(lab, 'neighbour');
    lab.listen(both({ address: '0.0.0.0', port: 80 }));
    // Switching it off made this host forget its neighbours; without ARP it must be told them.
    const { mac } = lab.machine('neighbour').ports.eth0!;
    await lab.ip([`neighbour replace 192.0.2.10 lladdr ${mac} dev eth0 nud permanent`]);
    const byHeart = await ask(lab, 'neighbour', LAN4);
    t.deepEqual(symptoms(byHeart), [null, null]);
    await lab.ip([`neighbour del ${LAN4} dev eth0`], 'neighbour');
    const asking = await ask(lab, 'neighbour', LAN4);
    t.deepEqual(symptoms(asking), silence);
    for (const { verdict } of [...byHeart, ...asking]) t.is(verdict.outcome, 'unknown');
  });
});

test('arp_announce does not decide whether an answer gets back: the peer is asked from one address or another', async (t) => {
  await withLab({ ...lan, ip: vip }, async (lab) => {
    lab.listen(both({ address: VIP4, port: 80 }));
    for (const value of [0, 1, 2]) {
      lab.sysctl({ 'net.ipv4.conf.all.arp_announce': value });
      await lab.ip(['neighbour flush dev eth0 nud permanent']);
      t.deepEqual(
        symptoms(await ask(lab, 'neighbour', VIP4)),
        [null, null],
        `arp_announce ${value}`,
      );
    }
  });
});
