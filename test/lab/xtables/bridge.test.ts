import { existsSync } from 'node:fs';
import { withLab } from '../harness.js';
import { labTest } from '../lab-test.js';
import { everyFlow } from '../networks.js';
import { holdAgainstKernel } from '../witness.js';
import { backends, iptablesTools, loadRules } from './load.js';

/* Rules of IP that a bridge asks (br_netfilter) come before those of the bridge as a device. */

const test = labTest(
  [...iptablesTools, 'nft'],
  [
    {
      name: 'br_netfilter',
      missing: () => (existsSync('/proc/sys/net/bridge') ? null : 'br_netfilter is not loaded'),
    },
  ],
);

const host = {
  sysctls: {
    'net.bridge.bridge-nf-call-iptables': 1,
    'net.bridge.bridge-nf-call-ip6tables': 1,
  },
  interfaces: {
    br0: {
      kind: 'bridge' as const,
      addresses: ['192.0.2.1/24', '2001:db8::1/64'],
      peers: {
        guest: { addresses: ['192.0.2.10/24', '2001:db8::10/64'] },
        other: { addresses: ['192.0.2.11/24', '2001:db8::11/64'] },
      },
    },
  },
};

for (const backend of backends) {
  for (const refusal of ['icmpx port-unreachable', 'tcp reset']) {
    test(`what iptables-${backend} has translated and a device refuses with ${refusal} is silence`, async (t) => {
      await withLab(host, async (lab) => {
        await loadRules(lab.host.namespace, backend, {
          nat: ['-A PREROUTING -p tcp -m tcp --dport 4000:4001 -j DNAT --to-destination :5000'],
        });
        await lab.nft(
          [
            'add table netdev t',
            'add chain netdev t c { type filter hook ingress device br0 priority 0; }',
            `add rule netdev t c meta l4proto tcp reject with ${refusal}`,
          ].join('\n'),
        );
        const flows = [4000, 80].flatMap((port) =>
          everyFlow(['guest'], ['192.0.2.1', '2001:db8::1'], port),
        );
        const told = await holdAgainstKernel(lab, flows);
        for (const { flow, verdict } of told) {
          if (flow.protocol === 'udp') continue;
          const translated = flow.destination.port === 4000;
          t.is(verdict.symptom, translated ? 'ETIMEDOUT' : 'ECONNREFUSED', JSON.stringify(flow));
        }
      });
    });
  }
}

test('what rules make of a broadcast that a bridge floods holds for the host too, and is left open', async (t) => {
  await withLab(host, async (lab) => {
    lab.listen([{ protocol: 'udp', address: '0.0.0.0', port: 80 }]);
    const flows = everyFlow(['guest'], ['192.0.2.255'], 80).filter(
      ({ protocol }) => protocol === 'udp',
    );
    const [before] = await holdAgainstKernel(lab, flows);
    t.is(before!.verdict.outcome, 'reachable');
    await loadRules(lab.host.namespace, 'legacy', {
      nat: ['4: -A POSTROUTING -o br0 -p udp -j MASQUERADE'],
    });
    const [after] = await holdAgainstKernel(lab, flows);
    t.is(after!.verdict.outcome, 'unknown');
    t.regex(after!.verdict.explanation, /as br0 floods the packet/);
    t.is(after!.result.outcome, 'unreachable', 'the source is translated: the answer goes astray');
  });
});

test('a bridge sends a packet back by no port: who is translated to itself is told nothing, others what rules say', async (t) => {
  await withLab(
    { ...host, sysctls: { ...host.sysctls, 'net.ipv4.ip_forward': 1 } },
    async (lab) => {
      await loadRules(lab.host.namespace, 'legacy', {
        nat: ['4: -A PREROUTING -p tcp -m tcp --dport 80 -j DNAT --to-destination 192.0.2.10:81'],
        filter: ['4: -A FORWARD -p tcp -j REJECT --reject-with icmp-admin-prohibited'],
      });
      const flows = everyFlow(['guest', 'other'], ['192.0.2.1'], 80).filter(
        ({ protocol }) => protocol === 'tcp',
      );
      const [itself, another] = await holdAgainstKernel(lab, flows);
      t.is(itself!.verdict.symptom, 'ETIMEDOUT');
      // Behind which port 192.0.2.10 stands is not captured.
      t.like(another!.verdict, { outcome: 'unreachable', symptom: null });
      t.is(another!.result.symptom, 'EHOSTUNREACH');
    },
  );
});
