import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { repositoryRoot } from '../support/repository.js';
import { requires } from '../support/requirements.js';
import { type Shell, wordsTyped } from './support/terminal.js';

/* Completion as it is met: real shells on a terminal, the keys typed. */

const command = join(repositoryRoot, 'dist', 'earshot.js');

function script(shell: string): string {
  const { stdout, stderr, status } = spawnSync(process.execPath, [command, 'completion', shell], {
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(stderr);
  return stdout;
}

/** A directory with the script of a shell, and files to be completed. */
function workplace(t: ExecutionContext, shell: string): string {
  const directory = mkdtempSync(join(tmpdir(), 'earshot-completion-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  writeFileSync(join(directory, `earshot.${shell}`), script(shell));
  writeFileSync(join(directory, 'laptop.json'), '');
  mkdirSync(join(directory, 'logs'));
  return directory;
}

/** Each line is typed in one shell after the other, and becomes these words. */
async function types(
  t: ExecutionContext,
  name: string,
  shell: Shell,
  expected: [keys: string, words: string[]][],
): Promise<void> {
  const lines = expected.map(([keys]) => keys);
  const found = await wordsTyped(shell, lines, workplace(t, name));
  t.deepEqual(
    found.map((words, index) => [lines[index], words]),
    expected,
  );
}

// M-* puts every completion on the line.
const all = '\u001b*';
const tab = '\t';

const bash: Shell = {
  command: 'bash --noprofile --norc -i',
  prepare: ["PS1='$ '", 'source ./earshot.bash'],
  environment: { HISTFILE: '' },
};

const interfaces = readdirSync('/sys/class/net').filter((name) => name !== 'bonding_masters');
const commands = ['trace', 'bind', 'watch', 'audit', 'capture', 'exporter', 'completion', 'help'];

const inBash: [keys: string, words: string[]][] = [
  [`earshot ${all}`, [...commands].sort()],
  [`earshot tr${tab}`, ['trace']],
  [`earshot 3000 --fr${tab}192.168.1.7`, ['3000', '--from', '192.168.1.7']],
  [`earshot 3000 ${tab}`, ['3000']],
  [`earshot --in ${all}`, ['--in', ...interfaces.sort()]],
  [`earshot trace --from-p${tab}`, ['trace', '--from-port']],
  [`earshot trace --in=l${tab}`, ['trace', '--in=lo']],
  [`earshot --state lap${tab}`, ['--state', 'laptop.json']],
  [`earshot --state=lap${tab}`, ['--state=laptop.json']],
  [`earshot capture -o lo${tab}`, ['capture', '-o', 'logs/']],
  [`earshot completion ${all}`, ['completion', 'bash', 'fish', 'zsh']],
  [`earshot help tra${tab}`, ['help', 'trace']],
  [`earshot --netns x tr${tab}`, ['--netns', 'x', 'trace']],
];

requires('tool:bash', 'tool:script')('bash completes the command line', async (t) => {
  await types(t, 'bash', bash, inBash);
});

requires('tool:bash')(
  'bash: the names of namespaces are offered and never run as commands',
  (t) => {
    const directory = workplace(t, 'bash');
    mkdirSync(join(directory, 'netns'));
    for (const name of ['blue', 'a b', '$(touch run)'])
      writeFileSync(join(directory, 'netns', name), '');
    const here = script('bash').replaceAll('/run/netns', join(directory, 'netns'));
    const { stdout } = spawnSync(
      'bash',
      [
        '-c',
        `${here}
        COMP_WORDS=(earshot --netns '') COMP_CWORD=2; _earshot
        printf '%s\\n' "\${COMPREPLY[@]}" | sort`,
      ],
      { encoding: 'utf8', cwd: directory },
    );
    t.deepEqual(stdout.trim().split('\n').sort(), ['\\$\\(touch\\ run\\)', 'a\\ b', 'blue']);
    t.false(readdirSync(directory).includes('run'));
  },
);

const zsh: Shell = {
  command: 'zsh -f -i',
  prepare: [
    "PS1='$ ' RPS1= PROMPT_EOL_MARK=",
    'unsetopt zle_bracketed_paste; bindkey -e',
    'autoload -Uz compinit && compinit -u -D',
    'source ./earshot.zsh',
  ],
};

const inZsh: [keys: string, words: string[]][] = [
  [`earshot tr${tab}`, ['trace']],
  [`earshot 3000 --fr${tab}192.168.1.7`, ['3000', '--from=192.168.1.7']],
  [`earshot 3000 --in l${tab}`, ['3000', '--in', 'lo']],
  [`earshot trace --in=l${tab}`, ['trace', '--in=lo']],
  [`earshot trace --from-p${tab}53`, ['trace', '--from-port=53']],
  [`earshot --state lap${tab}`, ['--state', 'laptop.json']],
  [`earshot capture -o lo${tab}`, ['capture', '-o', 'logs']],
  [`earshot completion f${tab}`, ['completion', 'fish']],
  [`earshot help tra${tab}`, ['help', 'trace']],
  [`earshot --tcp --js${tab}`, ['--tcp', '--json']],
];

requires('tool:zsh', 'tool:script')('zsh completes the command line', async (t) => {
  await types(t, 'zsh', zsh, inZsh);
});

const inFish: [line: string, offered: string[]][] = [
  ['earshot ', commands],
  ['earshot tra', ['trace']],
  ['earshot 3000 --fr', ['--from']],
  ['earshot --in ', interfaces],
  ['earshot trace --from-p', ['--from-port']],
  ['earshot trace --in=l', ['--in=lo']],
  ['earshot --state lap', ['laptop.json']],
  ['earshot capture -o lo', ['logs/']],
  ['earshot completion ', ['bash', 'zsh', 'fish']],
  ['earshot help tra', ['trace']],
];

for (const [line, offered] of inFish) {
  requires('tool:fish')(`fish: ${line}`, (t) => {
    const { stdout, stderr } = spawnSync(
      'fish',
      ['--no-config', '-c', `source ./earshot.fish; complete -C ${JSON.stringify(line)}`],
      { encoding: 'utf8', cwd: workplace(t, 'fish') },
    );
    t.is(stderr, '');
    const found = stdout
      .trim()
      .split('\n')
      .map((entry) => entry.split('\t')[0]!);
    t.deepEqual(found.sort(), [...offered].sort());
  });
}

for (const [shell, check] of [
  ['bash', ['bash', '-n']],
  ['zsh', ['zsh', '-n']],
  ['fish', ['fish', '--no-execute']],
] as const) {
  requires(`tool:${shell}`)(`the script for ${shell} is correct ${shell}`, (t) => {
    const [program, option] = check;
    const { status, stderr } = spawnSync(program, [option, `earshot.${shell}`], {
      encoding: 'utf8',
      cwd: workplace(t, shell),
    });
    t.deepEqual([status, stderr], [0, '']);
  });
}

test('a shell that is not known is refused by name', (t) => {
  const { status, stderr } = spawnSync(process.execPath, [command, 'completion', 'tcsh'], {
    encoding: 'utf8',
  });
  t.is(status, 2);
  t.regex(stderr, /^earshot: .*'tcsh'.*bash, zsh, fish/);
});
