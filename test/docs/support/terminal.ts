import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';

/** How a shell is started for a test, and what its line editor is told. */
export interface Shell {
  command: string;
  /** Typed first, a line each. */
  prepare: string[];
  environment?: NodeJS.ProcessEnv;
}

/*
 * Time is counted in looks at the screen: other tests of a file may hold up this process for many
 * seconds, in which the shell writes and nobody reads.
 */
const look = 20;
/** A line that has not ended after so many looks (20 s) never will. */
const mostLooks = 1000;
/** So often nothing new on the screen: the line editor waits for a key. */
const calmLooks = 10;

/**
 * Types into a shell on a terminal of its own, keys and all, and says for each line which words it
 * had in the end: Ctrl-A goes to its start, and a program that writes its arguments to a file is put
 * before it.
 */
export async function wordsTyped(shell: Shell, lines: string[], cwd: string): Promise<string[][]> {
  const directory = mkdtempSync(join(tmpdir(), 'earshot-terminal-'));
  const written = join(directory, 'words');
  const child = spawn('script', ['-qfec', shell.command, '/dev/null'], {
    cwd,
    env: { ...process.env, TERM: 'xterm', ...shell.environment },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const closed = new Promise((resolve) => child.on('close', resolve));
  let screen = '';
  child.stdout.setEncoding('utf8').on('data', (text) => {
    screen += text;
  });
  let count = 0;
  /** Ends the line with a word in two halves, so that its echo is not taken for the shell's answer. */
  const enter = async () => {
    count += 1;
    child.stdin.write(`; echo "do""ne ${count}"\r`);
    for (let looks = 0; !screen.includes(`done ${count}\r`); await wait(look)) {
      if (++looks > mostLooks) throw new Error(`the line did not end:\n${JSON.stringify(screen)}`);
    }
    await settled();
  };
  const settled = async () => {
    let seen = screen.length;
    for (let calm = 0; calm < calmLooks; calm++) {
      await wait(look);
      if (screen.length !== seen) calm = 0;
      seen = screen.length;
    }
  };
  try {
    for (const line of shell.prepare) {
      child.stdin.write(line);
      await enter();
    }
    const found: string[][] = [];
    for (const keys of lines) {
      child.stdin.write(keys);
      await settled();
      child.stdin.write(`\u0001printf '%s\\n' >${written} \u0005`);
      await enter();
      found.push(readFileSync(written, 'utf8').trimEnd().split('\n').slice(1));
    }
    return found;
  } finally {
    child.stdin.write('\u0003exit\r');
    child.stdin.end();
    await closed;
    rmSync(directory, { recursive: true });
  }
}
