import { execFile, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import test from 'ava';
import { defineProgram, examples } from '#earshot/cli/program.js';
import { repositoryRoot } from '../support/repository.js';
import { requires } from '../support/requirements.js';
import { document } from './support/examples.js';

/* Command lines that help, manual and documents show are typed as they stand, on a host made for it. */

const program = defineProgram(
  () => {
    throw new Error('no command is run');
  },
  () => {},
);

/** What a document shows in blocks of its shell lines, less the remarks. */
const shellLines = (path: string): string[] =>
  [...document(path).matchAll(/^```sh\n(.*?)^```$/gms)].flatMap(([, block = '']) =>
    block
      .split('\n')
      .map((line) => line.replace(/\s+#.*$/, ''))
      .filter((line) => line !== ''),
  );

const shown = [program, ...program.commands].flatMap((command) =>
  examples(command).map(({ line }) => line),
);
const inDocuments = ['README.md', 'docs/why-cant-they-connect.md']
  .flatMap(shellLines)
  .filter((line) => line.startsWith('earshot '));

const lines = [...new Set([...shown, ...inDocuments])];

/** The host has what the examples name; programs that lead elsewhere lead nowhere here. */
const programs: Record<string, string> = {
  earshot: `exec ${process.execPath} ${join(repositoryRoot, 'dist/earshot.js')} "$@"`,
  ssh: 'shift; exec "$@"',
  sudo: 'exec "$@"',
  jq: 'exec python3 -m json.tool',
};
const host = `
  export PATH="$PWD/bin:$PATH:/usr/sbin:/sbin"
  ip link set lo up
  ip link add eth0 type veth peer name far
  ip link set eth0 up
  ip link set far up
  ip address add 192.168.1.10/24 dev eth0
  ip address add 10.8.0.1/24 dev eth0
  ip address add fe80::1/64 dev eth0 nodad
  mount -t tmpfs none /run
  mkdir /run/netns
  touch /run/netns/blue
  unshare --net mount --bind /proc/self/ns/net /run/netns/blue
  earshot capture -o host.json
  cp host.json image.json
  earshot audit --write policy.json
`;

/** A line as it is typed into the shell that it is for; those that go on are still there after a while, and ended. */
function typed(line: string): { shell: string; text: string } {
  const shell = /completion (zsh|fish)/.exec(line)?.[1] ?? 'bash';
  if (line === 'earshot watch') {
    return { shell, text: `(sleep 2; printf q) | script -qefc '${line}' /dev/null` };
  }
  if (/^earshot (watch|exporter)\b/.test(line)) {
    return { shell, text: `timeout --signal INT 5 ${line}; [ $? = 124 ] || exit 2` };
  }
  // As its description says: after compinit.
  if (shell === 'zsh') return { shell, text: `autoload -Uz compinit && compinit -u -D\n${line}` };
  // What is written is not there yet.
  if (line.includes('--write')) return { shell, text: `mkdir written && cd written\n${line}` };
  return { shell, text: line };
}

const needs = ['namespaces', 'tool:ip', 'tool:script', 'tool:zsh', 'tool:fish'] as const;

requires(...needs)('every command line that help and documents show is understood', async (t) => {
  t.timeout(240_000, 'some thirty commands are run, four at a time');
  const directory = mkdtempSync(join(tmpdir(), 'earshot-lines-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  mkdirSync(join(directory, 'bin'));
  for (const [name, text] of Object.entries(programs)) {
    writeFileSync(join(directory, 'bin', name), `#!/bin/sh\n${text}\n`, { mode: 0o755 });
  }
  const runs = lines.map((line, index) => {
    const { shell, text } = typed(line);
    writeFileSync(join(directory, `line${index}`), `${text}\n`);
    return `(${shell} ./line${index} >/dev/null 2>error${index} </dev/null; echo $? >status${index}) &
      (( ${index} % 4 )) || wait`;
  });
  const user = process.getuid?.() === 0 ? [] : ['--map-root-user'];
  const script = `set -e\n${host}\nset +e\n${runs.join('\n')}\nwait\n`;
  const spaces = [...user, '--net', '--mount'];
  await promisify(execFile)('unshare', [...spaces, 'bash', '-c', script], { cwd: directory });
  const told = (file: string) => readFileSync(join(directory, file), 'utf8').trim();
  const failed = lines.flatMap((line, index) => {
    // 2 is a question that was not understood.
    if (['0', '1', '3'].includes(told(`status${index}`))) return [];
    return `${line}: ${told(`status${index}`)} ${told(`error${index}`)}`;
  });
  t.deepEqual(failed, []);
});

test('examples were found in help and documents', (t) => {
  t.true(shown.length > 15 && inDocuments.length >= 2);
});

test('the table of README has every command, and names no option that is not there', (t) => {
  const rows = [...document('README.md').matchAll(/^\| `(earshot[^`]*)`/gm)].map(
    ([, line = '']) => line,
  );
  for (const command of program.commands) {
    const name = command.name();
    t.true(
      rows.some((line) => line.startsWith(`earshot ${name}`)),
      name,
    );
  }
  for (const line of rows) {
    const [, word = ''] = /^earshot ([a-z]+)/.exec(line) ?? [];
    const command = program.commands.find((one) => one.name() === word) ?? program;
    for (const [option] of line.matchAll(/--[a-z-]+/g)) {
      t.true(
        command.options.some(({ long }) => long === option),
        `${line}: ${option}`,
      );
    }
  }
});

test('every npm script that a document names is there', (t) => {
  const { scripts } = JSON.parse(readFileSync(join(repositoryRoot, 'package.json'), 'utf8'));
  for (const path of ['README.md', 'CONTRIBUTING.md', 'CHANGELOG.md']) {
    const named = [...document(path).matchAll(/\bnpm run ([a-z:]+)/g)].map(([, name = '']) => name);
    t.deepEqual(
      named.filter((name) => !Object.hasOwn(scripts, name)),
      [],
      path,
    );
  }
});

test('the policy that README shows is one', (t) => {
  const [, policy = ''] = /^```json\n(.*?)^```$/ms.exec(document('README.md')) ?? [];
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [join(repositoryRoot, 'dist/earshot.js'), 'audit', '--json', '-'],
    { input: policy, encoding: 'utf8' },
  );
  t.is(stderr, '');
  t.not(status, 2);
  t.notThrows(() => JSON.parse(stdout));
});
