import test from 'ava';
import { Holders } from '#earshot/cli/exporter/holders.js';
import type { Socket } from '#earshot/model/socket.js';
import { listener } from './support.js';

/** Reads these, and keeps whether each time with processes. */
function reader(sockets: Socket[]) {
  const asked: boolean[] = [];
  const read = async (owners: boolean) => {
    asked.push(owners);
    return sockets.map((socket) => (owners ? socket : { ...socket, owners: undefined }) as Socket);
  };
  return { asked, read };
}

test('processes are looked for once for listeners that stay, and again after a minute', async (t) => {
  const holders = new Holders();
  const { asked, read } = reader([listener(80), listener(81)]);
  const first = await holders.listeners(read, 0);
  t.deepEqual(await holders.listeners(read, 59_999), first);
  t.deepEqual(asked, [true, false]);
  await holders.listeners(read, 60_000);
  t.deepEqual(asked, [true, false, true]);
});

test('a listener that is new has them looked for, though its port was known', async (t) => {
  const holders = new Holders();
  await holders.listeners(reader([listener(80)]).read, 0);
  const { asked, read } = reader([listener(80, { cookie: 'another' })]);
  await holders.listeners(read, 1000);
  t.deepEqual(asked, [false, true]);
});

test('one that has gone takes nothing with it', async (t) => {
  const holders = new Holders();
  await holders.listeners(reader([listener(80), listener(81)]).read, 0);
  const { asked, read } = reader([listener(81)]);
  const [left] = await holders.listeners(read, 1000);
  t.deepEqual(asked, [false]);
  t.is(left!.owners![0]!.name, 'server');
});

test('without cookies nothing tells a socket from the next: they are looked for each time', async (t) => {
  const holders = new Holders();
  const { asked, read } = reader([listener(80, { cookie: null })]);
  await holders.listeners(read, 0);
  await holders.listeners(read, 1000);
  t.deepEqual(asked, [true, false, true]);
});
