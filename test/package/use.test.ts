import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import * as esbuild from 'esbuild';
import { requires } from '../support/requirements.js';
import { type Consumer, installPacked } from './consumer.js';
import { nodeBinary, otherMajors, otherNodes } from './nodes.js';
import { imports, tellErrors } from './programs.js';

/* The package in use: packed, and installed into an empty project, no script run. */

let consumer: Consumer;
test.before(() => {
  consumer = installPacked();
});
test.after.always(() => consumer?.remove());

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

test.serial(
  'what is bundled keeps the names of functions and classes, and has short lines',
  (t) => {
    const { stdout } = consumer.run(
      'names.mjs',
      `import { socketsSync, trace } from 'earshot';
     try {
       socketsSync({ protocl: 'tcp' });
     } catch (error) {
       console.log(error.constructor.name, /at checkFilter/.test(error.stack), trace.name);
     }`,
    );
    t.is(stdout, 'EarshotError true trace\n');
    const bundle = join(consumer.directory, 'node_modules/earshot/dist/bundle');
    // Of the library: the command's packages have expressions of thousands of characters.
    for (const file of readdirSync(bundle).filter((name) => name.endsWith('.js'))) {
      const lines = readFileSync(join(bundle, file), 'utf8').split('\n');
      t.true(Math.max(...lines.map(({ length }) => length)) < 2000, file);
    }
  },
);

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
