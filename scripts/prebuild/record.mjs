import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { inRoot } from '../support/paths.mjs';
import { filesUnder, fingerprint } from '../support/stamp.mjs';
import { buildSettings } from './build.mjs';

/*
 * Beside the binaries lies what they were built from, as a hash, and their own hashes: a binary that is
 * missing, of an older source or not the one that was built is never released. It is not packed.
 */

/** @typedef {import('./targets.mjs').Target} Target */

const recordFile = inRoot('prebuilds', 'built-from.json');

/** @param {Target} target */
export const binaryPath = (target) => inRoot('prebuilds', target.file);

/** @returns {string} the hash of all that the binaries are made from */
export function sourceHash() {
  const { paths, versions } = buildSettings();
  const native = filesUnder('native', (path) => /\.(cc|h|map)$/.test(path));
  return fingerprint([...paths, ...native], versions);
}

/** @param {string} path */
export const hashOf = (path) => createHash('sha256').update(readFileSync(path)).digest('hex');

/** @returns {Record<string, { source: string, sha256: string }>} by file */
const read = () => (existsSync(recordFile) ? JSON.parse(readFileSync(recordFile, 'utf8')) : {});

/**
 * @param {Target} target
 * @param {string} source the source's hash when building began
 */
export function record(target, source) {
  const known = { source, sha256: hashOf(binaryPath(target)) };
  mkdirSync(inRoot('prebuilds'), { recursive: true });
  writeFileSync(recordFile, `${JSON.stringify({ ...read(), [target.file]: known }, null, 2)}\n`);
}

/**
 * @param {Target} target
 * @returns {string | null} why the binary is not one to release, or null
 */
export function objection(target) {
  if (!existsSync(binaryPath(target))) return 'is missing';
  const known = read()[target.file];
  if (!known) return 'is not known: nothing says what it was built from';
  if (known.sha256 !== hashOf(binaryPath(target))) return 'is not the one that was built';
  if (known.source !== sourceHash()) return 'was built from another source than this';
  return null;
}
