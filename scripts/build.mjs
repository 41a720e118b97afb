import { pathToFileURL } from 'node:url';
import { setUp } from './setup.mjs';
import { buildAddons } from './steps/addon.mjs';
import { compile } from './steps/typescript.mjs';
import { main, say } from './support/step.mjs';

/**
 * Makes the addon and dist/, and for tests what only they need. What is current already is left alone.
 * @param {{ tests?: boolean }} [options]
 */
export async function build({ tests = false } = {}) {
  const began = performance.now();
  const made = (await Promise.all([buildAddons({ tests }), compile({ tests })])).flat();
  if (made.length === 0) return;
  say(`built ${made.join(', ')} in ${((performance.now() - began) / 1000).toFixed(1)} s`);
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  await main(async () => {
    await setUp();
    await build({ tests: process.argv.includes('--tests') });
  });
}
