import { capture } from '#earshot/kernel/capture.js';
import { exposure } from '#earshot/reach/exposure.js';
import { type Lab, type LabFlow, withLab } from '../harness.js';
import { labTest } from '../lab-test.js';
import { LAN4, LAN6, lan } from '../networks.js';
import { holdAgainstKernel } from '../witness.js';

/* Exactly who: the sets of an exposure, and what really happens to their first and last addresses. */

const test = labTest(['nft']);

const PORT = 80;

/** The peers on the LAN that a set of rules for input keeps out of a TCP socket, and what they see. */
async function blocked(lab: Lab, rules: string): Promise<Record<string, string[]>> {
  await lab.nft(`flush ruleset; table inet t {
    ${rules}
  }`);
  const state = await capture({ netns: lab.host.namespace.path });
  const result: Record<string, string[]> = {};
  for (const one of exposure(state, { protocol: 'tcp' })) {
    for (const { interface: name, address, peers, symptom, cause } of one.blocked) {
      if (name !== 'eth0' || !cause.code.startsWith('rule-')) continue;
      result[`${address.includes(':') ? 6 : 4} ${symptom}`] = peers;
    }
    if (one.unknown.some((row) => row.interface === 'eth0')) result.unknown = [];
  }
  return result;
}

/** Connects from each of these addresses, which the neighbour is given, and holds that against trace. */
async function connect(lab: Lab, sources: string[]): Promise<(string | null)[]> {
  await lab.ip(
    sources.map((source) =>
      source.includes(':')
        ? `address replace ${source}/128 dev eth0 nodad`
        : `address replace ${source}/32 dev eth0`,
    ),
    'neighbour',
  );
  const flows = sources.map(
    (address): LabFlow => ({
      from: 'neighbour',
      protocol: 'tcp',
      source: { address },
      destination: { address: address.includes(':') ? LAN6 : LAN4, port: PORT },
    }),
  );
  const compared = await holdAgainstKernel(lab, flows);
  return compared.map(({ result }) => result.symptom);
}

const input = (rule: string) =>
  `chain input { type filter hook input priority 0; policy accept; ${rule}; }`;

async function withServer(use: (lab: Lab) => Promise<void>): Promise<void> {
  await withLab(lan, async (lab) => {
    lab.listen([
      { protocol: 'tcp', address: '0.0.0.0', port: PORT },
      { protocol: 'tcp', address: '::', port: PORT, v6only: true },
    ]);
    await use(lab);
  });
}

test('a rule for a prefix keeps out exactly that prefix, to its first and last address', async (t) => {
  await withServer(async (lab) => {
    const rules = input(
      'ip saddr 192.0.2.64/26 drop; ip6 saddr 2001:db8::100/120 tcp dport 80 reject',
    );
    t.deepEqual(await blocked(lab, rules), {
      '4 ETIMEDOUT': ['192.0.2.64/26'],
      '6 ECONNREFUSED': ['2001:db8::100/120'],
    });
    t.deepEqual(await connect(lab, ['192.0.2.63', '192.0.2.64', '192.0.2.127', '192.0.2.128']), [
      null,
      'ETIMEDOUT',
      'ETIMEDOUT',
      null,
    ]);
    t.deepEqual(
      await connect(lab, ['2001:db8::ff', '2001:db8::100', '2001:db8::1ff', '2001:db8::200']),
      [null, 'ECONNREFUSED', 'ECONNREFUSED', null],
    );
  });
});

test('so does one for a range, a set of intervals, a comparison, a concatenation, and a map', async (t) => {
  await withServer(async (lab) => {
    const hole = ['192.0.2.99', '192.0.2.100', '192.0.2.119', '192.0.2.120'];
    const kept = [null, 'ETIMEDOUT', 'ETIMEDOUT', null];
    const sets: [string, string][] = [
      ['a range', input('ip saddr 192.0.2.100-192.0.2.119 drop')],
      ['comparisons', input('ip saddr >= 192.0.2.100 ip saddr < 192.0.2.120 drop')],
      [
        'a named set of intervals',
        `set s { type ipv4_addr; flags interval; elements = { 10.0.0.0/8, 192.0.2.100-192.0.2.119 }; }
         ${input('ip saddr @s drop')}`,
      ],
      [
        'a concatenation',
        `set s { type ipv4_addr . inet_service; flags interval;
           elements = { 192.0.2.100-192.0.2.119 . 80, 192.0.2.0/24 . 81 }; }
         ${input('ip saddr . tcp dport @s drop')}`,
      ],
      [
        'a verdict map',
        input('ip saddr vmap { 192.0.2.100-192.0.2.119 : drop, 192.0.2.5 : accept }'),
      ],
      [
        'all but some',
        input(
          'ip saddr 192.0.2.0/24 ip saddr != { 192.0.2.0-192.0.2.99, 192.0.2.120-192.0.2.255 } drop',
        ),
      ],
      ['conntrack', input('ct original ip saddr 192.0.2.100-192.0.2.119 drop')],
      [
        'what the answer is for',
        'chain output { type filter hook output priority 0; ip daddr 192.0.2.100-192.0.2.119 drop; }',
      ],
    ];
    for (const [name, rules] of sets) {
      const found = await blocked(lab, rules);
      t.deepEqual(
        found,
        { '4 ETIMEDOUT': ['192.0.2.100/30', '192.0.2.104/29', '192.0.2.112/29'] },
        name,
      );
      t.deepEqual(await connect(lab, hole), kept, name);
    }
  });
});

test('a mask that is no prefix is not told apart, but for a peer by itself', async (t) => {
  await withServer(async (lab) => {
    t.deepEqual(await blocked(lab, input('ip saddr & 0.0.0.1 == 0.0.0.1 drop')), { unknown: [] });
    t.deepEqual(await connect(lab, ['192.0.2.98', '192.0.2.99']), [null, 'ETIMEDOUT']);
  });
});
