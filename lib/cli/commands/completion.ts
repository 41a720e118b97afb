import type { Command } from 'commander';
import { bashScript } from '../completion/bash.js';
import { fishScript } from '../completion/fish.js';
import { type CommandShape, shapeOf } from '../completion/shape.js';
import { zshScript } from '../completion/zsh.js';
import type { Answer } from '../context.js';
import { ExitStatus } from '../exit-status.js';
import type { Shell } from '../program.js';

const scriptFor: Readonly<Record<Shell, (shape: readonly CommandShape[]) => string>> = {
  bash: bashScript,
  zsh: zshScript,
  fish: fishScript,
};

/** `earshot completion SHELL`: the script that makes a shell complete this very command line. */
export function completion(shell: Shell, program: Command): Answer {
  return { text: scriptFor[shell](shapeOf(program)), status: ExitStatus.yes };
}
