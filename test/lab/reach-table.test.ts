import { withLab } from './harness.js';
import { labTest } from './lab-test.js';
import { both, everyFlow, LAN4, LAN6, routed } from './networks.js';
import type { ListenerSpec } from './sockets.js';
import { holdAgainstKernel } from './witness.js';

const test = labTest();

const clients = ['host', 'neighbour', 'remote'];
const PORT = 3000;

/** Who gets an answer, by the address asked; who is not named gets none. */
type Reached = Record<string, string[]>;

const everybody = clients;
const itself = ['host'];

const servers: [title: string, spec: Omit<ListenerSpec, 'protocol' | 'port'>, Reached][] = [
  ['127.0.0.1 is reached by this host alone', { address: '127.0.0.1' }, { '127.0.0.1': itself }],
  ['::1 is reached by this host alone', { address: '::1' }, { '::1': itself }],
  ['the IPv4 LAN address is reached there by all', { address: LAN4 }, { [LAN4]: everybody }],
  ['the IPv6 LAN address is reached there by all', { address: LAN6 }, { [LAN6]: everybody }],
  [
    '0.0.0.0 is reached at every IPv4 address',
    { address: '0.0.0.0' },
    { '127.0.0.1': itself, [LAN4]: everybody },
  ],
  [
    ':: is reached at every address of both families',
    { address: '::', v6only: false },
    { '127.0.0.1': itself, [LAN4]: everybody, '::1': itself, [LAN6]: everybody },
  ],
  [
    ':: with v6only is reached at every IPv6 address',
    { address: '::', v6only: true },
    { '::1': itself, [LAN6]: everybody },
  ],
  [
    '0.0.0.0 bound to a device is reached at the addresses of that device, by this host too',
    { address: '0.0.0.0', device: 'eth0' },
    { [LAN4]: everybody },
  ],
  [
    ':: bound to a device is reached at the addresses of that device, by this host too',
    { address: '::', v6only: false, device: 'eth0' },
    { [LAN4]: everybody, [LAN6]: everybody },
  ],
  [
    '0.0.0.0 bound to lo is reached by this host at loopback addresses',
    { address: '0.0.0.0', device: 'lo' },
    { '127.0.0.1': itself },
  ],
];

for (const [title, spec, reached] of servers) {
  test(`a server on ${title}`, async (t) => {
    await withLab(routed, async (lab) => {
      lab.listen(both({ ...spec, port: PORT }));
      const flows = everyFlow(clients, ['127.0.0.1', LAN4, '::1', LAN6], PORT);
      const compared = await holdAgainstKernel(lab, flows);
      for (const { flow, result, verdict } of compared) {
        const { from, protocol, destination } = flow;
        const expected = reached[destination.address]?.includes(from) ?? false;
        const asked = `${from} asks ${destination.address} by ${protocol}`;
        t.is(result.outcome, expected ? 'reachable' : 'unreachable', asked);
        t.not(verdict.outcome, 'unknown', asked);
      }
    });
  });
}
