import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { inRoot } from './paths.mjs';

/*
 * What was built from what: a stamp holds the hash of a step's inputs. Contents decide, not times,
 * so that a checkout, a copy or a restored cache neither rebuilds for nothing nor keeps what is old.
 */

/**
 * The files under a directory of the repository, as paths from the root, in order.
 * @param {string} directory
 * @param {(path: string) => boolean} [keep]
 * @returns {string[]}
 */
export function filesUnder(directory, keep = () => true) {
  if (!existsSync(inRoot(directory))) return [];
  return readdirSync(inRoot(directory), { withFileTypes: true })
    .flatMap((entry) => {
      const path = `${directory}/${entry.name}`;
      if (entry.isDirectory()) return filesUnder(path, keep);
      return keep(path) ? [path] : [];
    })
    .sort();
}

/**
 * @param {string[]} paths from the root; one that does not exist counts as absent
 * @param {string[]} [more] whatever else the step depends on
 * @returns {string} the hash of the files' names and contents
 */
export function fingerprint(paths, more = []) {
  const hash = createHash('sha256');
  for (const path of paths) {
    hash.update(`${path}\0`);
    if (existsSync(inRoot(path))) hash.update(readFileSync(inRoot(path)));
    hash.update('\0');
  }
  return hash.update(more.join('\0')).digest('hex');
}

/** @param {string} name */
const stampFile = (name) => inRoot('build', 'stamps', name);

/**
 * Whether the step was last done on these very inputs.
 * @param {string} name
 * @param {string} inputs
 */
export function isStamped(name, inputs) {
  return existsSync(stampFile(name)) && readFileSync(stampFile(name), 'utf8') === inputs;
}

/**
 * @param {string} name
 * @param {string} inputs
 */
export function stamp(name, inputs) {
  mkdirSync(dirname(stampFile(name)), { recursive: true });
  writeFileSync(stampFile(name), inputs);
}
