import { capture } from '#earshot/kernel/capture.js';
import { withLab } from '../harness.js';
import { both, everyFlow, labTest, lan } from '../networks.js';
import { holdAgainstKernel } from '../witness.js';

const test = labTest();

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
    t.is((await capture({ netns: lab.host.namespace.path })).mergedTables, true);

    await lab.ip(['rule add from 198.51.100.9 lookup 100']);
    await lab.ip(['rule del from 198.51.100.9 lookup 100']);
    t.deepEqual(await fates(), [yes, yes, yes, yes]);
    t.is((await capture({ netns: lab.host.namespace.path })).mergedTables, false);
  });
});
