import type { PortQuestion } from './port-watch.js';
import type { Run } from './run.js';

/** Notes a question about a register, where it holds the port that is asked for. */
export function askOfPort(run: Run, word: number, length: number, question: PortQuestion): void {
  const port = run.peer?.port;
  if (!port || !run.registers.hasPort(word, length)) return;
  if (length === 2) port.asks(question);
  else port.blur();
}
