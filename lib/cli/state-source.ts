import { readFile } from 'node:fs/promises';
import type { HostState } from '../model/host-state.js';
import type { CaptureOptions } from '../model/socket.js';
import { netnsArgument } from './arguments.js';
import type { Context } from './context.js';
import { isEarshotError } from './earshot-error.js';
import { UsageError } from './usage-error.js';

/** The options of every command that say which host is spoken of. */
export interface StateOptions {
  netns?: string;
  state?: string;
}

/** The state to answer from: this host's, another namespace's, or a capture. */
export async function obtainState(
  options: StateOptions,
  context: Context,
  more: Pick<CaptureOptions, 'socketOptions'> = {},
): Promise<HostState> {
  if (options.state !== undefined && options.netns !== undefined) {
    throw new UsageError(
      `--netns ${options.netns} and --state ${options.state} exclude each other: a capture is of one namespace already`,
    );
  }
  if (options.state === undefined) {
    const where = options.netns === undefined ? {} : { netns: netnsArgument(options.netns) };
    return context.services.capture({ ...where, owners: true, ...more });
  }
  const name = options.state === '-' ? 'standard input' : `'${options.state}'`;
  const text = options.state === '-' ? await context.readInput() : await readCapture(options.state);
  try {
    return await context.services.parseState(text);
  } catch (error) {
    if (isEarshotError(error)) throw new UsageError(`${name}: ${error.message}`);
    throw error;
  }
}

async function readCapture(path: string): Promise<string> {
  if (path === '')
    throw new UsageError('--state is empty: give the file of a capture, or - for standard input');
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    throw new UsageError(`cannot read the capture '${path}': ${whyUnreadable(code)}`);
  }
}

function whyUnreadable(code: string | undefined): string {
  switch (code) {
    case 'ENOENT':
      return "there is no such file; 'earshot capture -o FILE' makes one";
    case 'EACCES':
    case 'EPERM':
      return 'this user may not read it';
    case 'EISDIR':
      return 'it is a directory; give the file';
    case 'ERR_STRING_TOO_LONG':
    case 'ERR_FS_FILE_TOO_LARGE':
      return 'it is too large to be a capture';
    default:
      return `${code}`;
  }
}
