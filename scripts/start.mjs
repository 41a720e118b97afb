import { pathToFileURL } from 'node:url';
import { build } from './build.mjs';
import { setUp } from './setup.mjs';
import { inRoot } from './support/paths.mjs';
import { main } from './support/step.mjs';

/* `npm start -- 3000`: sets up, builds, and is the command from there on. */
await main(async () => {
  await setUp();
  await build();
  const command = inRoot('dist/earshot.js');
  process.argv.splice(1, 1, command);
  await import(pathToFileURL(command).href);
});
