/** A command line as a person types it: an argument is quoted where a shell would take it apart. */
export function shellLine(args: readonly string[]): string {
  return args.map(shellQuoted).join(' ');
}

/** One argument for sh(1): between single quotes everything stands for itself. */
export function shellQuoted(argument: string): string {
  return /^[\w@%+=:,./-]+$/.test(argument) && !argument.startsWith('=')
    ? argument
    : `'${argument.replaceAll("'", "'\\''")}'`;
}
