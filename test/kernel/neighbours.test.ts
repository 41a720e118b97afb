import test from 'ava';
import { capture } from '#earshot/kernel/capture.js';
import { decodeNeighbours } from '#earshot/kernel/neighbours.js';
import { requires } from '../support/requirements.js';
import { namespaceFor } from './support/namespace.js';
import { join, Wire } from './support/wire.js';

const wire = new Wire(false);

/** An RTM_NEWNEIGH of eth0, which has index 2. */
const neighbour = (state: number, address: Uint8Array | null, family = 2): Uint8Array =>
  wire.message(
    28,
    join([Uint8Array.of(family, 0, 0, 0), wire.word(2), wire.half(state), Uint8Array.of(0, 1)]),
    address ? [[1, address]] : [],
  );

test('a neighbour is one whose link-layer address is known: neither who is being asked for nor who failed', (t) => {
  const states = [0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80];
  const bytes = join(states.map((state) => neighbour(state, Uint8Array.of(10, 0, 0, state))));
  t.deepEqual(
    [...decodeNeighbours(bytes, false)],
    [
      [
        2,
        {
          neighbours: ['10.0.0.2', '10.0.0.4', '10.0.0.8', '10.0.0.16', '10.0.0.64', '10.0.0.128'],
          permanentNeighbours: ['10.0.0.128'],
          ipv6Neighbours: { permanent: [], learned: [] },
        },
      ],
    ],
  );
});

test('neighbours of IPv6 are those written down for good, and those learned; groups are none', (t) => {
  const states = [0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80];
  const address = (last: number) => Uint8Array.of(0xfd, ...new Uint8Array(14), last);
  const bytes = join(states.map((state) => neighbour(state, address(state), 10)));
  t.deepEqual(decodeNeighbours(bytes, false).get(2), {
    neighbours: [],
    permanentNeighbours: [],
    ipv6Neighbours: {
      permanent: ['fd00::80'],
      learned: ['fd00::2', 'fd00::4', 'fd00::8', 'fd00::10'],
    },
  });
});

test('a neighbour without an address is refused; what a bridge has learned is none', (t) => {
  t.is(decodeNeighbours(neighbour(0x80, null, 7), false).size, 0);
  t.throws(() => decodeNeighbours(neighbour(0x80, null), false), {
    code: 'ERR_KERNEL',
    message: /a neighbour without an address/,
  });
});

requires('root', 'tool:ip')('a capture knows the neighbours that ip(8) knows', async (t) => {
  const here = namespaceFor(t);
  here.run('ip', 'link', 'add', 'a0', 'type', 'veth', 'peer', 'name', 'b0');
  here.run('ip', 'link', 'set', 'a0', 'up');
  here.run('ip', 'address', 'add', '192.0.2.1/24', 'dev', 'a0');
  const add = (address: string, state: string) =>
    here.run(
      'ip',
      'neigh',
      'add',
      address,
      'lladdr',
      '02:00:00:00:00:09',
      'dev',
      'a0',
      'nud',
      state,
    );
  add('192.0.2.7', 'permanent');
  add('192.0.2.8', 'stale');
  add('192.0.2.9', 'failed');
  const { interfaces } = await capture({ netns: here.path });
  t.deepEqual(interfaces.find(({ name }) => name === 'a0')?.neighbours?.sort(), [
    '192.0.2.7',
    '192.0.2.8',
  ]);
  t.deepEqual(interfaces.find(({ name }) => name === 'lo')?.neighbours, []);
});
