import test from 'ava';
import { missing } from './requirements.js';

test('a program that is on the path is not missing', (t) => {
  t.is(missing('tool:sh'), null);
});

test('a program that is not installed is named in the reason', (t) => {
  t.is(
    missing('tool:no-such-program'),
    'needs the program no-such-program, which is not installed',
  );
});

test('a requirement of its own gives its own reason', (t) => {
  t.is(missing({ name: 'moon', missing: () => 'needs a full moon' }), 'needs a full moon');
  t.is(missing({ name: 'moon', missing: () => null }), null);
});

test('root is missing exactly for other users', (t) => {
  t.is(missing('root') === null, process.getuid?.() === 0);
});
