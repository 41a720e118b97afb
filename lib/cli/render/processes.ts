import type { Process, Socket } from '../../model/socket.js';
import { printable } from './printable.js';

/** The processes of a socket, each once, by pid. */
export function holders(sockets: readonly Socket[]): Process[] {
  const byPid = new Map<number, Process>();
  for (const socket of sockets) {
    for (const process of socket.owners ?? []) {
      if (!byPid.has(process.pid)) byPid.set(process.pid, process);
    }
  }
  return [...byPid.values()].sort((one, other) => one.pid - other.pid);
}

/** The name of a process as people know it, safe to print. */
export function commandText(process: Process): string {
  return process.name === '' ? 'a process' : printable(process.name);
}

/** Its command line as one would type it: an argument is quoted where a shell would split it. */
export function commandLine(process: Process): string {
  return process.command.map(quoted).join(' ');
}

function quoted(argument: string): string {
  const clean = printable(argument);
  return clean === '' || /[\s"'\\$`*?;&|<>()]/.test(clean)
    ? `'${clean.replaceAll("'", "'\\''")}'`
    : clean;
}

/** Who holds sockets, in a few words: "node 4411", "nginx 812 and 3 more", or the user where no process is visible. */
export function holdersText(sockets: readonly Socket[]): string {
  const found = holders(sockets);
  const [first] = found;
  if (!first) {
    const uid = sockets[0]?.uid;
    return uid === undefined ? 'not visible' : `not visible (uid ${uid})`;
  }
  const more = found.length - 1;
  const named = `${commandText(first)} ${first.pid}`;
  return more === 0 ? named : `${named} +${more}`;
}
