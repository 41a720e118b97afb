import { type CommandShape, type OptionShape, spellings, type Values } from './shape.js';

/** The script for zsh: sourced, or as a file _earshot in a directory of $fpath. */
export function zshScript(shape: readonly CommandShape[]): string {
  const [program, ...commands] = shape as [CommandShape, ...CommandShape[]];
  return `#compdef earshot
# Completion of earshot for zsh: source <(earshot completion zsh)

_earshot_interfaces() {
  local -a names=(/sys/class/net/*(N-/:t))
  local expl
  _wanted interfaces expl interface compadd -a names
}

_earshot_namespaces() {
  local -a names=(/run/netns/*(N:t))
  _alternative 'namespaces:network namespace:compadd -a names' 'files:file:_files'
}

_earshot_commands() {
  local -a commands=(
${commands.map(({ name, summary }) => `    ${quoted(`${name}:${summary}`)}`).join('\n')}
  )
  _describe -t commands command commands
}

_earshot() {
  local context state state_descr line curcontext="$curcontext"
  typeset -A opt_args
${call("_arguments -C -A '-*'", 2, [...program.options.map(spec), "'1:port or command:_earshot_commands'", "'*::argument:->rest'"])}
  [[ $state == rest ]] || return
  case $words[1] in
${commands.map(commandCase).join('\n')}
    *)
${call('_arguments', 6, program.options.map(spec))}
      ;;
  esac
}

if [[ $funcstack[1] == _earshot ]]; then
  _earshot "$@"
else
  compdef _earshot earshot
fi
`;
}

/** A call with each of its arguments on a line of its own. */
function call(command: string, indent: number, words: readonly string[]): string {
  const lead = ' '.repeat(indent);
  return [`${lead}${command}`, ...words.map((word) => `${lead}  ${word}`)].join(' \\\n');
}

function commandCase({ name, options, argument }: CommandShape): string {
  // An action that is a mere message would keep the options from being offered: it is guarded.
  const action = argument === 'anything' ? `_guard "[^-]#" ${name}` : actionFor(argument);
  const values = argument === 'nothing' ? [] : [`'1:${name}:${action}'`];
  return `    ${name})\n${call('_arguments', 6, [...options.map(spec), ...values])}\n      ;;`;
}

/** `'--in=[where …]:interface:_earshot_interfaces'`; --help and --version end the line. */
function spec(option: OptionShape): string {
  const { long, values } = option;
  const written = spellings(option);
  const description = option.description.replace(/[\\[\]:]/g, '\\$&');
  const alone = long === '--help' || long === '--version';
  const exclusive = alone ? '(- *)' : `(${written.join(' ')})`;
  const equals = values === 'nothing' ? '' : '=';
  const action = values === 'nothing' ? '' : `:${long.slice(2)}:${actionFor(values)}`;
  return written
    .map((spelling) => {
      const takes = spelling.startsWith('--') ? equals : equals && '+';
      return quoted(`${exclusive}${spelling}${takes}[${description}]${action}`);
    })
    .join(' ');
}

function actionFor(values: Values): string {
  switch (values) {
    case 'interface':
      return '_earshot_interfaces';
    case 'namespace':
      return '_earshot_namespaces';
    case 'file':
      return '_files';
    case 'anything':
    case 'nothing':
      return ' ';
    default:
      return `(${values.join(' ')})`;
  }
}

const quoted = (text: string) => `'${text.replaceAll("'", "'\\''")}'`;
