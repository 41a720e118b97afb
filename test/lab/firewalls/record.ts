import { mkdirSync, writeFileSync } from 'node:fs';
import { capture } from '#earshot/kernel/capture.js';
import type { LabFlow } from '../harness.js';
import { withLab } from '../harness.js';
import type { HostDescription } from '../topology.js';
import { compareWithKernel } from '../witness.js';
import { backends } from '../xtables/load.js';
import { docker, stopDocker, ufw } from './scripts.js';
import { startFirewall } from './start.js';

/*
 * Records the firewalls that people run: the host's state, flows, and how each fared. As root, after
 * a build: `node build/test/lab/firewalls/record.js`; test/reach/firewalls.test.ts replays them.
 */

const directory = 'test/fixtures/firewalls';
const lan: HostDescription = {
  interfaces: {
    eth0: {
      addresses: ['192.0.2.1/24', '2001:db8::1/64'],
      peers: { neighbour: { addresses: ['192.0.2.10/24', '2001:db8::10/64'] } },
    },
  },
};
const ports = [9000, 9001, 9002, 9003, 9004];
const transports = ['tcp', 'udp'] as const;
const servers = ports.flatMap((port) =>
  transports.flatMap((protocol) => [
    { protocol, address: '0.0.0.0', port },
    { protocol, address: '::', port, v6only: true },
  ]),
);
const flows = ports.flatMap((port) =>
  transports.flatMap((protocol) =>
    ['192.0.2.1', '2001:db8::1'].flatMap((address): LabFlow[] =>
      ['neighbour', 'host'].map((from) => ({ from, protocol, destination: { address, port } })),
    ),
  ),
);

mkdirSync(directory, { recursive: true });
for (const backend of backends) {
  await record(`ufw-${backend}`, ufw, '');
  await record(`ufw-docker-${backend}`, `${ufw}${docker}`, stopDocker);

  async function record(name: string, script: string, stop: string): Promise<void> {
    await withLab(lan, async (lab) => {
      const running = await startFirewall(lab.host.namespace, backend, script, stop);
      try {
        lab.listen(servers);
        const told = await compareWithKernel(lab, flows);
        const state = await capture({ netns: lab.host.namespace.path, owners: false });
        state.where.hostname = 'lab';
        const held = told.map(({ asked, result: { outcome, symptom } }) => ({
          asked,
          outcome,
          symptom,
        }));
        writeFileSync(`${directory}/${name}.json`, `${JSON.stringify({ state, held })}\n`);
        console.log(`${name}: ${held.length} flows`);
      } finally {
        await running.close();
      }
    });
  }
}
