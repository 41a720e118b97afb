import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { repositoryRoot } from '../../support/repository.js';

/** Runs a script of the repository to its end: not blocking, for it may take its time. */
export function runScript(
  path: string,
  args: string[],
): Promise<{ status: number; output: string }> {
  const child = spawn(process.execPath, [join(repositoryRoot, path), ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text) => {
      output += text;
    });
  }
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (status) => resolve({ status: status ?? 1, output }));
  });
}
