import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { manPage } from '#earshot/cli/man-page.js';
import { defineProgram } from '#earshot/cli/program.js';
import { repositoryRoot } from '../support/repository.js';
import { requires } from '../support/requirements.js';

const file = join(repositoryRoot, 'dist', 'earshot.1');
const program = defineProgram(
  () => {
    throw new Error('no command is run');
  },
  () => {},
);

/** The page as a reader sees it, its lines joined. */
function read(): string {
  const { stdout } = spawnSync('man', ['-l', file], {
    encoding: 'utf8',
    env: {
      ...process.env,
      MANPAGER: 'cat',
      MANWIDTH: '80',
      MAN_KEEP_FORMATTING: '',
      LC_ALL: 'C.UTF-8',
    },
  });
  return stdout.replaceAll('‐\n', '').replace(/\s+/g, ' ');
}

test('the manual page is of this command and version, and bears no date', (t) => {
  const text = readFileSync(file, 'utf8');
  const { version } = JSON.parse(readFileSync(join(repositoryRoot, 'package.json'), 'utf8'));
  t.is(text, manPage(program));
  t.true(text.startsWith(`.TH EARSHOT 1 "" "earshot ${version}"`));
});

requires('tool:man')('every command, option and example is in the manual page', (t) => {
  const page = read();
  for (const command of [program, ...program.commands]) {
    t.true(page.includes(`earshot${command === program ? '' : ` ${command.name()}`}`));
    for (const { short, long } of command.options) {
      for (const name of [short, long]) if (name) t.true(page.includes(name), name);
    }
  }
  t.true(page.includes("earshot trace --from fe80::7 --in eth0 '[fe80::1]:3000'"));
  t.true(page.includes('source <(earshot completion bash)'));
});

requires('tool:groff')('groff has no warning about the manual page', (t) => {
  const { status, stderr } = spawnSync('groff', ['-man', '-ww', '-Tutf8', file], {
    encoding: 'utf8',
  });
  t.deepEqual([status, stderr], [0, '']);
});

requires('tool:mandoc')('mandoc warns of nothing but the missing date, which is meant', (t) => {
  const { stdout } = spawnSync('mandoc', ['-T', 'lint', '-W', 'warning', file], {
    encoding: 'utf8',
  });
  const warnings = stdout.trim().split('\n');
  t.deepEqual(
    warnings.filter((line) => !line.includes('missing date')),
    [],
  );
});
