import { setImmediate } from 'node:timers/promises';
import test from 'ava';
import { Turns } from '#earshot/kernel/turns.js';

test('so many reads are under way at a time, first come, first served', async (t) => {
  const turns = new Turns(2);
  const events: string[] = [];
  let underWay = 0;
  const read = (name: string) => async (): Promise<string> => {
    events.push(name);
    underWay++;
    t.true(underWay <= 2);
    await setImmediate();
    underWay--;
    return name;
  };
  const names = ['a', 'b', 'c', 'd', 'e'];
  t.deepEqual(await Promise.all(names.map((name) => turns.take(read(name)))), names);
  t.deepEqual(events, names);
});

test('a read that fails gives its turn to the next', async (t) => {
  const turns = new Turns(1);
  const failing = turns.take(() => Promise.reject(new Error('no')));
  const throwing = turns.take(() => {
    throw new Error('at once');
  });
  const next = turns.take(async () => 'read');
  await t.throwsAsync(failing, { message: 'no' });
  await t.throwsAsync(throwing, { message: 'at once' });
  t.is(await next, 'read');
  t.is(await turns.take(async () => 'and again'), 'and again');
});
