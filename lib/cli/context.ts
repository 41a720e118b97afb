import type { ExitStatus } from './exit-status.js';
import type { View } from './render/view.js';
import type { Services } from './services.js';

/** What a command has at hand: the library, and the terminal it answers to. */
export interface Context {
  services: Services;
  view: View;
  /** All of standard input. */
  readInput(): Promise<string>;
  /** Tells at once, on standard error, what is to be known while a command goes on. */
  note(text: string): void;
}

/** What a command answers: printed whole, after everything that can fail has been done. */
export interface Answer {
  /** For standard output. */
  text: string;
  /** For standard error, beside an answer that others read by program. */
  notes?: string;
  status: ExitStatus;
}
