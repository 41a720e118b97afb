import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

/*
 * `node scripts/release/try.mjs earshot-VERSION.tgz`: installs the tarball into an empty project as a
 * user does, and uses it: the binary that fits, the library imported and required, the command. Node
 * and npm are all it needs, so that it runs on whatever machine the package is for.
 */

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const [tarball, ...rest] = process.argv.slice(2);
if (tarball === undefined || rest.length > 0) {
  process.stderr.write(
    'earshot: no tarball given\n  remedy: node scripts/release/try.mjs FILE.tgz\n',
  );
  process.exit(1);
}
const project = realpathSync(mkdtempSync(join(tmpdir(), 'earshot-try-')));
process.on('exit', () => rmSync(project, { recursive: true, force: true }));

/**
 * @param {string} command
 * @param {string[]} args
 * @returns {string} what it printed
 */
function succeed(command, ...args) {
  const { status, error, stdout, stderr } = spawnSync(command, args, {
    cwd: project,
    encoding: 'utf8',
  });
  if (status === 0) return stdout;
  process.stderr.write(`${error?.message ?? ''}${stdout}${stderr}\n`);
  process.stderr.write(`earshot: failed: ${[command, ...args].join(' ')}\n`);
  process.exit(1);
}

/** @param {boolean} holds @param {string} what @param {string} found */
function demand(holds, what, found) {
  if (holds) return;
  process.stderr.write(`${found}\nearshot: on this machine ${what}\n`);
  process.exit(1);
}

writeFileSync(join(project, 'package.json'), '{ "name": "empty", "private": true }');
const flags = ['--ignore-scripts', '--no-audit', '--no-fund', '--prefer-offline'];
succeed('npm', 'install', ...flags, resolve(tarball));
const require = createRequire(join(project, 'package.json'));
const installed = join(project, 'node_modules', 'earshot');

const binary = require('node-gyp-build').path(installed);
const probe = join(root, 'scripts/prebuild/check/probe.cjs');
const fixtures = join(root, 'test/fixtures/sock_diag');
const checks = JSON.parse(succeed(process.execPath, probe, binary, fixtures));

const use = `
  const server = require('node:net').createServer().listen(0, '127.0.0.1', async () => {
    const { port } = server.address();
    const [listener] = await earshot.listeners({ protocol: 'tcp', localPort: port });
    const destination = { address: '127.0.0.1', port };
    const state = await earshot.capture();
    const { outcome } = earshot.trace(state, { protocol: 'tcp', ingress: 'lo', destination });
    console.log(listener.local.address, listener.owners[0].pid === process.pid, outcome);
    server.close();
  });
`;
const ways = {
  'imported.mjs': `import { createRequire } from 'node:module';
    import * as earshot from 'earshot';
    const require = createRequire(import.meta.url);${use}`,
  'required.cjs': `const earshot = require('earshot');${use}`,
};
for (const [file, text] of Object.entries(ways)) {
  writeFileSync(join(project, file), text);
  const said = succeed(process.execPath, file);
  // Where a firewall may not be read, what depends on it is not told.
  demand(/^127\.0\.0\.1 true (reachable|unknown)\n$/.test(said), `${file} finds no listener`, said);
}

const { version } = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8'));
const command = join(project, 'node_modules', '.bin', 'earshot');
const told = succeed(command, '--version');
demand(told.trim().endsWith(version), `the command is not version ${version}`, told);
JSON.parse(succeed(command, '--json'));

const { glibcVersionRuntime: glibc } = /** @type {{ header: Record<string, string> }} */ (
  process.report.getReport()
).header;
const libc = glibc ? `glibc ${glibc}` : 'another libc than glibc';
process.stdout.write(
  `linux-${process.arch}, ${libc}, Node ${process.version}: ${binary.slice(installed.length + 1)}, ` +
    `${Object.keys(checks).length} checks; imported, required, and run as a command\n`,
);
