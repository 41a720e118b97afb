import { capture } from '#earshot/kernel/capture.js';
import { hostOf } from '#earshot/reach/host.js';
import { follow } from '#earshot/reach/trace.js';
import type { Verdict } from '#earshot/reach/verdict.js';
import { type Lab, withLab } from '../harness.js';
import { labTest } from '../lab-test.js';
import { Random } from '../random/random.js';
import { compareWithKernel } from '../witness.js';
import { filtering, published, publishing, sourceNats } from './rules.js';
import { flowsTo, servers, world } from './world.js';

/*
 * Ports that rules send on to a container: whether its answer gets back through the host, and the rest
 * of the handshake through it again. The container serves, so that who is let through must be answered.
 */

const test = labTest(['nft']);

/** What earshot says of each flow against what happened; how many were let through. */
async function hold(lab: Lab): Promise<{ wrong: string[]; through: number; stopped: number }> {
  const compared = await compareWithKernel(lab, flowsTo(published));
  const host = hostOf(await capture({ netns: lab.host.namespace.path }));
  const wrong: string[] = [];
  let through = 0;
  let stopped = 0;
  for (const { flow, asked, verdict, result, disagreement } of compared) {
    const { letThroughTo } = follow(host, asked).fate;
    // The handshake is what is foretold; rules may still drop what is said afterwards.
    const answered = result.outcome === 'reachable' || result.connected;
    const say = (what: string) =>
      wrong.push(
        `${what}: ${JSON.stringify(flow)} ${verdict.explanation} ${JSON.stringify([letThroughTo, result.outcome, result.symptom])}`,
      );
    if (letThroughTo) through++;
    else stopped++;
    if (disagreement !== null) say(disagreement);
    if (letThroughTo && !answered) say('it was not let through');
    if (!letThroughTo && isSentOn(verdict) && answered) say('it was let through');
  }
  return { wrong, through, stopped };
}

const isSentOn = ({ cause }: Verdict) =>
  cause?.code === 'forwarded' || cause?.code === 'leaves-this-host';

for (const snat of sourceNats) {
  test(`a published port is let through and its answer back, with '${snat}'`, async (t) => {
    await withLab(world(publishing(snat)), async (lab) => {
      lab.listen(servers, 'app');
      const { wrong, through } = await hold(lab);
      t.deepEqual(wrong, []);
      t.is(through, 19, 'sixteen, one by its source, and two of the host itself');
    });
  });
}

const day = Math.floor(Date.now() / 86_400_000);
const seeds = [...Array.from({ length: 12 }, (_, place) => place + 1), day * 2, day * 2 + 1];

test('rules that stop the packet, its answer or what follows are told from those that let it through', async (t) => {
  t.timeout(240_000);
  t.log(`seeds: ${seeds.join(' ')}`);
  let all = 0;
  let none = 0;
  for (const seed of seeds) {
    const random = new Random(seed);
    const rules = `${publishing(random.pick(sourceNats))}${filtering(random)}`;
    await withLab(world(rules), async (lab) => {
      lab.listen(servers, 'app');
      const { wrong, through, stopped } = await hold(lab);
      t.deepEqual(wrong, [], `seed ${seed}: ${rules}`);
      all += through;
      none += stopped;
    });
  }
  t.true(all > 20, `${all} were let through`);
  t.true(none > 20, `${none} were stopped`);
});
