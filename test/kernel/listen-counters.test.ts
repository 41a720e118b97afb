import { readFileSync } from 'node:fs';
import test from 'ava';
import { decodeListenCounters, readListenCounters } from '#earshot/kernel/listen-counters.js';

const bytes = (text: string) => new TextEncoder().encode(text);
const range = bytes('32768\t60999\n');

test('names and numbers of TcpExt stand in the same order, and IpExt counts nothing here', (t) => {
  const text = `TcpExt: SyncookiesSent ListenOverflows ListenDrops
TcpExt: 1 22 333
IpExt: ListenOverflows
IpExt: 4444
`;
  t.deepEqual(decodeListenCounters([bytes(text), range]), {
    overflows: 22,
    drops: 333,
    pickedPorts: { from: 32768, to: 60999 },
  });
});

test('what is cut off, spoiled or refused is not told', (t) => {
  const nothing = { overflows: null, drops: null, pickedPorts: null };
  t.deepEqual(decodeListenCounters([13, 2]), nothing);
  t.deepEqual(decodeListenCounters([]), nothing);
  t.deepEqual(
    decodeListenCounters([bytes('TcpExt: ListenOverflows\n'), bytes('32768\n')]),
    nothing,
  );
  t.deepEqual(
    decodeListenCounters([bytes('TcpExt: ListenOverflows ListenDrops\nTcpExt: -1\n'), bytes('')]),
    nothing,
  );
});

test('the kernel tells them, and the range of ports as its setting has it', async (t) => {
  const { overflows, drops, pickedPorts } = await readListenCounters();
  t.true(Number.isInteger(overflows) && Number.isInteger(drops));
  t.true(drops! >= overflows!);
  const told = readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'utf8').trim().split(/\s+/);
  t.deepEqual(pickedPorts, { from: Number(told[0]), to: Number(told[1]) });
});

test('a namespace that is not there is an error that names it', async (t) => {
  await t.throwsAsync(readListenCounters({ netns: '/run/netns/nowhere' }), {
    code: 'ERR_NETNS',
    message: /nowhere/,
  });
});
