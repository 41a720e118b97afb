import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { repositoryRoot } from './repository.js';
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

test.serial('a program of a package is none of the system', (t) => {
  const path = process.env.PATH;
  t.teardown(() => {
    process.env.PATH = path;
  });
  process.env.PATH = `${join(repositoryRoot, 'node_modules/.bin')}:${path}`;
  t.not(missing('tool:ava'), null);
});

test('a requirement of its own gives its own reason', (t) => {
  t.is(missing({ name: 'moon', missing: () => 'needs a full moon' }), 'needs a full moon');
  t.is(missing({ name: 'moon', missing: () => null }), null);
});

test('root is missing for other users, and for root of a user namespace', (t) => {
  const everyone = readFileSync('/proc/self/uid_map', 'utf8').trim().split(/\s+/).join(' ');
  const first = process.getuid?.() === 0 && everyone === '0 0 4294967295';
  t.is(missing('root') === null, first);
});

/** Runs ava on a file of its own whose only test needs what is not there. */
function runUnmet(t: ExecutionContext, ci: string) {
  const directory = mkdtempSync(join(tmpdir(), 'earshot-requirements-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  const helper = join(repositoryRoot, 'build/test/support/requirements.js');
  writeFileSync(
    join(directory, 'package.json'),
    JSON.stringify({ type: 'module', ava: { files: ['*.test.js'], workerThreads: false } }),
  );
  writeFileSync(
    join(directory, 'moon.test.js'),
    `import { requires } from ${JSON.stringify(helper)};
     const moon = requires({ name: 'moon', missing: () => 'needs a full moon' });
     moon.before(() => { throw new Error('nothing is set up for what does not run'); });
     moon('the tide is high', (t) => t.fail('it ran'));
     moon.serial('the tide is low', (t) => t.fail('it ran'));`,
  );
  const list = join(directory, 'skipped.jsonl');
  const { status, stdout } = spawnSync(
    process.execPath,
    [join(repositoryRoot, 'node_modules/ava/entrypoints/cli.mjs')],
    {
      cwd: directory,
      encoding: 'utf8',
      env: { PATH: process.env.PATH, CI: ci, EARSHOT_SKIPPED_TESTS: list, NO_COLOR: '1' },
    },
  );
  const skipped = existsSync(list) ? readFileSync(list, 'utf8').trim().split('\n') : [];
  return { status, stdout, skipped: skipped.map((line) => JSON.parse(line)) };
}

test('what needs something missing is skipped, with the reason in its title and in the list', (t) => {
  const { status, stdout, skipped } = runUnmet(t, '');
  t.is(status, 0, stdout);
  t.true(stdout.includes('- [skip] the tide is high (needs a full moon)'), stdout);
  t.deepEqual(skipped, [
    { title: 'the tide is high', reason: 'needs a full moon' },
    { title: 'the tide is low', reason: 'needs a full moon' },
  ]);
});

test('with CI=true what needs something missing fails', (t) => {
  const { status, stdout, skipped } = runUnmet(t, 'true');
  t.is(status, 1);
  t.true(stdout.includes('2 tests failed'), stdout);
  t.true(stdout.includes('CI=true, and this test needs a full moon'), stdout);
  t.deepEqual(skipped, []);
});
