import { ExitStatus } from './exit-status.js';
import { errorReport, run } from './run.js';
import { takeScreen } from './screen.js';
import { services } from './services.js';
import { viewOf } from './terminal.js';

/** The reader may go at any time (earshot | head): that is no error. A full disk is one. */
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit();
  process.stderr.write(`earshot: cannot write to standard output: ${error.message}\n`);
  process.exit(ExitStatus.failure);
});
process.stderr.on('error', () => {
  // Nobody is left to be told.
});

let told = false;

/** One error is told, and no second that follows from it. */
function tell(text: string): void {
  if (!told) process.stderr.write(text);
  told = true;
}

/** What nobody waits for may still fail: that is told like any error, not as a stack of Node. */
process.on('uncaughtException', (error) => {
  tell(errorReport(error));
  process.exit(ExitStatus.failure);
});

async function readInput(): Promise<string> {
  let text = '';
  process.stdin.setEncoding('utf8');
  for await (const chunk of process.stdin) text += chunk;
  return text;
}

/** What a command that goes on for a while has of the process. */
const live = {
  async write(text: string): Promise<void> {
    if (process.stdout.write(text)) return;
    await new Promise((resolve) => process.stdout.once('drain', resolve));
  },
  screen: () =>
    process.stdin.isTTY && process.stdout.isTTY ? takeScreen(process.stdin, process.stdout) : null,
  onInterrupt(called: () => void): () => void {
    const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
    for (const signal of signals) process.once(signal, called);
    return () => {
      for (const signal of signals) process.off(signal, called);
    };
  },
};

run(process.argv.slice(2), {
  out: (text) => process.stdout.write(text),
  fail: tell,
  note: (text) => process.stderr.write(text),
  readInput,
  live,
  view: viewOf(process.stdout, process.env),
  services,
}).then((status) => {
  // Not process.exit(): a pipe may still have to take the answer.
  process.exitCode = status;
});
