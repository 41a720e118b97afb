import type { ReadStream, WriteStream } from 'node:tty';

/** A terminal that is drawn on and typed into, as it is for the time of a live display. */
export interface Screen {
  readonly size: { columns: number; rows: number };
  draw(lines: readonly string[]): void;
  /** Called for each key, named as `a`, `up`, `return`; and when the size has changed. */
  onKey(called: (key: string) => void): void;
  onResize(called: () => void): void;
  /** Gives it back as it was found. */
  restore(): void;
}

/** The other screen, no cursor, and lines that are too long are cut; and all that undone. */
const alternate = '\u001b[?1049h\u001b[?25l\u001b[?7l';
const usual = '\u001b[?7h\u001b[?25h\u001b[?1049l';
const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** What terminals send for keys that are no letters. */
const sequences: Readonly<Record<string, string>> = {
  '\u001b[A': 'up',
  '\u001bOA': 'up',
  '\u001b[B': 'down',
  '\u001bOB': 'down',
  '\u001b[5~': 'pageup',
  '\u001b[6~': 'pagedown',
  '\u001b[H': 'home',
  '\u001b[F': 'end',
  '\u001b': 'escape',
  '\r': 'return',
  '\n': 'return',
  '\u007f': 'backspace',
  '\b': 'backspace',
  '\u0003': 'interrupt',
  '\u0004': 'interrupt',
};

/** Takes the terminal over. It is given back by restore(), and also where the process just ends. */
export function takeScreen(input: ReadStream, output: WriteStream): Screen {
  let key: (name: string) => void = () => {};
  let resized: () => void = () => {};
  let restored = false;
  const onData = (text: string) => {
    for (const name of keysIn(text)) key(name);
  };
  const onResize = () => resized();
  const onSignal = () => key('interrupt');
  const restore = () => {
    if (restored) return;
    restored = true;
    input.off('data', onData);
    output.off('resize', onResize);
    for (const signal of signals) process.off(signal, onSignal);
    process.off('exit', restore);
    if (input.isTTY) input.setRawMode(false);
    input.pause();
    output.write(usual);
  };
  output.write(alternate);
  input.setRawMode(true);
  input.setEncoding('utf8');
  input.on('data', onData);
  output.on('resize', onResize);
  for (const signal of signals) process.on(signal, onSignal);
  process.on('exit', restore);
  return {
    get size() {
      return { columns: output.columns || 80, rows: output.rows || 24 };
    },
    draw(lines) {
      // Each line is cleared behind its text, and what is below the last: nothing flickers.
      output.write(`\u001b[H${lines.map((line) => `${line}\u001b[K`).join('\r\n')}\u001b[J`);
    },
    onKey(called) {
      key = called;
    },
    onResize(called) {
      resized = called;
    },
    restore,
  };
}

/** The keys in what a terminal sent at once: letters may come together, a sequence comes whole. */
export function keysIn(text: string): string[] {
  const keys: string[] = [];
  let rest = text;
  while (rest !== '') {
    const sequence = Object.keys(sequences)
      .sort((one, other) => other.length - one.length)
      .find((each) => rest.startsWith(each));
    const [first = ''] = rest;
    keys.push(sequence === undefined ? first : sequences[sequence]!);
    rest = rest.slice((sequence ?? first).length);
  }
  return keys;
}
