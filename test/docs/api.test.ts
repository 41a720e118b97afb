import test from 'ava';
import { runScript } from './support/script.js';

test('every public symbol is documented, and every function has an example', async (t) => {
  t.timeout(300_000, 'TypeDoc may have to be installed');
  const { status, output } = await runScript('scripts/docs/api.mjs', ['--check']);
  t.is(status, 0, output);
});
