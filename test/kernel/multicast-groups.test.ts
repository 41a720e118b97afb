import test from 'ava';
import { decodeIgmp, decodeIgmp6, joinGroups } from '#earshot/kernel/multicast-groups.js';
import type { Interface } from '#earshot/model/interface.js';

const igmp = `Idx\tDevice    : Count Querier\tGroup    Users Timer\tReporter
1\tlo        :     1      V3
\t\t\t\t010000E0     1 0:00000000\t\t0
12\teth0      :     2      V3
\t\t\t\t030201EF     1 1:00000012\t\t1
\t\t\t\t010000E0     1 0:00000000\t\t0
`;
const igmp6 = `1    lo              ff020000000000000000000000000001     1 0000000C 0
12   eth0            ff0200000000000000000001ff000010     1 00000004 0
`;
const bytes = (text: string) => new TextEncoder().encode(text);

test('/proc/net/igmp has addresses as words of the machine', (t) => {
  const groups = [
    [1, '224.0.0.1'],
    [12, '239.1.2.3'],
    [12, '224.0.0.1'],
  ];
  t.deepEqual(decodeIgmp(igmp, true), groups as [number, string][]);
  const bigEndian = igmp.replaceAll('010000E0', 'E0000001').replace('030201EF', 'EF010203');
  t.deepEqual(decodeIgmp(bigEndian, false), groups as [number, string][]);
});

test('/proc/net/igmp6 has addresses as bytes', (t) => {
  t.deepEqual(decodeIgmp6(igmp6), [
    [1, 'ff02::1'],
    [12, 'ff02::1:ff00:10'],
  ]);
});

test('lines that are not of the form are no groups', (t) => {
  t.deepEqual(decodeIgmp('\t\t\t\tnonsense\n1 lo\n\t\t\t\t0100E0 1', true), []);
  t.deepEqual(decodeIgmp6('x lo ff02\n1 lo ff02 1'), []);
});

test('groups go to their interfaces; without IPv6 there are those of IPv4; what was refused is not told', (t) => {
  const ENOENT = 2;
  const EACCES = 13;
  const links = () => [{ index: 1 }, { index: 12 }, { index: 13 }] as Interface[];
  const joined = (...contents: (Uint8Array | number)[]) => {
    const interfaces = links();
    joinGroups(interfaces, contents, true);
    return interfaces.map(({ groups }) => groups);
  };
  t.deepEqual(joined(bytes(igmp), bytes(igmp6)), [
    ['224.0.0.1', 'ff02::1'],
    ['239.1.2.3', '224.0.0.1', 'ff02::1:ff00:10'],
    [],
  ]);
  t.deepEqual(joined(bytes(igmp), ENOENT), [['224.0.0.1'], ['239.1.2.3', '224.0.0.1'], []]);
  t.deepEqual(joined(EACCES, bytes(igmp6)), [undefined, undefined, undefined]);
});
