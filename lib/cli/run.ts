import { type Command, CommanderError } from 'commander';
import type { Answer, Context } from './context.js';
import { isEarshotError } from './earshot-error.js';
import { ExitStatus } from './exit-status.js';
import { defineProgram } from './program.js';
import { printable } from './render/printable.js';
import type { View } from './render/view.js';
import type { Services } from './services.js';
import { UsageError } from './usage-error.js';

/** The process around the command, as far as the command touches it. */
export interface Surroundings {
  out(text: string): void;
  /** The one error that ends the command. */
  fail(text: string): void;
  /** What is to be known beside an answer. */
  note(text: string): void;
  readInput(): Promise<string>;
  /** See `Context`. */
  live: Pick<Context, 'write' | 'screen' | 'onInterrupt'>;
  view: View;
  services: Services;
}

/**
 * Runs one command line. All output happens here and at the end: an answer is printed whole or, when
 * anything fails, one error on standard error and nothing else.
 */
export async function run(argv: readonly string[], around: Surroundings): Promise<ExitStatus> {
  const { services, view, readInput, note, live } = around;
  let answer: Answer | undefined;
  let printed = '';
  const context = (): Context => ({ services, view, readInput, note, ...live });
  const program = defineProgram(context, (given) => {
    answer = given;
  });
  setUp(program, view, (text) => {
    printed += text;
  });
  try {
    await program.parseAsync([...argv], { from: 'user' });
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) {
      around.out(printed);
      return ExitStatus.yes;
    }
    around.fail(errorReport(error));
    return ExitStatus.failure;
  }
  if (!answer) return ExitStatus.yes;
  if (answer.text !== '') around.out(answer.text);
  if (answer.notes) around.note(answer.notes);
  return answer.status;
}

/** Commander's settings are not inherited by commands that exist already, so each is told. */
function setUp(program: Command, view: View, print: (text: string) => void): void {
  for (const command of [program, ...program.commands]) {
    command.exitOverride();
    command.configureOutput({
      writeOut: print,
      writeErr: () => {}, // the error is thrown as well, and told from there
      getOutHelpWidth: () => view.width,
      getOutHasColors: () => view.colour,
    });
  }
}

/** An error as it is told on standard error. */
export function errorReport(error: unknown): string {
  return `earshot: ${errorText(error)}\n`;
}

const report = 'https://www.npmjs.com/package/earshot';

function errorText(error: unknown): string {
  if (error instanceof CommanderError) return commanderText(error);
  if (error instanceof UsageError || isEarshotError(error)) return oneLine(error.message);
  const what = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  const where = error instanceof Error ? firstFrame(error) : '';
  return `an error inside earshot: ${oneLine(what)}${where}\nPlease report it with the command line and, if you can, the output of 'earshot capture': ${report}`;
}

/** Commander's message without its lead, its suggestion on the same line, and where help is. */
function commanderText(error: CommanderError): string {
  const message = oneLine(error.message.replace(/^error: /, '').replaceAll('\n', ' '));
  return `${message} (see 'earshot --help')`;
}

function firstFrame(error: Error): string {
  const frame = /\n\s+at (.*)/.exec(error.stack ?? '')?.[1];
  return frame === undefined ? '' : ` at ${printable(frame)}`;
}

function oneLine(text: string): string {
  return printable(text.trim().replace(/\s*\n\s*/g, ' '));
}
