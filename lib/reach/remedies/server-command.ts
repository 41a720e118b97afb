import type { Process } from '../../model/socket.js';
import { type KnownServer, knownServers, type Told } from './servers.js';
import { shellLine } from './shell.js';

/** How a server is made to listen elsewhere. */
export interface Instruction {
  /** What a person calls the server. */
  readonly server: string;
  /** The command line to start it with; `null` where another place says so. */
  readonly command: string | null;
  /** The setting and its file, where a file says so. */
  readonly setting: { readonly name: string; readonly file: string } | null;
}

/** How this process is started so that it listens on an address; `null` for a server that is not known. */
export function listeningOn(process: Process, address: string, port: number): Instruction | null {
  const args = argumentsOf(process);
  const found = knownServers.map((server) => ({ server, at: placeOf(server, args) }));
  const known = found.find(({ at }) => at >= 0);
  if (!known) return null;
  const { server, at } = known;
  const { told } = server;
  if (told.by === 'file')
    return { server: server.name, command: null, setting: { name: told.setting, file: told.file } };
  const command = rewritten(told, args, at, address, port);
  return { server: server.name, command, setting: null };
}

/** A title that a process gave itself is one argument, with spaces in it. */
function argumentsOf({ command, name }: Process): readonly string[] {
  if (command.length === 0) return [name];
  const [first = ''] = command;
  const titled = command.length === 1 && /^[\w.-]+:? /.test(first);
  return titled ? first.split(' ') : command;
}

/** How many first arguments may be the program: an interpreter, its options, then the script. */
const mostBefore = 8;

/** Where the last of the words of a server stands; -1 where the command line is not one of its. */
function placeOf({ words }: KnownServer, args: readonly string[]): number {
  let place = -1;
  for (const [index, word] of words.entries()) {
    const names = word.split('|');
    const found = args.findIndex((arg, at) => at > place && names.some((name) => is(arg, name)));
    if (found < 0 || (index === 0 && !isProgram(args, found))) return -1;
    place = found;
  }
  return place;
}

/** The program itself, or the script or module that an interpreter runs. */
function isProgram(args: readonly string[], at: number): boolean {
  if (at === 0) return true;
  if (at > mostBefore || !interpreter.test(baseOf(args[0] ?? ''))) return false;
  return args.slice(1, at).every((arg) => arg.startsWith('-'));
}

const interpreter =
  /^(node|nodejs|bun|deno|python[\d.]*|pypy[\d.]*|ruby[\d.]*|php[\d.]*|sh|bash|dash|env|java)$/;

function is(arg: string, name: string): boolean {
  if (arg === name || arg.split('=')[0] === name) return true;
  if (arg.startsWith('-')) return false;
  const base = baseOf(arg);
  return (
    base === name ||
    base.replace(/\.(c?js|mjs|py|rb|php|phar)$/, '') === name ||
    versionless(base) === name
  );
}

function baseOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

/** `python3.11` is python. */
function versionless(base: string): string {
  return base.replace(/[\d.]+$/, '');
}

function rewritten(
  told: Exclude<Told, { by: 'file' }>,
  args: readonly string[],
  at: number,
  address: string,
  port: number,
): string {
  const endpoint = address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
  switch (told.by) {
    case 'option':
      return shellLine(withOption(args, at, told.names, address, told.joined === true));
    case 'endpoint':
      return shellLine(
        withOption(args, at, told.names, `${told.prefix ?? ''}${endpoint}`, told.joined === true),
      );
    case 'argument': {
      const rest = args.slice(at + 1);
      const old = rest.findIndex((arg) => !arg.startsWith('-'));
      const changed =
        old < 0 ? [endpoint, ...rest] : rest.map((arg, place) => (place === old ? endpoint : arg));
      return shellLine([...args.slice(0, at + 1), ...changed]);
    }
    case 'variable':
      return `${told.name}=${shellLine([told.withPort ? endpoint : address])} ${shellLine(args)}`;
  }
}

/** The option with its new value where it stands, or behind what makes it this server. */
function withOption(
  args: readonly string[],
  at: number,
  names: readonly string[],
  value: string,
  joined: boolean,
): string[] {
  const result: string[] = [];
  let written = false;
  for (let place = 0; place < args.length; place++) {
    const arg = args[place]!;
    const [name] = arg.split('=') as [string];
    if (!names.includes(name)) {
      result.push(arg);
      continue;
    }
    const inline = arg.includes('=') || joined;
    const next = args[place + 1];
    if (!arg.includes('=') && next !== undefined && !next.startsWith('-') && !joined) place++;
    if (written) continue;
    written = true;
    result.push(...(inline ? [`${name}=${value}`] : [name, value]));
  }
  if (written) return result;
  const [name = ''] = names;
  const option = joined ? [`${name}=${value}`] : [name, value];
  return [...args.slice(0, at + 1), ...option, ...args.slice(at + 1)];
}
