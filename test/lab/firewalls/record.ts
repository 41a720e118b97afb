import { mkdirSync, writeFileSync } from 'node:fs';
import { capture } from '#earshot/kernel/capture.js';
import { withLab } from '../harness.js';
import { compareWithKernel } from '../witness.js';
import { backends } from '../xtables/load.js';
import { scenes } from './scenes/all.js';
import { startFirewall } from './start.js';

/*
 * Records the firewalls that people run: the host's state, flows, and how each fared. As root, after
 * a build: `node build/test/lab/firewalls/record.js [NAME…]`; test/reach/firewalls.test.ts replays them.
 */

const directory = 'test/fixtures/firewalls';
const wanted = process.argv.slice(2);

mkdirSync(directory, { recursive: true });
for (const scene of scenes) {
  if (wanted.length > 0 && !wanted.includes(scene.name)) continue;
  for (const backend of backends) {
    await withLab(scene.host, async (lab) => {
      const running = await startFirewall(lab.host.namespace, backend, scene.start, scene.stop);
      try {
        scene.serve(lab);
        const told = await compareWithKernel(lab, scene.flows);
        const state = await capture({ netns: lab.host.namespace.path, owners: false });
        state.where.hostname = 'lab';
        const held = told.map(({ asked, result: { outcome, symptom } }) => ({
          asked,
          outcome,
          symptom,
        }));
        const name = `${scene.name}-${backend}`;
        writeFileSync(`${directory}/${name}.json`, `${JSON.stringify({ state, held })}\n`);
        console.log(`${name}: ${held.length} flows`);
      } finally {
        await running.close();
      }
    });
  }
}
