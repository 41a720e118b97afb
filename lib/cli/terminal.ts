import type { View } from './render/view.js';

/** The parts of an output stream that decide how to write to it. */
export interface OutputStream {
  isTTY?: boolean;
  columns?: number;
}

const usualWidth = 80;
/** Narrower than this nothing can be laid out, wider than this lines are hard to read. */
const narrowest = 56;
const widest = 120;

/**
 * How to write to a stream: colour on a terminal only, unless FORCE_COLOR wants it (0 or false:
 * never) or NO_COLOR forbids it (https://no-color.org: any text but the empty one).
 */
export function viewOf(stream: OutputStream, environment: NodeJS.ProcessEnv): View {
  const interactive = stream.isTTY === true;
  const columns = stream.columns || usualWidth; // 0 on some serial lines
  return {
    width: Math.min(widest, Math.max(narrowest, columns)),
    colour: wantsColour(interactive, environment),
    interactive,
  };
}

function wantsColour(interactive: boolean, environment: NodeJS.ProcessEnv): boolean {
  const { FORCE_COLOR: forced, NO_COLOR: forbidden, TERM: terminal } = environment;
  if (forced !== undefined) return forced !== '0' && forced !== 'false';
  if (forbidden !== undefined && forbidden !== '') return false;
  return interactive && terminal !== 'dumb';
}
