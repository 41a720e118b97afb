import { capture } from '#earshot/kernel/capture.js';
import { remedies } from '#earshot/reach/remedies/remedies.js';
import { withLab } from '../harness.js';
import { labTest } from '../lab-test.js';
import { LAN4 } from '../networks.js';
import { publishing } from './rules.js';
import { servers, world } from './world.js';

/* What stops a published port, its packet or its answer, has remedies, which are carried out here. */

const test = labTest(['nft']);

const destination = { address: LAN4, port: 8080 };
const asked = {
  protocol: 'tcp',
  ingress: 'eth0',
  source: { address: '192.0.2.10' },
  destination,
} as const;

const stopping = {
  'a rule that drops the packet': ['forward', 'ip saddr 192.0.2.0/24 tcp dport 80 drop'],
  'a rule that drops the answer': ['forward', 'iifname "br0" drop'],
  'a policy': ['forward', 'policy drop', 'ct state established,related accept'],
  'a policy that stops the answer too': ['forward', 'policy drop'],
  'a rule before the translation': ['prerouting', 'tcp dport 8080 reject'],
} as const;

for (const [name, [hook, ...lines]] of Object.entries(stopping)) {
  test(`${name}: what is proposed lets the peer through`, async (t) => {
    const rules = `
table inet filter {
  chain stop {
    type filter hook ${hook} priority -150
    ${lines.join('\n    ')}
  }
}`;
    await withLab(world(`${publishing('')}${rules}`), async (lab) => {
      lab.listen(servers, 'app');
      const flow = { from: 'neighbour', protocol: 'tcp', destination } as const;
      const [before] = await lab.run([flow]);
      t.is(before!.outcome, 'unreachable');
      const [first] = remedies(await capture({ netns: lab.host.namespace.path }), asked);
      t.like(first!.proof, { outcome: 'unknown', cause: { code: 'forwarded' } });
      await lab.host.namespace.run(['sh', '-c', first!.command!]);
      const [after] = await lab.run([flow]);
      t.is(after!.outcome, 'reachable', first!.command!);
    });
  });
}
