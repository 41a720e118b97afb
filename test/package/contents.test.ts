import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import test from 'ava';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';
import { repositoryRoot } from '../support/repository.js';
import { type Consumer, installPacked, released } from './consumer.js';

/* What npm delivers: all that is needed, and nothing else. */

let consumer: Consumer;
test.before(() => {
  consumer = installPacked();
});
test.after.always(() => consumer?.remove());

function filesUnder(directory: string): string[] {
  return readdirSync(join(repositoryRoot, directory), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(repositoryRoot.length + 1));
}

test.serial('exactly this is packed: types, bundles, binaries and their source', (t) => {
  const binaries = released
    ? ['x64', 'arm64'].flatMap((arch) =>
        ['glibc', 'musl'].map((libc) => `prebuilds/linux-${arch}/earshot.${libc}.node`),
      )
    : [`prebuilds/linux-${process.arch}/earshot.node`];
  const expected = [
    'CHANGELOG.md',
    'CONTRIBUTING.md',
    'LICENSE',
    'README.md',
    'binding.gyp',
    'dist/earshot.1',
    'dist/earshot.js',
    'dist/earshot.licenses.txt',
    'package.json',
    ...binaries,
    ...filesUnder('dist/bundle'),
    ...filesUnder('docs'),
    ...filesUnder('dist/types'),
    ...filesUnder('native'),
  ];
  t.deepEqual(consumer.files, expected.sort());
});

test.serial('of the types those are packed that what is public leads to', (t) => {
  const packed = consumer.files.filter((path) => /\.d\.ts$/.test(path));
  const imported = packed.flatMap((path) => {
    const text = readFileSync(join(consumer.staged, path), 'utf8');
    return [...text.matchAll(/['"](\.{1,2}\/[^'"]+)\.js['"]/g)].map(([, to = '']) =>
      join(dirname(path), `${to}.d.ts`),
    );
  });
  const faces = ['dist/types/index.d.ts', 'dist/types/reach/index.d.ts'];
  t.deepEqual([...new Set([...faces, ...imported])].sort(), packed);
  t.false(packed.some((path) => path.startsWith('dist/types/cli/')));
});

test.serial('unpacked it has less than 3 MB', (t) => {
  t.true(consumer.unpackedSize < 3_000_000, `${consumer.unpackedSize} bytes`);
});

test.serial('publint finds nothing to say', async (t) => {
  const { messages, pkg } = await publint({ pkgDir: consumer.staged, pack: 'npm', strict: true });
  t.deepEqual(
    messages.map((message) => formatMessage(message, pkg as Record<string, unknown>)),
    [],
  );
});

test.serial('what its texts link to is in the package', (t) => {
  const texts = consumer.files.filter((path) => path.endsWith('.md'));
  const links = texts.flatMap((path) => {
    const text = readFileSync(join(consumer.staged, path), 'utf8');
    return [...text.matchAll(/\]\((?!https?:|#)([^)#]+)[^)]*\)/g)].map(([, to = '']) => ({
      path,
      to,
    }));
  });
  t.true(links.length > 0);
  for (const { path, to } of links) {
    const place = join(consumer.directory, 'node_modules', 'earshot', dirname(path), to);
    t.true(existsSync(place), `${path} links to ${to}`);
  }
});

for (const file of ['types.mts', 'types.cts']) {
  test.serial(
    `the types resolve from ${file === 'types.mts' ? 'an ES' : 'a CommonJS'} module`,
    (t) => {
      writeFileSync(
        join(consumer.directory, file),
        `import { listeners, type Socket, type Verdict } from 'earshot';
       import { trace, type Flow } from 'earshot/reach';
       export const addresses: Promise<string[]> = listeners({ protocol: 'tcp' }).then((sockets) =>
         sockets.map((socket: Socket) => socket.local.address),
       );
       export const outcome = (state: Parameters<typeof trace>[0], flow: Flow): Verdict['outcome'] =>
         trace(state, flow).outcome;
       // @ts-expect-error a misspelled key is an error
       listeners({ protocl: 'tcp' });
      `,
      );
      const options = ['--noEmit', '--strict', '--module', 'nodenext', '--target', 'es2022'];
      const types = [
        '--types',
        'node',
        '--typeRoots',
        join(repositoryRoot, 'node_modules', '@types'),
      ];
      const { status, stdout } = spawnSync(
        process.execPath,
        [join(repositoryRoot, 'node_modules/typescript/bin/tsc'), ...options, ...types, file],
        { cwd: consumer.directory, encoding: 'utf8' },
      );
      t.is(stdout, '');
      t.is(status, 0);
    },
  );
}
