import { labTest } from '../lab-test.js';
import { iptablesTools } from '../xtables/load.js';
import { connectPeers } from './connect-peers.js';
import { generate } from './generate.js';
import { holdScenario } from './hold.js';
import { holdExposure } from './hold-exposure.js';
import { Random } from './random.js';
import { families } from './scenario.js';

const lab = labTest(iptablesTools);

for (const family of ['nftables', 'iptables'] as const) {
  lab(
    `every peer of a set of an exposure fares as the set says, on random hosts with random rules of ${family}`,
    async (t) => {
      t.timeout(120_000);
      const day = Math.floor(Date.now() / 1000);
      const numbers = [1, 2, 3, 4, day, day + 1];
      const seeds = numbers.map((number) => number * families.length + families.indexOf(family));
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
}

for (const family of ['nftables', 'iptables'] as const) {
  lab(
    `peers drawn from sets of an exposure really fare as the set says, behind random rules of ${family}`,
    async (t) => {
      t.timeout(120_000);
      const day = Math.floor(Date.now() / 1000);
      const seeds = [1, 2, day].map(
        (number) => number * families.length + families.indexOf(family),
      );
      t.log(`seeds: ${seeds.join(' ')}`);
      let drawn = 0;
      for (const seed of seeds) {
        const connected = await connectPeers(generate(seed, 0), new Random(seed));
        drawn += connected.drawn;
        t.deepEqual(connected.wrong, [], `seed ${seed}`);
      }
      t.log(`${drawn} peers connected`);
      t.true(drawn > 100);
    },
  );
}
