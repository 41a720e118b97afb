import { randomBytes } from 'node:crypto';
import { open, rename, stat, unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { Answer, Context } from '../context.js';
import { ExitStatus } from '../exit-status.js';
import { missingText } from '../render/missing.js';
import { jsonDocument } from '../render/text.js';
import { obtainState, type StateOptions } from '../state-source.js';
import { UsageError } from '../usage-error.js';

export interface CaptureOptions extends StateOptions {
  json?: boolean;
  output?: string;
}

/** `earshot capture`: all that verdicts depend on, as JSON. */
export async function capture(options: CaptureOptions, context: Context): Promise<Answer> {
  if (options.output === '') throw new UsageError('--output is empty: name the file to write');
  const state = await obtainState(options, context);
  const text = jsonDocument(state);
  const notes =
    state.missing.length === 0 ? {} : { notes: `${missingText(state, context.view)}\n` };
  if (options.output === undefined || options.output === '-') {
    return { text, ...notes, status: ExitStatus.yes };
  }
  await writeWhole(options.output, text);
  return { text: '', ...notes, status: ExitStatus.yes };
}

/**
 * Writes beside the file and renames, so that nobody ever reads half a capture. It names processes
 * and rules of the host: only its owner may read it. A device or pipe is written to as it is.
 */
async function writeWhole(path: string, text: string): Promise<void> {
  const existing = await stat(path).catch(() => null);
  const special = existing !== null && !existing.isFile() && !existing.isDirectory();
  const target = special
    ? path
    : join(dirname(path), `.${basename(path)}.${randomBytes(6).toString('hex')}`);
  try {
    if (existing?.isDirectory()) throw Object.assign(new Error(), { code: 'EISDIR' });
    const file = await open(target, special ? 'w' : 'wx', 0o600);
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
    throw new UsageError(`cannot write the capture to '${path}': ${whyUnwritable(code)}`);
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
