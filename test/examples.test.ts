import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test, { type ExecutionContext } from 'ava';
import * as library from '#earshot/index.js';
import * as reach from '#earshot/reach/index.js';
import { repositoryRoot } from './support/repository.js';
import { requires } from './support/requirements.js';

/* What is public is documented, and the examples in its comments run as they stand. */

const lib = join(repositoryRoot, 'lib');
const directory = join(repositoryRoot, 'build', 'examples');
const source = readdirSync(lib, { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.ts'))
  .map((file) => readFileSync(join(lib, file), 'utf8'));

/** Comments by the name of what they stand on; types and values of one name keep the first. */
const comments = new Map<string, string>();
const declaration =
  /\/\*\*((?:(?!\*\/)[\s\S])*)\*\/\nexport (?:async )?(?:function|class|const|interface|type) (\w+)/g;
for (const text of source) {
  for (const [, comment = '', name = ''] of text.matchAll(declaration)) {
    if (!comments.has(name)) comments.set(name, comment);
  }
}

/** Every name that an index file gives away. */
function namesGivenBy(index: string): string[] {
  const text = readFileSync(join(lib, index), 'utf8');
  return [...text.matchAll(/export (?:type )?\{([^}]*)\}/g)].flatMap(([, list = '']) =>
    list
      .split(',')
      .map((name) => name.replace(/^\s*type\s+/, '').trim())
      .filter((name) => name !== ''),
  );
}

const publicNames = [...new Set(['index.ts', 'reach/index.ts'].flatMap(namesGivenBy))];
const functions = Object.entries({ ...library, ...reach })
  .filter(([, value]) => typeof value === 'function')
  .map(([name]) => name);

test('everything public has a comment that says what it is', (t) => {
  t.true(publicNames.length > functions.length);
  t.deepEqual(
    publicNames.filter((name) => !comments.get(name)?.trim()),
    [],
  );
});

/** The text of the example in a comment; empty where there is none. */
function exampleOf(name: string): string {
  const block = /@example\n \* ```js\n([\s\S]*?) \* ```/.exec(comments.get(name) ?? '');
  return (block?.[1] ?? '').replace(/^ \* ?/gm, '');
}

function succeeds(t: ExecutionContext, file: string, input?: string) {
  const { status, stderr } = spawnSync(process.execPath, [file], {
    cwd: directory,
    encoding: 'utf8',
    timeout: 30_000,
    ...(input === undefined ? {} : { input }),
  });
  t.is(stderr, '');
  t.is(status, 0);
}

const examples = [...new Set([...functions, 'SocketTable'])].map(
  (name) => [name, exampleOf(name)] as const,
);

for (const [name, text] of examples) {
  test(`the example of ${name} uses it, and runs`, (t) => {
    t.regex(text, /from 'earshot'/);
    t.true(name === 'SocketTable' || new RegExp(`import \\{[^}]*\\b${name}\\b`).test(text));
    mkdirSync(directory, { recursive: true });
    const file = join(directory, `${name}.mjs`);
    writeFileSync(file, text);
    succeeds(t, file);
  });
}

requires('root')('the examples run without privileges', (t) => {
  mkdirSync(directory, { recursive: true });
  const script = fileURLToPath(new URL('support/run-as-nobody.js', import.meta.url));
  succeeds(t, script, JSON.stringify(Object.fromEntries(examples)));
});
