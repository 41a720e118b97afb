import { statSync } from 'node:fs';
import { binaryPath } from '../prebuild/record.mjs';
import { runtimeVersions } from '../prebuild/registry.mjs';
import { glibcBaseline, targets } from '../prebuild/targets.mjs';
import { hasPart, writePart } from '../support/readme.mjs';
import { main, run, StepError } from '../support/step.mjs';

/*
 * What README.md says of the binaries: what each was loaded and asked by, and how large the package is.
 * `node scripts/release/tested.mjs` writes it; release:check, which did what is said there, fails where that
 * is not so (--check).
 */

/** @typedef {import('../prebuild/targets.mjs').Target} Target */

const part = 'tested';

/** What has run it; no more than prebuild:check and the tests of the package did. @param {Target} target */
function ranBy({ arch, libc }) {
  const emulated = arch === 'x64' ? '' : ' under qemu';
  const but = emulated && ', but for sockets by netlink';
  if (libc === 'musl') {
    const [bun] = runtimeVersions('bun', arch);
    return `Bun ${bun} for musl and a C program${emulated}: the binary${but}`;
  }
  const nodes = runtimeVersions('node', arch).join(', ');
  return `Node ${nodes}${emulated}: ${emulated ? 'the binary' : 'all of the package'}${but}`;
}

/** @param {Target} target */
const row = (target) =>
  `| linux-${target.arch}, ${target.libc} | ${target.libc === 'musl' ? 'musl' : `glibc ${glibcBaseline}`} | ${ranBy(target)} |`;

/** @param {number} bytes */
const megabytes = (bytes) => `${(bytes / 1e6).toFixed(1)} MB`;

async function text() {
  const { output, status } = await run('npm', ['pack', '--dry-run', '--json', '--ignore-scripts']);
  if (status !== 0) throw new StepError('npm pack failed', 'see above', output);
  // npm 11 answers with a list, npm 12 with an object by name; warnings may stand before.
  const answer = JSON.parse(output.slice(output.search(/^[[{]/m)));
  const { size, unpackedSize } = Object.values(answer)[0];
  const largest = Math.max(...targets.map((target) => statSync(binaryPath(target)).size));
  return [
    '| binary | needs | loaded and asked by |',
    '| --- | --- | --- |',
    ...targets.map(row),
    '',
    `A binary has up to ${Math.ceil(largest / 1024 / 50) * 50} KiB; the package, with all four, ${megabytes(unpackedSize)}, and ${megabytes(size)} to download.`,
  ].join('\n');
}

await main(async () => {
  const said = await text();
  if (!process.argv.includes('--check')) return writePart(part, said);
  if (hasPart(part, said)) return;
  throw new StepError(
    "README.md does not say what the package was tested on and how large it is: its part 'tested'",
    'node scripts/release/tested.mjs',
    said,
  );
});
