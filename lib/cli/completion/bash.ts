import { type CommandShape, type OptionShape, spellings, type Values } from './shape.js';

/*
 * Names found on the machine are never expanded: compgen -W would run a $(command) in one. bash
 * splits words at '=' unless COMP_WORDBREAKS is changed, so --state=FILE is met in both forms.
 */

/** The script for bash, 4 or later. */
export function bashScript(shape: readonly CommandShape[]): string {
  const [program, ...commands] = shape as [CommandShape, ...CommandShape[]];
  const names = commands.map(({ name }) => name).join(' | ');
  return `# Completion of earshot for bash: source <(earshot completion bash)

# Adds the names below a directory that begin with the word; the first argument is compgen's action.
_earshot_names() {
  local name
  while IFS= read -r name; do
    COMPREPLY+=("$lead$(printf %q "\${name#"$2"/}")")
  done < <(compgen "$1" -- "$2/$word")
}

_earshot_words() {
  local name
  while IFS= read -r name; do
    COMPREPLY+=("$lead$name")
  done < <(compgen -W "$1" -- "$word")
}

_earshot() {
  local word=\${COMP_WORDS[COMP_CWORD]} before=\${COMP_WORDS[COMP_CWORD - 1]}
  local lead= command= first= index
  COMPREPLY=()
  if [[ $word == '=' ]]; then
    word=
  elif [[ $before == '=' ]]; then
    before=\${COMP_WORDS[COMP_CWORD - 2]}
  elif [[ $word == --*=* ]]; then
    before=\${word%%=*} lead=\${word%%=*}= word=\${word#*=}
  fi

  for ((index = 1; index < COMP_CWORD; index++)); do
    case \${COMP_WORDS[index]} in
      ${allTaking(shape).join(' | ')})
        [[ \${COMP_WORDS[index + 1]} == '=' ]] && index=$((index + 1))
        index=$((index + 1))
        ;;
      -*) ;;
      ${names})
        [[ -z $command && -z $first ]] && command=\${COMP_WORDS[index]} || first=yes
        ;;
      *) first=yes ;;
    esac
  done

  case $command,$before in
${valueCases(shape)}
  esac

  if [[ $word == -* ]]; then
    case $command in
${shape.map(optionCase).join('\n')}
    esac
  elif [[ -z $first ]]; then
    case $command in
${[program, ...commands].flatMap(argumentCase).join('\n')}
    esac
  fi
}

complete -F _earshot earshot
`;
}

function allTaking(shape: readonly CommandShape[]): string[] {
  const options = shape.flatMap((command) => command.options);
  return [...new Set(options.filter(({ values }) => values !== 'nothing').flatMap(spellings))];
}

/** One case for each kind of value: `,--in | trace,--in) …`. */
function valueCases(shape: readonly CommandShape[]): string {
  const patterns = new Map<string, string[]>();
  for (const { name, options } of shape) {
    for (const option of options) {
      const action = actionFor(option.values);
      if (option.values === 'nothing') continue;
      const known = patterns.get(action) ?? [];
      patterns.set(action, [...known, ...patternsOf(name, option)]);
    }
  }
  return [...patterns]
    .map(([action, list]) => `    ${list.join(' | ')})\n${action}      return\n      ;;`)
    .join('\n');
}

const patternsOf = (name: string, option: OptionShape) =>
  spellings(option).map((spelling) => `${name},${spelling}`);

function actionFor(values: Values): string {
  switch (values) {
    case 'interface':
      return '      _earshot_names -d /sys/class/net\n';
    case 'namespace':
      return '      if [[ $word == */* ]]; then compopt -o default; else _earshot_names -f /run/netns; fi\n';
    case 'file':
      return '      compopt -o default\n';
    case 'anything':
    case 'nothing':
      return '';
    default:
      return `      _earshot_words '${values.join(' ')}'\n`;
  }
}

function optionCase({ name, options }: CommandShape): string {
  const words = options.flatMap(spellings).join(' ');
  return `      ${name === '' ? "''" : name}) _earshot_words '${words}' ;;`;
}

function argumentCase({ name, argument }: CommandShape): string[] {
  const action = actionFor(argument).trim();
  return action === '' ? [] : [`      ${name === '' ? "''" : name}) ${action} ;;`];
}
