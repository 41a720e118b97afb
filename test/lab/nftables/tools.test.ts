import { readFileSync } from 'node:fs';
import type { ExecutionContext } from 'ava';
import type { Verdict } from '#earshot/reach/verdict.js';
import { repositoryRoot } from '../../support/repository.js';
import { withLab } from '../harness.js';
import { labTest } from '../lab-test.js';
import { both, everyFlow, LAN4, LAN6 } from '../networks.js';
import type { HostDescription } from '../topology.js';
import { type Comparison, holdAgainstKernel } from '../witness.js';

/*
 * The rule sets that firewalld, fail2ban, libvirt and netavark made, on hosts with the interfaces
 * they were made for: connections are really made, and earshot must say of each what the kernel did.
 * The same rule sets as the kernel told them are in test/fixtures/nftables.
 */

const test = labTest(['nft']);

const servers = [
  ...[22, 80, 8005, 9999].flatMap((port) => [
    ...both({ address: '0.0.0.0', port }),
    ...both({ address: '::', port, v6only: true }),
  ]),
];

/** A LAN with somebody of each kind that the rules tell apart. */
const lan: HostDescription['interfaces'] = {
  eth0: {
    addresses: [`${LAN4}/24`, `${LAN6}/64`],
    peers: {
      trusted: { addresses: ['192.0.2.10/24', '2001:db8::10/64'] },
      stranger: { addresses: ['192.0.2.50/24', '2001:db8::50/64'] },
      banned: { addresses: ['192.0.2.66/24', '2001:db8::66/64'] },
    },
  },
};

const everybody = ['trusted', 'stranger', 'banned', 'host'];

function rules(tool: string): string {
  return readFileSync(`${repositoryRoot}/test/lab/nftables/rulesets/${tool}.nft`, 'utf8');
}

/** What became of the flow that somebody sent to an address and port. */
function verdictOn(
  comparisons: readonly Comparison[],
  from: string,
  address: string,
  port: number,
): Verdict {
  return comparisons.find(
    ({ flow: { from: asker, protocol, destination } }) =>
      asker === from &&
      protocol === 'tcp' &&
      destination.address === address &&
      destination.port === port,
  )!.verdict;
}

/** Nothing is left open but what is for others to do. */
function noneUnknown(t: ExecutionContext, comparisons: readonly Comparison[]): void {
  for (const { verdict, flow } of comparisons)
    if (verdict.outcome === 'unknown')
      t.regex(verdict.cause!.code, /^(forwarded|leaves-this-host)$/, JSON.stringify(flow));
}

test('firewalld: zones, services, rich rules, a port that is redirected', async (t) => {
  await withLab({ interfaces: lan, nft: rules('firewalld') }, async (lab) => {
    lab.listen(servers);
    const flows = [22, 80, 8005, 8080, 9999].flatMap((port) =>
      everyFlow(everybody, [LAN4, LAN6], port),
    );
    const comparisons = await holdAgainstKernel(lab, flows);
    noneUnknown(t, comparisons);
    const on = (from: string, address: string, port: number) =>
      verdictOn(comparisons, from, address, port);
    t.is(on('stranger', LAN4, 80).outcome, 'reachable');
    t.is(on('stranger', LAN4, 8080).outcome, 'reachable', 'redirected to 80');
    t.is(on('stranger', LAN6, 8080).outcome, 'unreachable', 'redirected for IPv4 alone');
    t.is(on('trusted', LAN4, 9999).outcome, 'reachable', 'its zone is trusted');
    t.like(on('stranger', LAN4, 9999), {
      symptom: 'EHOSTUNREACH',
      stage: 'input',
      cause: {
        code: 'rule-reject',
        rule: {
          family: 'inet',
          table: 'firewalld',
          chain: 'filter_INPUT_POLICIES',
          text: 'iifname "eth0" reject with icmpx admin-prohibited',
        },
      },
    });
    t.like(on('banned', LAN4, 80), {
      symptom: 'ECONNREFUSED',
      cause: { rule: { text: 'ip saddr 192.0.2.66 reject with icmp port-unreachable' } },
    });
    t.like(on('banned', LAN6, 80), {
      symptom: 'ETIMEDOUT',
      cause: { code: 'rule-drop', rule: { text: 'ip6 saddr 2001:db8::66 tcp dport 80 drop' } },
    });
  });
});

test('fail2ban: whom it has banned is rejected, at the ports of the jail', async (t) => {
  await withLab({ interfaces: lan, nft: rules('fail2ban') }, async (lab) => {
    lab.listen(servers);
    const flows = [22, 80, 81].flatMap((port) => everyFlow(everybody, [LAN4, LAN6], port));
    const comparisons = await holdAgainstKernel(lab, flows);
    noneUnknown(t, comparisons);
    for (const address of [LAN4, LAN6]) {
      const { cause, symptom } = verdictOn(comparisons, 'banned', address, 22);
      t.is(symptom, 'ECONNREFUSED');
      t.is(cause?.code, 'rule-reject');
      t.is(verdictOn(comparisons, 'banned', address, 80).outcome, 'reachable');
      t.is(verdictOn(comparisons, 'stranger', address, 22).outcome, 'reachable');
    }
  });
});

test('libvirt: guests of a network with NAT, and of one that is closed', async (t) => {
  const interfaces: HostDescription['interfaces'] = {
    ...lan,
    virbr0: {
      kind: 'bridge',
      addresses: ['192.168.122.1/24', 'fd00:122::1/64'],
      peers: { guest: { addresses: ['192.168.122.10/24', 'fd00:122::10/64'] } },
    },
    virbr1: {
      kind: 'bridge',
      addresses: ['192.168.123.1/24'],
      peers: { closed: { addresses: ['192.168.123.10/24'] } },
    },
  };
  const sysctls = { 'net.ipv4.ip_forward': 1, 'net.ipv6.conf.all.forwarding': 1 };
  await withLab({ interfaces, sysctls, nft: rules('libvirt') }, async (lab) => {
    lab.listen(servers);
    lab.listen(both({ address: '0.0.0.0', port: 80 }), 'stranger');
    const flows = [80, 81].flatMap((port) => [
      ...everyFlow(['guest'], ['192.168.122.1', 'fd00:122::1', LAN4, '192.0.2.50'], port),
      ...everyFlow(['closed'], ['192.168.123.1', LAN4, '192.0.2.50'], port),
      ...everyFlow(['stranger', 'host'], [LAN4, LAN6, '192.168.122.1'], port),
    ]);
    const comparisons = await holdAgainstKernel(lab, flows);
    noneUnknown(t, comparisons);
    t.is(verdictOn(comparisons, 'guest', '192.168.122.1', 80).outcome, 'reachable');
    const { cause } = verdictOn(comparisons, 'guest', '192.0.2.50', 80);
    t.like(cause, { code: 'forwarded', interface: 'eth0' });
    t.like(verdictOn(comparisons, 'closed', '192.0.2.50', 80), {
      symptom: 'ECONNREFUSED',
      stage: 'forward',
      cause: {
        code: 'rule-reject',
        rule: {
          chain: 'guest_output',
          text: 'iif "virbr1" counter reject with icmp port-unreachable',
        },
      },
    });
  });
});

test('netavark: a published port is sent on to the container, and its bridge reaches the host', async (t) => {
  const interfaces: HostDescription['interfaces'] = {
    ...lan,
    podman0: {
      kind: 'bridge',
      addresses: ['10.88.0.1/16', 'fd00:88::1/64'],
      peers: { web: { addresses: ['10.88.0.2/16', 'fd00:88::2/64'] } },
    },
  };
  const sysctls = { 'net.ipv4.ip_forward': 1, 'net.ipv6.conf.all.forwarding': 1 };
  await withLab({ interfaces, sysctls, nft: rules('netavark') }, async (lab) => {
    lab.listen(servers);
    lab.listen(both({ address: '0.0.0.0', port: 80 }), 'web');
    const flows = [
      ...[80, 81, 8080].flatMap((port) => everyFlow(['stranger', 'host'], [LAN4, LAN6], port)),
      ...everyFlow(['web'], ['10.88.0.1', 'fd00:88::1'], 80),
      ...everyFlow(['stranger'], ['10.88.0.1'], 80),
    ];
    const comparisons = await holdAgainstKernel(lab, flows);
    noneUnknown(t, comparisons);
    const published = comparisons.find(
      ({ flow: { from, protocol, destination } }) =>
        from === 'stranger' &&
        protocol === 'tcp' &&
        destination.address === LAN4 &&
        destination.port === 8080,
    )!;
    t.like(published.verdict.cause, {
      code: 'forwarded',
      interface: 'podman0',
      translatedTo: { address: '10.88.0.2', port: 80 },
    });
    t.is(published.result.acceptedBy?.namespace.name, 'web', 'and it arrives there');
    t.is(verdictOn(comparisons, 'web', '10.88.0.1', 80).outcome, 'reachable');
  });
});
