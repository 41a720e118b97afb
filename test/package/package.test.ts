import { spawnSync } from 'node:child_process';
import { readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import * as esbuild from 'esbuild';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';
import { repositoryRoot } from '../support/repository.js';
import { requires } from '../support/requirements.js';
import { type Consumer, installPacked, released } from './consumer.js';
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

test.serial('exactly this is packed: types, bundles, binaries and their source', (t) => {
  const types = filesUnder('lib')
    .filter((path) => /\.ts$/.test(path) && !path.startsWith('lib/cli/'))
    .filter((path) => !/\.d\.ts$/.test(path))
    .map((path) => path.replace(/^lib/, 'dist').replace(/\.ts$/, '.d.ts'));
  const binaries = released
    ? ['x64', 'arm64'].flatMap((arch) =>
        ['glibc', 'musl'].map((libc) => `prebuilds/linux-${arch}/earshot.${libc}.node`),
      )
    : [`prebuilds/linux-${process.arch}/earshot.node`];
  const expected = [
    'CHANGELOG.md',
    'LICENSE',
    'README.md',
    'binding.gyp',
    'dist/earshot.1',
    'dist/earshot.js',
    'dist/earshot.licenses.txt',
    'package.json',
    ...binaries,
    ...filesUnder('dist/bundle'),
    ...filesUnder('native'),
    ...types,
  ];
  t.deepEqual(consumer.files, expected.sort());
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

test.serial('a capture is evaluated alike on Linux, macOS and Windows', (t) => {
  const taken = consumer.run(
    'take.mjs',
    `import { writeFileSync } from 'node:fs';
     import { createServer } from 'node:net';
     import { capture } from 'earshot';
     const server = createServer().listen(0, '127.0.0.1', async () => {
       writeFileSync('capture.json', JSON.stringify(await capture()));
       server.close();
     });`,
  );
  t.is(taken.stderr, '');
  const evaluate = (platform: string) =>
    consumer.run(
      'evaluate.mjs',
      `Object.defineProperty(process, 'platform', { value: '${platform}' });
       process.dlopen = () => { throw new Error('an addon was loaded'); };
       const { readFileSync } = await import('node:fs');
       const { exposure, trace } = await import('earshot/reach');
       const state = JSON.parse(readFileSync('capture.json', 'utf8'));
       const exposures = exposure(state);
       const { port } = exposures[0].endpoint;
       const flow = { protocol: 'tcp', ingress: 'lo', destination: { address: '127.0.0.1', port } };
       console.log(JSON.stringify([exposures, trace(state, flow).explanation]));`,
    );
  const [linux, ...others] = ['linux', 'darwin', 'win32'].map(evaluate);
  t.is(linux?.stderr, '');
  t.true(JSON.parse(linux!.stdout)[0].length > 0);
  for (const { stdout, stderr } of others) {
    t.is(stderr, '');
    t.true(stdout === linux!.stdout, 'the same, word for word');
  }
});

for (const name of ['darwin', 'win32']) {
  test.serial(`on ${name} importing works, and reading says what to do instead`, (t) => {
    const platform = `Object.defineProperty(process, 'platform', { value: '${name}' });`;
    const { stdout, stderr } = consumer.run('platform.mjs', tellErrors(platform));
    t.is(stderr, '');
    const errors = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    t.is(errors.length, 3);
    for (const { code, message } of errors) {
      t.is(code, 'ERR_UNSUPPORTED_PLATFORM');
      t.true(message.includes(name), message);
    }
  });
}

test.serial('main thread and workers read at once', (t) => {
  const { status, stdout, stderr } = consumer.run(
    'workers.mjs',
    `import { createServer } from 'node:net';
     import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
     import { listeners, listenersSync } from 'earshot';
     const found = async (filter) => [listenersSync(filter).length, (await listeners(filter)).length];
     if (isMainThread) {
       const server = createServer().listen(0, '127.0.0.1', async () => {
         const filter = { protocol: 'tcp', localPort: server.address().port };
         const answers = Array.from({ length: 4 }, () => new Promise((resolve, reject) => {
           new Worker(new URL(import.meta.url), { workerData: filter })
             .on('message', resolve).on('error', reject);
         }));
         console.log(JSON.stringify(await Promise.all([found(filter), ...answers])));
         server.close();
       });
     } else {
       parentPort.postMessage(await found(workerData));
     }`,
  );
  t.is(stderr, '');
  t.is(status, 0);
  t.deepEqual(JSON.parse(stdout), Array(5).fill([1, 1]));
});

const forbidding = [
  { name: process.version, test, binary: process.execPath, flags: ['--no-addons'] },
  ...nodes.slice(1).map((node) => ({ ...node, flags: ['--permission', '--allow-fs-read=*'] })),
];
for (const { name, test, binary, flags } of forbidding) {
  test.serial(`where addons are forbidden (${flags[0]}, Node ${name}) reading says so`, (t) => {
    const { stdout, stderr } = consumer.run('forbidden.mjs', tellErrors(''), binary, flags);
    t.notRegex(stderr, /Error/);
    const errors = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    t.is(errors.length, 3);
    for (const { code, message } of errors) {
      t.is(code, 'ERR_NO_BINARY');
      t.true(message.includes('--allow-addons'), message);
    }
  });
  if (flags[0] !== '--permission') continue;
  test.serial(`with leave for addons (--allow-addons, Node ${name}) the kernel is read`, (t) => {
    const leave = [...flags, '--allow-addons'];
    const text = `import { interfaces, listenersSync } from 'earshot';
      console.log(listenersSync().length >= 0, (await interfaces()).some(({ loopback }) => loopback));`;
    const { status, stdout } = consumer.run('allowed.mjs', text, binary, leave);
    t.is(stdout, 'true true\n');
    t.is(status, 0);
  });
}

const bundling = { write: true, bundle: true, platform: 'node', logLevel: 'silent' } as const;

test.serial('a program bundled with earshot left outside reads the kernel', async (t) => {
  for (const format of ['esm', 'cjs'] as const) {
    writeFileSync(join(consumer.directory, 'app.mjs'), imports['listener.mjs']);
    const outfile = join(consumer.directory, `app.bundle.${format === 'esm' ? 'mjs' : 'cjs'}`);
    const entryPoints = [join(consumer.directory, 'app.mjs')];
    await esbuild.build({ ...bundling, entryPoints, outfile, format, external: ['earshot'] });
    const { status, stdout, stderr } = spawnSync(process.execPath, [outfile], { encoding: 'utf8' });
    t.is(stderr, '');
    t.is(status, 0);
    t.is(JSON.parse(stdout)[0].length, 1);
  }
});

test.serial('earshot/reach is bundled whole, for browsers too', async (t) => {
  const { outputFiles } = await esbuild.build({
    ...bundling,
    write: false,
    stdin: {
      contents: "export { trace } from 'earshot/reach';",
      resolveDir: consumer.directory,
    },
    format: 'esm',
    platform: 'browser',
  });
  t.notRegex(outputFiles[0]!.text, /\bfrom ?"node:|node-gyp-build/);
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

// It compiles the addon once more, which npm test has done already.
if (released) {
  test.serial('where no binary fits, one command builds it from source', (t) => {
    t.timeout(600_000);
    const installed = join(consumer.directory, 'node_modules', 'earshot');
    const prebuilds = join(installed, 'prebuilds');
    renameSync(prebuilds, `${prebuilds}.away`);
    try {
      const { stdout } = consumer.run('before.mjs', tellErrors(''));
      const { message } = JSON.parse(stdout.split('\n')[0]!);
      const command = /with '(.+)'$/.exec(message)![1]!.split(' ');
      t.deepEqual(command, ['node', join(installed, 'native', 'build.mjs')]);
      const built = spawnSync(process.execPath, command.slice(1), {
        cwd: consumer.directory,
        encoding: 'utf8',
      });
      t.is(built.status, 0, built.stderr + built.stdout);
      t.deepEqual(readdirSync(join(installed, 'build'), { recursive: true }).sort(), [
        'Release',
        join('Release', 'earshot.node'),
      ]);
      const { status, stderr } = consumer.run('after.mjs', imports['listener.mjs']);
      t.is(stderr, '');
      t.is(status, 0);
    } finally {
      rmSync(join(installed, 'build'), { recursive: true, force: true });
      renameSync(`${prebuilds}.away`, prebuilds);
    }
  });
}
