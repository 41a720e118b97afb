import type { Command, Option } from 'commander';
import { examples, exitStatuses } from './program.js';

/**
 * The manual page earshot(1) in the macros of man(7), from the command's own definition. The same
 * definition and version give the same bytes: the page bears no date.
 */
export function manPage(program: Command): string {
  const help = program.createHelp();
  const commands = help.visibleCommands(program).filter((command) => command.name() !== 'help');
  const shared = sharedOptions(program, commands);
  const own = (command: Command) =>
    help
      .visibleOptions(command)
      .filter(({ long }) => !shared.some((option) => option.long === long));
  return `${[
    `.TH EARSHOT 1 "" "earshot ${roff(program.version() ?? '')}" "User Commands"`,
    '.SH NAME',
    'earshot \\- who can reach a listening socket on this host, and why others cannot',
    '.SH SYNOPSIS',
    ...synopsis('earshot', own(program), '[PORT]'),
    ...commands.flatMap((command) => [
      '.br',
      ...synopsis(`earshot ${command.name()}`, own(command), operands(command)),
    ]),
    '.SH DESCRIPTION',
    ...text(program.description()),
    '.PP',
    ...text(
      'Without a command and a port every listening socket is listed with who reaches it; with a port, who reaches that port, who does not and why, what would change it, and the URL to share.',
    ),
    '.PP',
    ...text(
      'The kernel is asked directly, and nothing is changed. Without root the firewall and the processes of other users cannot be read: what depends on them is answered as unknown, with the reason.',
    ),
    ...own(program).flatMap(optionEntry),
    '.SH COMMANDS',
    ...commands.flatMap((command) => [
      `.SS "earshot ${roff(command.name())} ${roff(operands(command))}"`,
      ...text(command.description()),
      ...own(command)
        .filter(({ long }) => long !== '--help')
        .flatMap(optionEntry),
    ]),
    '.SH "OPTIONS OF EVERY COMMAND THAT ANSWERS"',
    ...shared.flatMap(optionEntry),
    '.SH "EXIT STATUS"',
    ...exitStatuses.flatMap(([status, says]) => ['.TP', `.B ${status}`, ...text(says)]),
    '.SH ENVIRONMENT',
    '.TP',
    '.B NO_COLOR',
    ...text('Any text but the empty one: no colour. Colour is used on a terminal only.'),
    '.TP',
    '.B FORCE_COLOR',
    ...text('Colour wherever the output goes; 0 or false: nowhere.'),
    '.SH EXAMPLES',
    ...[program, ...commands].flatMap((command) => ['.sp', ...exampleLines(command)]).slice(1),
    '.SH "SEE ALSO"',
    '.BR ss (8),',
    '.BR ip (8),',
    '.BR nft (8),',
    '.BR tcp (7)',
  ].join('\n')}\n`;
}

/** What the program and every command that answers have in common; --help is left to each. */
function sharedOptions(program: Command, commands: readonly Command[]): readonly Option[] {
  const answering = commands.filter((command) => command.options.length > 0);
  return program.options.filter((option) =>
    answering.every((command) => command.options.some(({ long }) => long === option.long)),
  );
}

function operands(command: Command): string {
  return command.registeredArguments
    .map((argument) => (argument.argChoices ?? [argument.name().toUpperCase()]).join('|'))
    .join(' ');
}

function synopsis(name: string, options: readonly Option[], operand: string): string[] {
  const written = options
    .filter(({ long }) => long !== '--help' && long !== '--version')
    .map((option) => `[${flagsOf(option).split(', ').at(-1)}]`);
  const rest = [...written, operand].filter((word) => word !== '').join(' ');
  return [`.B ${roff(name)}`, ...(rest === '' ? [] : [rest])];
}

function optionEntry(option: Option): string[] {
  return ['.TP', flagsOf(option), ...text(`${sentence(option.description)}`)];
}

/** `\fB\-o\fR, \fB\-\-output\fR \fIFILE\fR` */
function flagsOf({ short, long, flags }: Option): string {
  const placeholder = /<([^>]+)>/.exec(flags)?.[1];
  const value = placeholder === undefined ? '' : ` \\fI${roff(placeholder.toUpperCase())}\\fR`;
  return [short, long]
    .flatMap((name) => (name ? [`\\fB${roff(name)}\\fR`] : []))
    .join(', ')
    .concat(value);
}

/** Each with what it does before it; those that say nothing stand together. */
function exampleLines(command: Command): string[] {
  return examples(command).flatMap(({ line, does }) => [
    ...(does === '' ? [] : text(`${sentence(does).replace(/\.$/, '')}:`)),
    '.RS 4',
    '.nf',
    roff(line),
    '.fi',
    '.RE',
    ...(does === '' ? [] : ['.sp']),
  ]);
}

function sentence(words: string): string {
  const capital = words.charAt(0).toUpperCase() + words.slice(1);
  return /[.!?]$/.test(capital) ? capital : `${capital}.`;
}

/** Running text: roff breaks its lines, and starts one for each sentence. */
function text(words: string): string[] {
  return words.split(/(?<=\.) (?=[A-Z])/).map(roff);
}

/** What roff would take for itself: backslashes, hyphens that are minus signs, controls at line start. */
function roff(words: string): string {
  return words
    .replaceAll('\\', '\\e')
    .replace(/(?<![A-Za-z])-|-(?=[-\d])/g, '\\-')
    .replace(/^([.'])/, '\\&$1')
    .replaceAll("'", '\\(aq');
}
