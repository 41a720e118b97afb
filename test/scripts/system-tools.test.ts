import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import test from 'ava';
import { repositoryRoot } from '../support/repository.js';

test('a program of a package does not pass for one of the system', (t) => {
  const { stdout, stderr } = spawnSync(
    process.execPath,
    [
      '--input-type=module',
      '--eval',
      `import { isInstalled, searchPath } from ${JSON.stringify(join(repositoryRoot, 'scripts/system-tools.mjs'))};
       console.log(JSON.stringify([isInstalled('ava'), isInstalled('sh'), searchPath.includes('/usr/sbin')]));`,
    ],
    {
      encoding: 'utf8',
      env: { PATH: `${join(repositoryRoot, 'node_modules/.bin')}:${process.env.PATH}` },
    },
  );
  t.deepEqual(JSON.parse(stdout || 'null'), [false, true, true], stderr);
});
