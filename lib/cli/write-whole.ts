import { randomBytes } from 'node:crypto';
import { open, rename, stat, unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { UsageError } from './usage-error.js';

/**
 * Writes beside the file and renames, so that nobody ever reads half of it. A device or pipe is
 * written to as it is. `what` names it in what is refused.
 */
export async function writeWhole(
  path: string,
  text: string,
  what: string,
  mode: number,
): Promise<void> {
  const existing = await stat(path).catch(() => null);
  const special = existing !== null && !existing.isFile() && !existing.isDirectory();
  const target = special
    ? path
    : join(dirname(path), `.${basename(path)}.${randomBytes(6).toString('hex')}`);
  try {
    if (existing?.isDirectory()) throw Object.assign(new Error(), { code: 'EISDIR' });
    const file = await open(target, special ? 'w' : 'wx', mode);
    try {
      await file.writeFile(text);
      if (!special) await file.sync();
    } finally {
      await file.close();
    }
    if (!special) await rename(target, path);
  } catch (error) {
    if (!special) await unlink(target).catch(() => {});
    const code = (error as NodeJS.ErrnoException).code;
    throw new UsageError(`cannot write ${what} to '${path}': ${whyUnwritable(code)}`);
  }
}

function whyUnwritable(code: string | undefined): string {
  switch (code) {
    case 'ENOENT':
      return 'its directory does not exist';
    case 'EACCES':
    case 'EPERM':
      return 'this user may not write there';
    case 'EISDIR':
      return 'it is a directory; name a file in it';
    case 'ENOSPC':
      return 'the disk is full';
    case 'EROFS':
      return 'that file system is read-only';
    default:
      return `${code}`;
  }
}
