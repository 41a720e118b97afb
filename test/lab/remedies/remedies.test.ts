import { labTest } from '../lab-test.js';
import { generate } from '../random/generate.js';
import { families } from '../random/scenario.js';
import { iptablesTools } from '../xtables/load.js';
import { holdRemedies } from './hold.js';
import { RemedyTally, remedyInOneLine } from './tally.js';

/*
 * What earshot says would help is done, by its own words, and the peer gets in. Many more are tried
 * by `npm run lab -- --remedies --seeds 1-500`.
 */

const lab = labTest(['nft', ...iptablesTools]);

for (const [goal, title] of [
  ['open', 'every remedy of random hosts, carried out for real, lets the peer in'],
  ['close', 'what is to keep a peer out of random hosts, carried out for real, does'],
] as const)
  lab(title, async (t) => {
    t.timeout(180_000);
    const day = Math.floor(Date.now() / 1000);
    const seeds = families.map((_, place) => day * families.length + place);
    t.log(`seeds: ${seeds[0]}-${seeds.at(-1)}`);
    const scenarios = seeds.map((seed) => generate(seed, 40));
    const tally = new RemedyTally();
    const faults: string[] = [];
    await Promise.all([work(), work()]);
    t.log(tally.toString());
    t.deepEqual(faults, []);
    t.true(tally.remedies >= families.length, `${tally.remedies} were carried out`);

    async function work(): Promise<void> {
      for (let scenario = scenarios.pop(); scenario; scenario = scenarios.pop()) {
        const result = await holdRemedies(scenario, 2, goal);
        tally.add(scenario, result);
        for (const held of result.held)
          if (held.fault !== null) faults.push(remedyInOneLine(scenario, held));
      }
    }
  });
