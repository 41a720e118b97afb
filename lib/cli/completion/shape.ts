import type { Command, Option } from 'commander';

/** What can stand where a value is asked for; a list where only these can. */
export type Values =
  | 'nothing'
  | 'anything'
  | 'file'
  | 'interface'
  | 'namespace'
  | readonly string[];

/** An option as a shell offers it. */
export interface OptionShape {
  /** `-o`, or `null`. */
  short: string | null;
  /** `--output`. */
  long: string;
  description: string;
  /** `nothing` for a switch. */
  values: Values;
}

/** A command as a shell offers it; the program itself has no name. */
export interface CommandShape {
  name: string;
  summary: string;
  options: OptionShape[];
  /** What the first word after it can be. */
  argument: Values;
}

/** What a placeholder such as `<file>` stands for; any other takes what cannot be foreseen. */
const byPlaceholder: Readonly<Record<string, Values>> = {
  file: 'file',
  interface: 'interface',
  namespace: 'namespace',
};

/** The program and then its commands, as its definition has them. */
export function shapeOf(program: Command): CommandShape[] {
  const help = program.createHelp();
  const commands = help.visibleCommands(program);
  const names = commands.map((command) => command.name());
  return [program, ...commands].map((command) => {
    const own = command === program;
    const argument = command.registeredArguments[0];
    return {
      name: own ? '' : command.name(),
      summary: help.subcommandDescription(command),
      // The command 'help' has no options of its own.
      options: command.name() === 'help' ? [] : help.visibleOptions(command).map(optionShape),
      argument: own || command.name() === 'help' ? names : valuesOf(argument),
    };
  });
}

function valuesOf(argument: Command['registeredArguments'][number] | undefined): Values {
  if (!argument) return 'nothing';
  return argument.argChoices ?? byPlaceholder[argument.name()] ?? 'anything';
}

function optionShape(option: Option): OptionShape {
  const placeholder = /[<[]([^>\]]+)[>\]]/.exec(option.flags)?.[1];
  return {
    short: option.short ?? null,
    long: option.long ?? '',
    description: option.description,
    values:
      placeholder === undefined
        ? 'nothing'
        : (option.argChoices ?? byPlaceholder[placeholder] ?? 'anything'),
  };
}

/** How an option can be written: the long way, and the short one where there is one. */
export function spellings({ short, long }: OptionShape): string[] {
  return short === null ? [long] : [short, long];
}
