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
    const first = Math.floor(Date.now() / 1000) * families.length;
    t.log(`seeds: from ${first}`);
    let hosts = 0;
    const tally = new RemedyTally();
    const faults: string[] = [];
    await Promise.all([work(), work()]);
    t.log(tally.toString());
    t.deepEqual(faults, []);
    t.true(tally.remedies >= families.length, `${tally.remedies} were carried out`);

    /** One host of each family, and more while these had too little to offer. */
    async function work(): Promise<void> {
      while (
        hosts < families.length ||
        (tally.remedies < families.length && hosts < 5 * families.length)
      ) {
        const scenario = generate(first + hosts++, 40);
        const result = await holdRemedies(scenario, 2, goal);
        tally.add(scenario, result);
        for (const held of result.held)
          if (held.fault !== null) faults.push(remedyInOneLine(scenario, held));
      }
    }
  });
