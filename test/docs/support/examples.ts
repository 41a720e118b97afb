import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import test from 'ava';
import { repositoryRoot } from '../../support/repository.js';

/** A document of the repository, by its path. */
export function document(path: string): string {
  return readFileSync(join(repositoryRoot, path), 'utf8');
}

/**
 * A test for each `js` block of a document: it runs as it stands, for inside the repository 'earshot'
 * is the package itself, and prints something.
 */
export function testExamples(path: string, atLeast: number): void {
  const examples = [...document(path).matchAll(/^```js\n(.*?)^```$/gms)].map(
    ([, text = '']) => text,
  );
  test(`${path} has examples`, (t) => {
    t.true(examples.length >= atLeast);
  });
  for (const [index, text] of examples.entries()) {
    test(`example ${index + 1} of ${path} runs`, (t) => {
      const directory = join(repositoryRoot, 'build', 'examples');
      mkdirSync(directory, { recursive: true });
      const file = join(directory, `${basename(path, '.md')}-${index + 1}.mjs`);
      writeFileSync(file, text);
      const { status, stdout, stderr } = spawnSync(process.execPath, [file], {
        cwd: directory,
        encoding: 'utf8',
        timeout: 60_000,
      });
      t.is(stderr, '');
      t.is(status, 0);
      t.not(stdout, '');
    });
  }
}
