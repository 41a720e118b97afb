import { Random } from '../random/random.js';
import { count1, holdBinds } from './hold.js';
import { buildWorld } from './world.js';

/*
 * node build/test/lab/bind/run.js --seeds 1-200 [--binds 100]: real bind() and listen() calls, in
 * namespaces full of random sockets, against what earshot says of captures. Prints what differs, and
 * the sums at the end; ends with 1 where anything does.
 */

const option = (name: string) => process.argv[process.argv.indexOf(name) + 1] ?? '';
const range = /^(\d+)-(\d+)$/.exec(process.argv.includes('--seeds') ? option('--seeds') : '1-20');
if (!range) throw new Error(`--seeds ${option('--seeds')}: give a range, as 1-200`);
const binds = Number(process.argv.includes('--binds') ? option('--binds') : 100);
const answers = new Map<string, number>();
const unknown = new Map<string, number>();
let [tried, wrong] = [0, 0];
for (let seed = Number(range[1]); seed <= Number(range[2]); seed++) {
  const random = new Random(seed);
  const world = await buildWorld(random);
  try {
    const held = await holdBinds(world, random, binds);
    tried += held.tried;
    wrong += held.disagreements.length;
    for (const [name, count] of held.answers) count1(answers, name, count);
    for (const [name, count] of held.unknown) count1(unknown, name, count);
    for (const one of held.disagreements.slice(0, Number(process.env.SHOW ?? 2)))
      console.log(`seed ${seed}:`, JSON.stringify(one, null, 1));
  } finally {
    world.close();
  }
}
console.log({ tried, wrong });
console.log('the kernel said', Object.fromEntries([...answers].sort()));
console.log('left unknown', Object.fromEntries([...unknown].sort()));
process.exitCode = wrong > 0 ? 1 : 0;
