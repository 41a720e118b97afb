import type { Answer, Context } from '../context.js';
import { ExitStatus } from '../exit-status.js';
import { missingText } from '../render/missing.js';
import { jsonDocument } from '../render/printable.js';
import { obtainState, type StateOptions } from '../state-source.js';
import { UsageError } from '../usage-error.js';
import { writeWhole } from '../write-whole.js';

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
  // It names processes and rules of the host: only its owner may read it.
  await writeWhole(options.output, text, 'the capture', 0o600);
  return { text: '', ...notes, status: ExitStatus.yes };
}
