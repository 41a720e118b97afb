import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { build } from './build.mjs';
import { setUp } from './setup.mjs';
import { inRoot, root } from './support/paths.mjs';
import { main } from './support/step.mjs';
import { provideTools, searchPath } from './system-tools.mjs';

/*
 * `npm run lab -- --seeds 1-500 [--family bind,routes] [--show N] [--flows N]
 * [--unknown] [--peers]`: the randomised lab,
 * which holds what earshot says of random hosts against what the kernel does; `--seed N` prints one
 * of them. With --remedies every remedy is carried out, and the peer has to get in then. An ordinary user's runs in a user namespace. Ends with 1 where anything was wrong.
 */
await main(async () => {
  await setUp();
  await provideTools('test');
  await build({ tests: true });
  const asRoot = process.getuid?.() === 0 ? [] : ['unshare', '--user', '--map-root-user', '--'];
  const which = process.argv.includes('--remedies') ? 'remedies' : 'random';
  const run = inRoot(`build/test/lab/${which}/run.js`);
  const [command, ...args] = [...asRoot, process.execPath, run, ...process.argv.slice(2)];
  const child = spawn(/** @type {string} */ (command), args, {
    cwd: root,
    env: { ...process.env, PATH: searchPath },
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  const [status] = await once(child, 'close');
  process.exitCode = status ?? 1;
});
