import { spawnSync } from 'node:child_process';
import { readdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';
import { repositoryRoot } from '../support/repository.js';
import { requires } from '../support/requirements.js';
import { type Consumer, installPacked } from './consumer.js';
import { nodeBinary, otherMajors, otherNodes } from './nodes.js';

/*
 * The package as npm delivers it: packed, and installed into an empty project, no script run. In
 * series, for the tests share one project.
 */

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

test.serial(
  'exactly this is packed: the library, the command as one file, its manual page, a binary, its source',
  (t) => {
    const library = filesUnder('lib')
      .filter(
        (path) => /\.ts$/.test(path) && !/\.d\.ts$/.test(path) && !path.startsWith('lib/cli/'),
      )
      .map((path) => path.replace(/^lib/, 'dist').replace(/\.ts$/, ''))
      .flatMap((path) => [`${path}.js`, `${path}.d.ts`]);
    const expected = [
      'CHANGELOG.md',
      'LICENSE',
      'README.md',
      'binding.gyp',
      'dist/earshot.1',
      'dist/earshot.js',
      'dist/earshot.licenses.txt',
      'package.json',
      `prebuilds/linux-${process.arch}/earshot.node`,
      ...filesUnder('native'),
      ...library,
    ];
    t.deepEqual(consumer.files, expected.sort());
  },
);

test.serial('publint finds nothing to say', async (t) => {
  const { messages, pkg } = await publint({ pkgDir: consumer.staged, pack: 'npm', strict: true });
  t.deepEqual(
    messages.map((message) => formatMessage(message, pkg as Record<string, unknown>)),
    [],
  );
});

/** Reads this process's own listener through the package, imported as `how` says. */
const readOwnListener = (how: string) => `
  const { createServer } = process.getBuiltinModule('node:net');
  ${how}
  const server = createServer().listen(0, '127.0.0.1', async () => {
    const { port } = server.address();
    const same = (found) => found.map((socket) => [socket.local.address, socket.local.port, socket.owners?.[0]?.pid === process.pid]);
    const filter = { protocol: 'tcp', localPort: port };
    console.log(JSON.stringify([same(earshot.listenersSync(filter)), same(await earshot.listeners(filter))]));
    server.close();
  });
`;
const imports = {
  'listener.mjs': readOwnListener("import * as earshot from 'earshot';"),
  'listener.cjs': readOwnListener("const earshot = require('earshot');"),
};
const nodes = [
  { name: process.version, test, binary: process.execPath },
  ...otherMajors.map((major) => ({
    name: `${major}`,
    test: requires(otherNodes),
    binary: nodeBinary(major),
  })),
];

for (const node of nodes) {
  for (const [file, text] of Object.entries(imports)) {
    const how = file.endsWith('.mjs') ? 'imported' : 'required';
    node.test.serial(`${how} on Node ${node.name}, it reads the kernel`, (t) => {
      const { status, stdout, stderr } = consumer.run(file, text, node.binary);
      t.is(stderr, '');
      t.is(status, 0);
      for (const found of JSON.parse(stdout)) {
        t.is(found.length, 1);
        t.is(found[0][0], '127.0.0.1');
        t.true(found[0][2], 'the process that holds the socket is this one');
      }
    });
  }

  node.test.serial(`the command runs on Node ${node.name}`, (t) => {
    const command = join(consumer.directory, 'node_modules', '.bin', 'earshot');
    const { status, stdout, stderr } = spawnSync(node.binary, [command, '--json'], {
      cwd: consumer.directory,
      encoding: 'utf8',
    });
    t.is(stderr, '');
    t.is(status, 0);
    t.notThrows(() => JSON.parse(stdout));
  });
}

test.serial('the command can be started by its name', (t) => {
  const command = join(consumer.directory, 'node_modules', '.bin', 'earshot');
  const { status, stdout, stderr } = spawnSync(command, ['--version'], { encoding: 'utf8' });
  t.is(stderr, '');
  t.is(status, 0);
  t.regex(stdout, /^(earshot )?\d+\.\d+\.\d+\n$/);
});

test.serial('earshot/reach needs no addon and no Linux', (t) => {
  const { status, stdout, stderr } = consumer.run(
    'reach.mjs',
    `Object.defineProperty(process, 'platform', { value: 'darwin' });
     process.dlopen = () => { throw new Error('an addon was loaded'); };
     const { trace, exposure } = await import('earshot/reach');
     console.log(typeof trace, typeof exposure);`,
  );
  t.is(stderr, '');
  t.is(stdout, 'function function\n');
  t.is(status, 0);
});

/** Imports the package, then prints the code and message of what each way of reading throws. */
const tellErrors = (before: string) => `
  ${before}
  const { listenersSync, listeners, capture } = await import('earshot');
  const tell = async (read) => {
    try {
      await read();
      console.log('nothing thrown');
    } catch (error) {
      console.log(JSON.stringify({ code: error.code, message: error.message }));
    }
  };
  await tell(() => listenersSync());
  await tell(() => listeners());
  await tell(() => capture());
`;

test.serial('on another platform importing works, and reading says what to do instead', (t) => {
  const platform = "Object.defineProperty(process, 'platform', { value: 'darwin' });";
  const { stdout, stderr } = consumer.run('platform.mjs', tellErrors(platform));
  t.is(stderr, '');
  const errors = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  t.is(errors.length, 3);
  for (const { code, message } of errors) {
    t.is(code, 'ERR_UNSUPPORTED_PLATFORM');
    t.true(message.includes('darwin'), message);
  }
});

test.serial('without a binary importing works, and reading says where one was looked for', (t) => {
  const prebuilds = join(consumer.directory, 'node_modules', 'earshot', 'prebuilds');
  renameSync(prebuilds, `${prebuilds}.away`);
  const { stdout, stderr } = consumer.run('binary.mjs', tellErrors(''));
  renameSync(`${prebuilds}.away`, prebuilds);
  t.is(stderr, '');
  const errors = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  t.is(errors.length, 3);
  for (const { code, message } of errors) {
    t.is(code, 'ERR_NO_BINARY');
    t.true(message.includes(prebuilds), message);
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
