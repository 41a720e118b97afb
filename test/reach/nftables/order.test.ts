import test from 'ava';
import { factorial, permutation } from '#earshot/reach/nftables/order.js';

test('every order of so many things comes once, the given one first', (t) => {
  const things = ['a', 'b', 'c', 'd'];
  const orders = Array.from({ length: factorial(4) }, (_, place) => permutation(things, place));
  t.deepEqual(orders[0], things);
  t.is(new Set(orders.map((order) => order.join(''))).size, 24);
  for (const order of orders) t.deepEqual([...order].sort(), things);
});
