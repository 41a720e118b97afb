import { execFile } from 'node:child_process';
import { readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import test from 'ava';
import { type Consumer, installPacked, released } from './consumer.js';
import { imports, tellErrors } from './programs.js';

/* Where the kernel is not Linux, or no binary fits: importing works, and what cannot be done is explained. */

let consumer: Consumer;
test.before(() => {
  consumer = installPacked();
});
test.after.always(() => consumer?.remove());

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

test.serial('the command answers from a capture on macOS and Windows as on Linux', (t) => {
  const answer = (platform: string, ...args: string[]) => {
    const { status, stdout, stderr } = consumer.run(
      'command.mjs',
      `Object.defineProperty(process, 'platform', { value: '${platform}' });
       process.dlopen = () => { throw new Error('an addon was loaded'); };
       process.argv.splice(2, Infinity, ...${JSON.stringify(args)});
       await import('./node_modules/earshot/dist/earshot.js');`,
    );
    return { status, stdout, stderr };
  };
  const linux = answer('linux', '--state', 'capture.json');
  t.is(linux.stderr, '');
  t.is(linux.status, 0);
  for (const platform of ['darwin', 'win32']) {
    t.deepEqual(answer(platform, '--state', 'capture.json'), linux);
    const { status, stderr } = answer(platform);
    t.is(status, 2);
    t.regex(stderr, new RegExp(`^earshot: .*${platform}.*earshot capture`));
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

// It compiles the addon once more, which npm test has done already.
if (released) {
  test.serial('where no binary fits, one command builds it from source', async (t) => {
    t.timeout(600_000);
    const installed = join(consumer.directory, 'node_modules', 'earshot');
    const prebuilds = join(installed, 'prebuilds');
    renameSync(prebuilds, `${prebuilds}.away`);
    try {
      const { stdout } = consumer.run('before.mjs', tellErrors(''));
      const { message } = JSON.parse(stdout.split('\n')[0]!);
      const command = /with '(.+)'$/.exec(message)![1]!.split(' ');
      t.deepEqual(command, ['node', join(installed, 'native', 'build.mjs')]);
      // Not by spawnSync(): ava is to hear of the time it may take.
      await promisify(execFile)(process.execPath, command.slice(1), { cwd: consumer.directory });
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
