import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  mkdtempSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { build } from './build.mjs';
import { setUp } from './setup.mjs';
import { inRoot } from './support/paths.mjs';
import { main, run, StepError, say } from './support/step.mjs';
import { searchPath } from './system-tools.mjs';

/*
 * Writes the sample output in README.md from real runs of the command, on a host made for it in
 * namespaces: a LAN on eth0, a container bridge, and servers such as people run. With --check it
 * writes nothing and fails if the README is not what would be written.
 */

/** The arguments of the command for each `<!-- sample:NAME -->` … `<!-- /sample -->` in the README. */
const samples = { overview: [], port: ['3000'], loopback: ['5432'] };

/** Servers such as people run, as the process table shows them. */
const servers = [
  { pid: 812, name: 'sshd', args: [], listen: [22, '::'] },
  { pid: 1044, name: 'postgres', args: [], listen: [5432, '127.0.0.1'] },
  { pid: 1107, name: 'redis-server', args: [], listen: [6379, '::'] },
  { pid: 4211, name: 'node', args: ['server.js'], listen: [3000, '0.0.0.0'] },
];

const readme = inRoot('README.md');
const env = { ...process.env, PATH: searchPath, NO_COLOR: '1' };

/** The outer run makes the namespaces, the inner one (--inside) is on the host. */
await main(process.argv.includes('--inside') ? onTheHost : outside);

async function outside() {
  if (process.getuid?.() !== 0) {
    // A user namespace is not enough: the names of the legacy tables are shown to root alone.
    throw new StepError('the samples show what root sees', 'run it as root');
  }
  await setUp();
  await build();
  const spaces = ['--net', '--uts', '--pid', '--fork', '--kill-child', '--mount-proc'];
  const inner = [process.execPath, ...process.argv.slice(1), '--inside'];
  const child = spawn('unshare', [...spaces, ...inner], { env, stdio: 'inherit' });
  const [status] = await once(child, 'exit');
  process.exitCode = status ?? 1;
}

async function onTheHost() {
  /** @type {import('node:child_process').ChildProcess[]} */
  const children = [];
  const directory = mkdtempSync(join(tmpdir(), 'earshot-samples-'));
  try {
    writeFileSync('/proc/sys/kernel/hostname', 'dev');
    for (const server of servers) children.push(await startServer(server, directory));
    const router = spawn('unshare', ['--net', 'sleep', '120'], { env, stdio: 'ignore' });
    children.push(router);
    await makeNetwork(router);
    const before = readFileSync(readme, 'utf8');
    const after = await fill(before);
    if (process.argv.includes('--check')) {
      if (before === after) return;
      throw new StepError(
        'the samples in README.md are not what the command prints',
        'node scripts/readme-samples.mjs',
      );
    }
    writeFileSync(readme, after);
    say('wrote the samples of README.md');
  } finally {
    for (const child of children) child.kill();
    rmSync(directory, { recursive: true });
  }
}

/**
 * A LAN on eth0, whose other end is in the namespace of the router, and a bridge for containers.
 * @param {import('node:child_process').ChildProcess} router
 */
async function makeNetwork(router) {
  const own = readlinkSync('/proc/self/ns/net');
  for (let tries = 0; readlinkSync(`/proc/${router.pid}/ns/net`) === own; tries += 1) {
    if (tries > 200) throw new StepError('no second network namespace was made', 'run as root');
    await wait(10);
  }
  const commands = `
    link set lo up
    link add eth0 type veth peer name lan netns ${router.pid}
    addr add 192.168.1.23/24 dev eth0
    -6 addr add 2001:db8:1::23/64 dev eth0 nodad
    link set eth0 up
    link add docker0 type bridge
    addr add 172.17.0.1/16 dev docker0
    link set docker0 up
  `;
  for (const command of commands.trim().split('\n')) await ok('ip', command.trim().split(' '));
  const enter = ['--net', `--target=${router.pid}`, 'ip'];
  await ok('nsenter', [...enter, 'addr', 'add', '192.168.1.1/24', 'dev', 'lan']);
  await ok('nsenter', [...enter, 'link', 'set', 'lan', 'up']);
  await ok('ip', ['route', 'add', 'default', 'via', '192.168.1.1']);
  await ok('ip', ['-6', 'route', 'add', 'default', 'via', '2001:db8:1::1', 'dev', 'eth0']);
  await settled();
}

/** Waits until duplicate detection has passed every address: until then they do not answer. */
async function settled() {
  for (let tries = 0; ; tries += 1) {
    const { output } = await run('ip', ['-6', 'addr', 'show', 'tentative'], { env });
    if (output.trim() === '') return;
    if (tries > 100) throw new StepError('an address stays tentative', `see: ${output}`);
    await wait(100);
  }
}

/**
 * @param {string} command
 * @param {string[]} args
 */
async function ok(command, args) {
  const { status, output } = await run(command, args, { env });
  if (status === 0) return;
  throw new StepError(`${command} ${args.join(' ')} failed`, 'see above', output);
}

/**
 * Node under the server's name, with the process id that the sample is to show: the same each time.
 * @param {(typeof servers)[number]} server
 * @param {string} directory
 */
async function startServer({ pid, name, args, listen }, directory) {
  const program = join(directory, name);
  symlinkSync(process.execPath, program);
  const work = join(directory, `${name}.cjs`);
  // Threads take process ids too: all have started, by the first use of libuv's, when it says 'up'.
  const started = `require('node:fs').stat('/', () => server.listen(...${JSON.stringify(listen)}))`;
  writeFileSync(
    work,
    `const server = require('node:net').createServer().on('listening', () => console.log('up'));
     ${started};`,
  );
  writeFileSync(join(directory, 'server.js'), '');
  for (let tries = 0; tries < 50; tries += 1) {
    writeFileSync('/proc/sys/kernel/ns_last_pid', String(pid - 1));
    const child = spawn(program, args, {
      argv0: name,
      cwd: directory,
      env: { NODE_OPTIONS: `--require=${work}` },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    if (child.pid === pid) {
      await once(/** @type {import('node:stream').Readable} */ (child.stdout), 'data');
      return child;
    }
    // A thread started meanwhile and took the number.
    child.kill();
    await once(child, 'exit');
  }
  throw new StepError(`no process got the id ${pid}`, 'try again on a less busy machine');
}

/** @param {string} text the README */
async function fill(text) {
  for (const [name, args] of Object.entries(samples)) {
    const place = new RegExp(`(<!-- sample:${name} -->\n).*?(<!-- /sample -->)`, 's');
    if (!place.test(text)) {
      throw new StepError(`README.md has no sample:${name}`, `add <!-- sample:${name} -->`);
    }
    const output = await command(args);
    const shown = ['$ earshot', ...args].join(' ');
    const block = `\`\`\`console\n${shown}\n${output.trimEnd()}\n\`\`\`\n`;
    text = text.replace(place, (_, open, close) => open + block + close);
  }
  return text;
}

/** @param {string[]} args */
async function command(args) {
  const { status, output } = await run(process.execPath, [inRoot('dist/earshot.js'), ...args], {
    env: { ...env, COLUMNS: '80' },
  });
  if (status !== 2) return output;
  throw new StepError(`earshot ${args.join(' ')} failed`, 'see above', output);
}
