import test from 'ava';
import {
  aboutRemovedDefault,
  rulesAreAsked,
  tablesAreApart,
} from '#earshot/kernel/custom-rules.js';
import { route, rule } from '../reach/support/state.js';

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
    tablesAreApart(statistics({ 'Id 100': 1, Main: 3, Local: 3 }), [local, main, main, other]),
    false,
  );
});

test('tables that count their own routes are apart, also where they have as many', (t) => {
  t.is(tablesAreApart(statistics({ Main: 1, Local: 1 }), [local, main]), true);
  t.is(tablesAreApart(statistics({ 'Id 100': 1, Main: 0, Local: 1 }), [local, other]), true);
  t.is(tablesAreApart(statistics({ Local: 1 }), [local]), true);
});

test('counts of another moment, a file that is not there and a host without routes tell nothing', (t) => {
  t.is(tablesAreApart(statistics({ Main: 4, Local: 4 }), [local, main]), null);
  t.is(tablesAreApart(2, [local, main]), null);
  t.is(tablesAreApart(undefined, [local]), null);
  t.is(tablesAreApart(statistics({}), [other]), null);
});

test('routes of IPv6 are not counted', (t) => {
  const ipv6 = route('2001:db8::/32', { table: 254 });
  t.is(tablesAreApart(statistics({ Main: 2, Local: 2 }), [local, main, ipv6]), false);
});

const local6 = route('2001:db8::1/128', { table: 255, type: 'local' });
const asksLocal = rule(0, { family: 'ipv6', table: 255 });
const asksMain = rule(32766, { family: 'ipv6', table: 254 });

test('IPv6 is asked about a route of the table whose rule is gone, and only then', (t) => {
  const routes = [local, main, local6];
  t.is(aboutRemovedDefault([asksMain], routes)?.table, 255);
  t.is(aboutRemovedDefault([asksMain], routes)?.destinations.length, 1);
  t.is(aboutRemovedDefault([asksMain], [local, main]), null);
  t.is(aboutRemovedDefault([asksLocal, asksMain], routes), null);
  t.is(aboutRemovedDefault([{ ...asksMain, from: '2001:db8::/32' }], routes), null);
});

test('a route of the table whose rule is gone tells that rules are not asked; refusals tell that they are', (t) => {
  const refused = { errno: 101, detail: '' };
  t.is(rulesAreAsked(255, [refused, answerFrom(255)]), false);
  t.is(rulesAreAsked(255, [refused, answerFrom(254)]), true);
  t.is(rulesAreAsked(255, [refused]), true);
});

/** An RTM_NEWROUTE with the table in its header alone. */
function answerFrom(table: number): Uint8Array {
  const bytes = new Uint8Array(16 + 12);
  new Uint16Array(bytes.buffer).set([bytes.length, 0, 24]);
  bytes.set([10, 128, 0, 0, table], 16);
  return bytes;
}
