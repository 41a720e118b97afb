import { labTest } from '../lab-test.js';
import { iptablesTools } from '../xtables/load.js';
import { generate } from './generate.js';
import { holdScenario } from './hold.js';
import { families } from './scenario.js';
import { inOneLine } from './show.js';
import { Tally } from './tally.js';

/*
 * The randomised lab in small: some hosts of every family that are always the same, and some that
 * are new every time. What fails here is shown shrunken by `npm run lab -- --seed N`.
 */

const lab = labTest(['nft', ...iptablesTools]);
const fixed = families.map((_, place) => place + 1);
/** More hosts with rules of nftables, which have the most to go wrong. */
const withRules = [15, 23, 31, 39];

lab('random hosts of every family do what earshot says of them', async (t) => {
  t.timeout(120_000);
  const day = Math.floor(Date.now() / 1000);
  const fresh = families.map((_, place) => day * families.length + place);
  t.log(`fresh seeds: ${fresh[0]}-${fresh.at(-1)}`);
  const scenarios = [...fixed, ...withRules, ...fresh].map((seed) => generate(seed, 40));
  const tally = new Tally();
  const wrong: string[] = [];
  await Promise.all([hold(), hold()]);
  t.log(tally.toString());
  t.deepEqual(wrong, []);
  // What cannot be compared must stay rare, or nothing is being tested.
  const { flows, agrees } = tally.total;
  t.true(agrees > 0.95 * flows, `${agrees} of ${flows} agree`);

  async function hold(): Promise<void> {
    for (let scenario = scenarios.pop(); scenario; scenario = scenarios.pop()) {
      const result = await holdScenario(scenario);
      tally.add(scenario, result);
      for (const held of result.held)
        if (held.judgement === 'wrong') wrong.push(inOneLine(scenario.seed, held));
    }
  }
});

lab('a seed makes the same host and flows every time', (t) => {
  t.deepEqual(generate(4711), generate(4711));
  t.notDeepEqual(generate(4711), generate(4712));
});
