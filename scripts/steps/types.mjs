import { cpSync, readFileSync, rmSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { inRoot } from '../support/paths.mjs';

/* Of the types that the compiler writes, those that the public faces lead to: what users are shown. */

const faces = ['dist/index.d.ts', 'dist/reach/index.d.ts'];

/** @returns {string[]} the declarations that the faces import, and those import, from the root; in order */
function declarations() {
  /** @type {Set<string>} */
  const found = new Set();
  const follow = (/** @type {string} */ path) => {
    if (found.has(path)) return;
    found.add(path);
    const text = readFileSync(inRoot(path), 'utf8');
    for (const [, to = ''] of text.matchAll(/\b(?:from |import\()['"](\.[^'"]+)\.js['"]/g)) {
      follow(join(dirname(path), `${to}.d.ts`));
    }
  };
  faces.forEach(follow);
  return [...found].sort();
}

/** Makes dist/types/ of them. */
export function gatherTypes() {
  rmSync(inRoot('dist/types'), { recursive: true, force: true });
  for (const path of declarations()) {
    cpSync(inRoot(path), inRoot('dist/types', relative('dist', path)));
  }
}
