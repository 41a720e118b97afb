import { readFileSync } from 'node:fs';

let names: Map<number, string> | undefined;

/** The name that /etc/passwd gives a user; `null` for one it does not know (it may be in a directory service). */
export function userName(uid: number): string | null {
  names ??= readNames();
  return names.get(uid) ?? null;
}

function readNames(): Map<number, string> {
  try {
    return parsePasswd(readFileSync('/etc/passwd', 'utf8'));
  } catch {
    return new Map(); // a container image without users: they are told by number
  }
}

/** Names by user id from the text of passwd(5); of two names for one id the first counts, as for getpwuid(3). */
export function parsePasswd(text: string): Map<number, string> {
  const found = new Map<number, string>();
  for (const line of text.split('\n')) {
    const [name, , uid] = line.split(':');
    if (name && uid && /^\d+$/.test(uid) && !found.has(Number(uid))) found.set(Number(uid), name);
  }
  return found;
}
