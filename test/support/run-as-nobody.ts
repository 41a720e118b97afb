/*
 * Runs the texts of modules, by name as JSON from standard input, one after the other as a user
 * without privileges. Everything is loaded before root is given up, and the texts' 'earshot' is what
 * was loaded, so that they run wherever the repository lies. Who fails is named on standard error.
 */
import { readFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { listenersSync } from '#earshot/index.js';
import { repositoryRoot } from './repository.js';

const loaded = pathToFileURL(`${repositoryRoot}/dist/index.js`).href;
const texts = JSON.parse(readFileSync(0, 'utf8')) as Record<string, string>;
listenersSync({}, { owners: false }); // loads the addon
process.setgroups?.([]);
process.setgid?.(65534);
process.setuid?.(65534);
for (const [name, text] of Object.entries(texts)) {
  const module = text.replaceAll("from 'earshot'", `from '${loaded}'`);
  try {
    await import(`data:text/javascript,${encodeURIComponent(module)}`);
  } catch (error) {
    console.error(name, error);
  }
}
