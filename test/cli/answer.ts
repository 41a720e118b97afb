import { run } from '#earshot/cli/run.js';
import { services as real, type Services } from '#earshot/cli/services.js';

/** What the command printed, and how it ended. */
export interface Told {
  readonly status: number;
  readonly out: string;
  /** Standard error: what was refused, and notes. */
  readonly err: string;
}

/** Runs the command in this process, on a terminal of 80 columns without colours. */
export async function answer(
  argv: readonly string[],
  services: Partial<Services> = {},
  input = '',
): Promise<Told> {
  let [out, err] = ['', ''];
  const status = await run([...argv], {
    out: (text) => {
      out += text;
    },
    fail: (text) => {
      err += text;
    },
    note: (text) => {
      err += text;
    },
    readInput: async () => input,
    live: noTerminal,
    view: { width: 80, colour: false, interactive: false },
    services: { ...real, ...services },
  });
  return { status, out, err };
}

/** What a command that goes on for a while has, where there is no terminal. */
const noTerminal = {
  write: async () => {},
  screen: () => null,
  onInterrupt: () => () => {},
};
