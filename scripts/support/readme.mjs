import { readFileSync, writeFileSync } from 'node:fs';
import { inRoot } from './paths.mjs';
import { run, StepError } from './step.mjs';

/* Parts of README.md that scripts write: what is between `<!-- NAME -->` and `<!-- /NAME -->`. */

const file = inRoot('README.md');

/** @param {string} name */
function around(name) {
  const text = readFileSync(file, 'utf8');
  const [begin, end] = [`<!-- ${name} -->`, `<!-- /${name} -->`];
  const [from, to] = [text.indexOf(begin), text.indexOf(end)];
  if (from < 0 || to < from) throw new StepError(`README.md has no ${begin}`, 'put it back');
  const start = from + begin.length;
  return { before: text.slice(0, start), part: text.slice(start, to), after: text.slice(to) };
}

/** @param {string} name @param {string} part in Markdown */
export async function writePart(name, part) {
  const { before, after } = around(name);
  writeFileSync(file, `${before}\n\n${part.trim()}\n\n${after}`);
  await run('npx', ['biome', 'format', '--write', file]);
}

/** Whether that is the part, but for the width of tables. @param {string} name @param {string} part */
export function hasPart(name, part) {
  const plain = (/** @type {string} */ text) => text.replace(/[ -]+/g, ' ').trim();
  return plain(around(name).part) === plain(part);
}
