import test from 'ava';
import { MOST_PLACES, Places } from '#earshot/cli/exporter/places.js';
import type { Socket } from '#earshot/model/socket.js';
import { listener } from './support.js';

const picked = { from: 32768, to: 60999 };
const host = () => 'host' as const;
const portsOf = (choice: ReturnType<Places['choose']>) =>
  choice.shown.map(({ labels }) => labels.port);

test('of 10,000 listeners the widest open have series, and the rest are counted', (t) => {
  const listeners = Array.from({ length: 10_000 }, (_, at) => listener(at + 1));
  const scopeOf = ({ local }: Socket) => (local.port > 9_990 ? 'routed' : 'host');
  const choice = new Places().choose(listeners, scopeOf, null, 0);
  t.is(choice.shown.length, MOST_PLACES);
  t.deepEqual(choice.omitted, { limit: 10_000 - MOST_PLACES, young: 0 });
  t.deepEqual(
    portsOf(choice)
      .slice(0, 10)
      .sort((one, other) => one - other),
    [9991, 9992, 9993, 9994, 9995, 9996, 9997, 9998, 9999, 10_000],
  );
});

test('which are chosen does not depend on the order of the kernel', (t) => {
  const listeners = Array.from({ length: 3000 }, (_, at) => listener(at + 1));
  const one = new Places().choose(listeners, host, null, 0);
  const other = new Places().choose([...listeners].reverse(), host, null, 0);
  t.deepEqual(portsOf(one), portsOf(other));
});

test('a port that the kernel picked has series when it has been held for a minute', (t) => {
  const places = new Places();
  const old = listener(40_000);
  const fixed = listener(8080);
  t.deepEqual(portsOf(places.choose([old], host, picked, 0)), [40_000]); // there at the first look
  const later = [old, fixed, listener(50_000)];
  const young = places.choose(later, host, picked, 1000);
  t.deepEqual(portsOf(young).sort(), [40_000, 8080].sort());
  t.deepEqual(young.omitted, { limit: 0, young: 1 });
  const settled = places.choose(later, host, picked, 61_000);
  t.deepEqual(settled.omitted, { limit: 0, young: 0 });
  places.choose([old], host, picked, 62_000); // it goes, and another has its port
  t.is(places.choose(later, host, picked, 63_000).omitted.young, 1);
});

test('workers of one port are one place, with the queue that is fullest for its size', (t) => {
  const [place, ...more] = new Places().choose(
    [
      listener(80, { backlog: { length: 10, limit: 1000 } }),
      listener(80, { backlog: { length: 9, limit: 10 } }),
      listener(80, { backlog: { length: 0, limit: 0 } }),
    ],
    host,
    null,
    0,
  ).shown;
  t.is(more.length, 0);
  t.is(place!.sockets, 3);
  t.deepEqual(place!.queue, { length: 9, limit: 10 });
});

test('the programs of a place are told by name, once and in order, and four at most', (t) => {
  const owners = ['nginx', 'systemd', 'nginx', 'a', 'b', 'c'].map((name, pid) => ({
    ...{ pid, fd: 3, name },
    ...{ command: [name], uid: 0 },
  }));
  const nameOf = (own: typeof owners) =>
    new Places().choose([listener(80, { owners: own })], host, null, 0).shown[0]!.process;
  t.is(nameOf(owners.slice(0, 3)), 'nginx, systemd');
  t.is(nameOf(owners), 'a, b, c, nginx, and 1 more');
  t.is(nameOf([]), '');
});

test('a UDP socket has no accept queue, and an interface is told', (t) => {
  const [place] = new Places().choose(
    [listener(53, { protocol: 'udp', backlog: null, boundInterface: 'eth0' })],
    host,
    null,
    0,
  ).shown;
  t.is(place!.queue, null);
  t.is(place!.labels.interface, 'eth0');
});
