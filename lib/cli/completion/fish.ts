import type { CommandShape, OptionShape, Values } from './shape.js';

/** The script for fish. */
export function fishScript(shape: readonly CommandShape[]): string {
  const [program, ...commands] = shape as [CommandShape, ...CommandShape[]];
  const names = commands.map(({ name }) => name).join(' ');
  const outside = `not __fish_seen_subcommand_from ${names}`;
  return [
    '# Completion of earshot for fish: earshot completion fish | source',
    '',
    'function __earshot_interfaces',
    '    for path in /sys/class/net/*/',
    '        basename $path',
    '    end',
    'end',
    '',
    'function __earshot_namespaces',
    '    for path in /run/netns/*',
    '        basename $path',
    '    end',
    'end',
    '',
    'complete -c earshot -f',
    ...commands.map(
      ({ name, summary }) => `complete -c earshot -n '${outside}' -a ${name} -d ${quoted(summary)}`,
    ),
    ...program.options.map((option) => optionLine(outside, option)),
    ...commands.flatMap(commandLines),
    '',
  ].join('\n');
}

function commandLines({ name, options, argument }: CommandShape): string[] {
  const inside = `__fish_seen_subcommand_from ${name}`;
  const words = typeof argument === 'string' ? [] : argument.filter((word) => word !== name);
  return [
    '',
    // The words that follow are not offered a second time.
    ...(words.length === 0
      ? []
      : [
          `complete -c earshot -n '${inside}; and test (count (commandline -opc)) -eq 2' -a '${words.join(' ')}'`,
        ]),
    ...options.map((option) => optionLine(inside, option)),
  ];
}

function optionLine(condition: string, { short, long, description, values }: OptionShape): string {
  const name = `${short === null ? '' : `-s ${short.slice(1)} `}-l ${long.slice(2)}`;
  return `complete -c earshot -n '${condition}' ${name}${actionFor(values)} -d ${quoted(description)}`;
}

function actionFor(values: Values): string {
  switch (values) {
    case 'interface':
      return " -x -a '(__earshot_interfaces)'";
    case 'namespace':
      return " -r -F -a '(__earshot_namespaces)'";
    case 'file':
      return ' -r -F';
    case 'anything':
      return ' -x';
    case 'nothing':
      return '';
    default:
      return ` -x -a '${values.join(' ')}'`;
  }
}

const quoted = (text: string) => `'${text.replace(/[\\']/g, '\\$&')}'`;
