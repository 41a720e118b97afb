import test from 'ava';
import { mergedTables } from '#earshot/kernel/merged-tables.js';
import { route } from '../reach/support/state.js';

/** /proc/net/fib_triestat with so many routes in each table, as far as it is read. */
function statistics(prefixes: Record<string, number>): Uint8Array {
  const sections = Object.entries(prefixes).map(
    ([table, count]) =>
      `${table}:\n\tAver depth:     1.66\n\tMax depth:      2\n\tLeaves:         3\n\tPrefixes:       ${count}\n\tInternal nodes: 2\n`,
  );
  const head = 'Basic info: size of leaf: 48 bytes, size of tnode: 40 bytes.\n';
  return new TextEncoder().encode(head + sections.join(''));
}

const local = route('127.0.0.1/32', { table: 255, type: 'local' });
const main = route('10.0.0.0/8', { table: 254 });
const other = route('10.0.0.0/8', { table: 100 });

test('tables that each count the routes of both are one', (t) => {
  t.is(
    mergedTables(statistics({ 'Id 100': 1, Main: 3, Local: 3 }), [local, main, main, other]),
    true,
  );
});

test('tables that count their own routes are apart, also where they have as many', (t) => {
  t.is(mergedTables(statistics({ Main: 1, Local: 1 }), [local, main]), false);
  t.is(mergedTables(statistics({ 'Id 100': 1, Main: 0, Local: 1 }), [local, other]), false);
  t.is(mergedTables(statistics({ Local: 1 }), [local]), false);
});

test('counts of another moment, a file that is not there and a host without routes tell nothing', (t) => {
  t.is(mergedTables(statistics({ Main: 4, Local: 4 }), [local, main]), null);
  t.is(mergedTables(2, [local, main]), null);
  t.is(mergedTables(undefined, [local]), null);
  t.is(mergedTables(statistics({}), [other]), null);
});

test('routes of IPv6 are not counted', (t) => {
  const ipv6 = route('2001:db8::/32', { table: 254 });
  t.is(mergedTables(statistics({ Main: 2, Local: 2 }), [local, main, ipv6]), true);
});
