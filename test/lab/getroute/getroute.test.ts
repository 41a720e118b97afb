import { requires } from '../../support/requirements.js';
import { whyNoLab } from '../privilege.js';
import { Random } from '../random/random.js';
import { holdNetwork } from './hold.js';
import { buildNetwork } from './network.js';

const lab = requires({ name: 'a lab', missing: whyNoLab }, 'tool:ip');

/** Seeds that are always asked, and as many that are new each time. */
const fixed = 10;
const fresh = 10;
const questions = 250;

lab('the kernel answers 5,000 random routing questions as earshot does', async (t) => {
  t.timeout(60_000);
  const first = Math.floor(Math.random() * 1_000_000) + 1_000;
  t.log(`seeds 1 to ${fixed}, and ${first} to ${first + fresh - 1}`);
  const seeds = Array.from({ length: fixed + fresh }, (_, index) =>
    index < fixed ? index + 1 : first + index - fixed,
  );
  const answers = new Map<string, number>();
  const unknown = { fixed: 0, fresh: 0 };
  for (const seed of seeds) {
    const random = new Random(seed);
    const network = await buildNetwork(random);
    try {
      const held = await holdNetwork(network, random, questions);
      t.deepEqual(held.disagreements.slice(0, 3), [], `seed ${seed}`);
      for (const [name, count] of held.answers) answers.set(name, (answers.get(name) ?? 0) + count);
      unknown[seed <= fixed ? 'fixed' : 'fresh'] += held.unknown;
    } finally {
      network.namespace.close();
    }
  }
  t.log(Object.fromEntries([...answers].sort()));
  // What a hash of the flow decides is left open; one host of many such routes has several of them.
  t.true(unknown.fixed <= fixed * questions * 0.001, `${unknown.fixed} are left unknown`);
  t.true(
    unknown.fresh <= fresh * questions * 0.01,
    `${unknown.fresh} of new seeds are left unknown`,
  );
  // A witness that refuses everything would agree with much.
  for (const name of ['ipv4 in local', 'ipv4 in unicast', 'ipv4 in EINVAL', 'ipv4 out unicast'])
    t.true((answers.get(name) ?? 0) > 50, name);
  for (const name of ['ipv6 in local', 'ipv6 in unicast', 'ipv6 out local', 'ipv6 out unicast'])
    t.true((answers.get(name) ?? 0) > 50, name);
});
