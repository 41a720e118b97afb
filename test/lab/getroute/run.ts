import { Random } from '../random/random.js';
import { holdNetwork } from './hold.js';
import { buildNetwork } from './network.js';

/*
 * node build/test/lab/getroute/run.js --seeds 1-100 [--questions 1000]: the kernel's own answers to
 * routing questions against earshot's. Prints what differs, and the sums at the end; ends with 1
 * where anything does.
 */

const option = (name: string) => process.argv[process.argv.indexOf(name) + 1] ?? '';
const range = /^(\d+)-(\d+)$/.exec(process.argv.includes('--seeds') ? option('--seeds') : '1-20');
if (!range) throw new Error(`--seeds ${option('--seeds')}: give a range, as 1-100`);
const questions = Number(process.argv.includes('--questions') ? option('--questions') : 1000);
const answers = new Map<string, number>();
let [asked, unknown, wrong] = [0, 0, 0];
for (let seed = Number(range[1]); seed <= Number(range[2]); seed++) {
  const random = new Random(seed);
  const network = await buildNetwork(random);
  const held = await holdNetwork(network, random, questions);
  network.namespace.close();
  asked += held.asked;
  unknown += held.unknown;
  for (const [name, count] of held.answers) answers.set(name, (answers.get(name) ?? 0) + count);
  wrong += held.disagreements.length;
  for (const one of held.disagreements.slice(0, Number(process.env.SHOW ?? 2)))
    console.log(`seed ${seed}:`, JSON.stringify(one));
}
console.log({ asked, unknown, wrong }, Object.fromEntries([...answers].sort()));
process.exitCode = wrong > 0 ? 1 : 0;
