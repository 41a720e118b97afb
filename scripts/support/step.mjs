import { spawn } from 'node:child_process';
import { root } from './paths.mjs';

/** A step that could not be done: what failed, what to do about it, and what the failing program said. */
export class StepError extends Error {
  /**
   * @param {string} what
   * @param {string} remedy
   * @param {string} [output]
   */
  constructor(what, remedy, output = '') {
    super(what);
    this.remedy = remedy;
    this.output = output;
  }
}

/**
 * Runs a script's work; a failed step is told in two lines and sets the exit status.
 * @param {() => Promise<void>} work
 */
export async function main(work) {
  try {
    await work();
  } catch (error) {
    if (!(error instanceof StepError)) throw error;
    if (error.output) process.stderr.write(`${error.output.trimEnd()}\n\n`);
    process.stderr.write(`earshot: ${error.message}\n  remedy: ${error.remedy}\n`);
    process.exitCode = 1;
  }
}

/**
 * Says what is being done, on stderr: the command's own output may be piped.
 * @param {string} what
 */
export function say(what) {
  process.stderr.write(`earshot: ${what}\n`);
}

/**
 * Runs a program to its end, its output captured.
 * @param {string} command
 * @param {string[]} args
 * @param {{ cwd?: string, env?: NodeJS.ProcessEnv }} [options]
 * @returns {Promise<{ status: number, output: string }>} what it printed on both streams, in order
 */
export function run(command, args, { cwd = root, env = process.env } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    const collect = (/** @type {Buffer} */ chunk) => {
      output += chunk;
    };
    child.stdout.on('data', collect);
    child.stderr.on('data', collect);
    child.on('error', reject);
    child.on('close', (code) => resolve({ status: code ?? 1, output }));
  });
}

/**
 * Runs a JavaScript program with this Node.
 * @param {string} script
 * @param {string[]} args
 * @param {{ cwd?: string, env?: NodeJS.ProcessEnv }} [options]
 */
export const runNode = (script, args, options) => run(process.execPath, [script, ...args], options);
