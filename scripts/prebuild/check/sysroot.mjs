import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { inRoot } from '../../support/paths.mjs';
import { shared } from '../../support/shared.mjs';
import { run, StepError, say } from '../../support/step.mjs';

/*
 * The C libraries that binaries are loaded with here: Debian's, for either architecture, unpacked into
 * build/ and not installed. apt keeps lists of its own for this, so that the machine's stay as they are.
 */

const packages = {
  // Node and Bun themselves need the C++ libraries.
  x64: { debian: 'amd64', names: ['musl', 'libgcc-s1', 'libstdc++6'] },
  arm64: { debian: 'arm64', names: ['musl', 'libc6', 'libgcc-s1', 'libstdc++6', 'libatomic1'] },
};

/** For an architecture, a directory with lib/ as it has it. Two binaries of it are checked side by side. */
export const provideSysroot = shared(async (/** @type {'x64' | 'arm64'} */ arch) => {
  const { debian, names } = packages[arch];
  const directory = inRoot('build/packages', `debian-${debian}-${names.join('-')}`);
  if (existsSync(directory)) return directory;
  say(`fetching Debian's ${names.join(', ')} for ${debian}`);
  mkdirSync(dirname(directory), { recursive: true });
  const download = mkdtempSync(`${directory}.download-`);
  try {
    for (const path of ['lists/partial', 'cache/archives/partial', 'root']) {
      mkdirSync(join(download, path), { recursive: true });
    }
    const settings = [
      `APT::Architecture=${debian}`,
      `APT::Architectures=${debian}`,
      `Dir::State::Lists=${join(download, 'lists')}`,
      `Dir::State::status=/dev/null`,
      `Dir::Cache=${join(download, 'cache')}`,
      'APT::Sandbox::User=root',
    ].flatMap((setting) => ['-o', setting]);
    await succeed('apt-get', [...settings, 'update', '-q'], download);
    await succeed('apt-get', [...settings, 'download', '-q', ...names], download);
    for (const file of readdirSync(download).filter((name) => name.endsWith('.deb'))) {
      await succeed('dpkg-deb', ['--extract', file, 'root'], download);
    }
    // Another process may have been as quick.
    if (!existsSync(directory)) renameSync(join(download, 'root'), directory);
  } finally {
    rmSync(download, { recursive: true, force: true });
  }
  return directory;
});

/** @param {string} command @param {string[]} args @param {string} cwd */
async function succeed(command, args, cwd) {
  const { status, output } = await run(command, args, { cwd }).catch((error) => ({
    status: 1,
    output: `${error}`,
  }));
  if (status === 0) return;
  throw new StepError(
    `${command} could not bring the C libraries that the binaries are loaded with`,
    'see above; it needs Debian, or a descendant of it, and its package servers',
    output,
  );
}
