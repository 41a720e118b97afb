import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { repositoryRoot } from '../support/repository.js';
import type { Requirement } from '../support/requirements.js';
import { npm } from './npm.js';

/** The releases of Node that the package promises to work on, beside the one running the tests. */
export const otherMajors = [22, 24, 26];

const directory = join(repositoryRoot, 'build', 'nodes');

/** Where another Node's binary is, once `otherNodes` is met. */
export const nodeBinary = (major: number): string => join(directory, String(major));

/** Other releases of Node, from the npm registry, fetched once into build/nodes. */
export const otherNodes: Requirement = {
  name: 'other releases of Node',
  missing() {
    const absent = otherMajors.filter((major) => !existsSync(nodeBinary(major)));
    if (absent.length === 0) return null;
    if (process.platform !== 'linux' || !['x64', 'arm64'].includes(process.arch)) {
      return `needs other releases of Node, which npm has for x64 and arm64, not for ${process.arch}`;
    }
    const failure = fetchNodes(absent);
    return failure && `needs other releases of Node, which could not be fetched (${failure})`;
  },
};

/** Returns why it failed, or null. */
function fetchNodes(majors: number[]): string | null {
  const download = join(directory, `download-${process.pid}`);
  mkdirSync(download, { recursive: true });
  try {
    writeFileSync(join(download, 'package.json'), '{}');
    const packages = majors.map((major) => `n${major}@npm:node-linux-${process.arch}@${major}`);
    const { status, output } = npm(['install', '--no-save', ...packages], download);
    if (status !== 0) return output.trim().split('\n').slice(0, 2).join('; ');
    for (const major of majors) {
      const fetched = join(download, 'node_modules', `n${major}`, 'bin', 'node');
      const { stdout } = spawnSync(fetched, ['--version'], { encoding: 'utf8' });
      if (!stdout?.startsWith(`v${major}.`)) return `${fetched} --version says ${stdout}`;
      renameSync(fetched, nodeBinary(major));
    }
    return null;
  } finally {
    rmSync(download, { recursive: true, force: true });
  }
}
