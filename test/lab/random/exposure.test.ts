import { labTest } from '../lab-test.js';
import { generate } from './generate.js';
import { holdScenario } from './hold.js';
import { holdExposure } from './hold-exposure.js';
import { Random } from './random.js';
import { families } from './scenario.js';

const lab = labTest();
const nftables = families.indexOf('nftables');

lab(
  'every peer of a set of an exposure fares as the set says, on random hosts with random rules',
  async (t) => {
    t.timeout(120_000);
    const day = Math.floor(Date.now() / 1000);
    const seeds = [1, 2, 3, 4, day, day + 1].map((number) => number * families.length + nftables);
    t.log(`seeds: ${seeds.join(' ')}`);
    let drawn = 0;
    for (const seed of seeds) {
      const { state } = await holdScenario(generate(seed, 0));
      const held = holdExposure(state, new Random(seed));
      drawn += held.drawn;
      t.deepEqual(held.wrong, [], `seed ${seed}`);
    }
    t.log(`${drawn} peers drawn`);
    t.true(drawn > 500);
  },
);
