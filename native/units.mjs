#!/usr/bin/env node
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';

/*
 * `node native/units.mjs PART [together]` prints what binding.gyp compiles of a part of the addon, of
 * those in sources.json: its source files, each by itself; or, together, one file that is all of them.
 * Most of the time that a file of ours takes is the standard library's and Node-API's headers, and the
 * compiler inlines what it sees. A name in a file is then to be one in all its part.
 */

const [part = '', together] = process.argv.slice(2);
/** @type {Record<string, string[]>} */
const parts = JSON.parse(readFileSync('native/sources.json', 'utf8'));
const sources = parts[part];
if (sources === undefined) {
  throw new Error(`'${part}' is no part of the addon: ${Object.keys(parts).join(', ')}`);
}
if (together === 'together') {
  const unit = `build/together/${part}.cc`;
  mkdirSync(dirname(unit), { recursive: true });
  writeFileSync(unit, sources.map((path) => `#include "../../${path}"\n`).join(''));
  console.log(unit);
} else {
  console.log(sources.join('\n'));
}
