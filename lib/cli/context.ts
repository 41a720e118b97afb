import type { ExitStatus } from './exit-status.js';
import type { View } from './render/view.js';
import type { Screen } from './screen.js';
import type { Services } from './services.js';

/** What a command has at hand: the library, and the terminal it answers to. */
export interface Context {
  services: Services;
  view: View;
  /** All of standard input. */
  readInput(): Promise<string>;
  /** Tells at once, on standard error, what is to be known while a command goes on. */
  note(text: string): void;
  /** Writes to standard output before the answer is whole, as soon as that has room for it. */
  write(text: string): Promise<void>;
  /** Takes the terminal over, or `null` where there is none to type into and to draw on. */
  screen(): Screen | null;
  /** Calls when somebody wants the command to end (Ctrl-C), until the function returned is called. */
  onInterrupt(called: () => void): () => void;
}

/** What a command answers: printed whole, after everything that can fail has been done. */
export interface Answer {
  /** For standard output. */
  text: string;
  /** For standard error, beside an answer that others read by program. */
  notes?: string;
  status: ExitStatus;
}
