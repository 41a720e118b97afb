import { writeFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { inRoot } from '../support/paths.mjs';

/** Writes dist/earshot.1 from what was compiled: the command's own definition. */
export async function writeManPage() {
  /** @param {string} name */
  const compiled = (name) => import(pathToFileURL(inRoot('dist/cli', name)).href);
  const { defineProgram } = await compiled('program.js');
  const { manPage } = await compiled('man-page.js');
  const noContext = () => {
    throw new Error('the manual page runs no command');
  };
  writeFileSync(inRoot('dist/earshot.1'), manPage(defineProgram(noContext, () => {})));
}
