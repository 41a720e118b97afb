import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { repositoryRoot } from '../support/repository.js';
import type { Requirement } from '../support/requirements.js';

/** The releases of Node that the package promises to work on, beside the one running the tests. */
export const otherMajors = [22, 24, 26];

let directories: string[] = [];

/** Where another Node's binary is, once `otherNodes` is met. */
export const nodeBinary = (major: number): string =>
  join(directories[otherMajors.indexOf(major)] ?? '', 'bin', 'node');

/** Other releases of Node, from the npm registry, fetched once into build/packages. */
export const otherNodes: Requirement = {
  name: 'other releases of Node',
  missing() {
    if (directories.length > 0) return null;
    if (process.platform !== 'linux' || !['x64', 'arm64'].includes(process.arch)) {
      return `needs other releases of Node, which npm has for x64 and arm64, not for ${process.arch}`;
    }
    const wanted = otherMajors.map((major) => `node-linux-${process.arch}@${major}`);
    const { status, stdout, stderr } = spawnSync(
      process.execPath,
      [join(repositoryRoot, 'scripts/prebuild/registry.mjs'), ...wanted],
      { encoding: 'utf8' },
    );
    if (status !== 0) {
      return `needs other releases of Node, which could not be fetched (${stderr.trim().split('\n').at(-2)})`;
    }
    directories = stdout.trim().split('\n');
    return null;
  },
};
