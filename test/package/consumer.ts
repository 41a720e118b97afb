import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { repositoryRoot } from '../support/repository.js';
import { npm } from './npm.js';

/** The packed package, installed into an empty project as a user of npm has it: no scripts run. */
export interface Consumer {
  /** The project's directory. */
  readonly directory: string;
  /** Paths in the tarball, in order. */
  readonly files: string[];
  /** Bytes of what is in the tarball. */
  readonly unpackedSize: number;
  /** The directory that was packed. */
  readonly staged: string;
  /** Writes a file into the project and runs it, `flags` being Node's own. */
  run(
    file: string,
    text: string,
    node?: string,
    flags?: string[],
  ): { status: number | null; stdout: string; stderr: string };
  remove(): void;
}

/**
 * In `npm run release:check` the binaries of prebuilds/ are packed, as they are released; otherwise the
 * one just built stands where they are shipped.
 */
export const released = process.env.EARSHOT_RELEASE === 'true';

export function installPacked(): Consumer {
  const base = mkdtempSync(join(tmpdir(), 'earshot-package-'));
  const staged = join(base, 'staged');
  const directory = join(base, 'consumer');
  const tarballs = join(base, 'tarballs');
  for (const path of [staged, directory, tarballs]) mkdirSync(path);
  stage(staged);

  const packed = pack(staged, tarballs);
  // The dependencies as they are installed here, so that no registry is needed.
  const dependencies = ['node-gyp-build'].map((name) =>
    pack(join(repositoryRoot, 'node_modules', name), tarballs),
  );
  writeFileSync(join(directory, 'package.json'), '{ "name": "consumer", "private": true }');
  const install = [packed, ...dependencies].map(({ filename }) => join(tarballs, filename));
  const { status, output } = npm(['install', '--offline', ...install], directory);
  if (status !== 0) throw new Error(`npm install of the tarball failed:\n${output}`);

  return {
    directory,
    files: packed.files.map(({ path }) => path).sort(),
    unpackedSize: packed.unpackedSize,
    staged,
    run(file, text, node = process.execPath, flags = []) {
      writeFileSync(join(directory, file), text);
      return spawnSync(node, [...flags, file], {
        cwd: directory,
        encoding: 'utf8',
        timeout: 30_000,
      });
    },
    remove: () => rmSync(base, { recursive: true, force: true }),
  };
}

/** Copies what could be packed. */
function stage(staged: string): void {
  const left = new Set(['.git', 'build', 'node_modules', ...(released ? [] : ['prebuilds'])]);
  for (const entry of readdirSync(repositoryRoot)) {
    if (left.has(entry)) continue;
    cpSync(join(repositoryRoot, entry), join(staged, entry), { recursive: true });
  }
  if (released) return;
  const prebuilds = join(staged, 'prebuilds', `linux-${process.arch}`);
  mkdirSync(prebuilds, { recursive: true });
  const binary = join(repositoryRoot, 'build', 'Release', 'earshot.node');
  cpSync(binary, join(prebuilds, 'earshot.node'));
}

function pack(
  directory: string,
  destination: string,
): { filename: string; files: { path: string }[]; unpackedSize: number } {
  const { status, stdout, output } = npm(
    ['pack', directory, '--json', '--pack-destination', destination],
    directory,
  );
  if (status !== 0) throw new Error(`npm pack ${directory} failed:\n${output}`);
  const answer = JSON.parse(stdout);
  // npm 11 answers with a list, npm 12 with an object by name.
  return (Array.isArray(answer) ? answer : Object.values(answer))[0];
}
