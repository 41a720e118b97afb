import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import test from 'ava';
import { repositoryRoot } from '../support/repository.js';

/* What prebuild:check asks of each binary, asked of the one just built: the two go together. */

test('the addon answers all that a binary is asked before it is released', (t) => {
  const paths = [
    'scripts/prebuild/check/probe.cjs',
    'build/Release/earshot.node',
    'test/fixtures/sock_diag',
  ].map((path) => join(repositoryRoot, path));
  const { status, stdout, stderr } = spawnSync(process.execPath, paths, { encoding: 'utf8' });
  t.is(stderr, '');
  const results = Object.entries<string>(JSON.parse(stdout));
  t.true(results.length > 5);
  t.deepEqual(
    results.filter(([, result]) => result !== 'ok'),
    [],
  );
  t.is(status, 0);
});
