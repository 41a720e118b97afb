import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { pathToFileURL } from 'node:url';
import { inRoot } from '../support/paths.mjs';

/*
 * npm takes a script named prebuild for what goes before `npm run build`, and runs it there too, where
 * nobody asked for four cross compilations. Only `npm run prebuild` runs preprebuild (this file) first.
 */

const mark = inRoot('build', 'prebuild-asked');

/** Whether it was asked for: by `npm run prebuild`, or by running the script itself. */
export function isAsked() {
  const { npm_lifecycle_event: event, npm_config_ignore_scripts: alone } = process.env;
  if (event !== 'prebuild' || alone === 'true') return true;
  try {
    rmSync(mark);
    return true;
  } catch {
    return false;
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  mkdirSync(dirname(mark), { recursive: true });
  writeFileSync(mark, '');
}
