import type { Change, WatchOptions as LibraryOptions, Watcher } from '../../watch/change.js';
import { intervalArgument, netnsArgument } from '../arguments.js';
import type { Answer, Context } from '../context.js';
import { ExitStatus } from '../exit-status.js';
import { Board } from '../live/board.js';
import { type ProtocolOptions, protocolsAsked } from '../protocols.js';
import { boardLines, firstShown, type Look, type Sorting } from '../render/board.js';
import { jsonLine } from '../render/printable.js';
import type { Screen } from '../screen.js';
import { UsageError } from '../usage-error.js';

export interface WatchOptions extends ProtocolOptions {
  json?: boolean;
  netns?: string;
  interval?: string;
}

const USUAL_INTERVAL = 1000;
/** How soon a change is drawn: others mostly follow. Milliseconds. */
const DRAWN_WITHIN = 50;

/** `earshot watch`: a live table on a terminal, or each change as a line of JSON. */
export async function watch(options: WatchOptions, context: Context): Promise<Answer> {
  const asked = libraryOptions(options);
  if (options.json) {
    await asLines(await context.services.watch(asked), context);
  } else {
    const screen = context.screen();
    if (screen === null) {
      throw new UsageError(
        'a live table needs a terminal for input and output: for programs there is --json',
      );
    }
    try {
      await onScreen(await context.services.watch({ ...asked, existing: true }), screen, context);
    } finally {
      screen.restore();
    }
  }
  return { text: '', status: ExitStatus.yes };
}

function libraryOptions({ netns, interval, ...protocols }: WatchOptions): LibraryOptions {
  return {
    intervalMs: interval === undefined ? USUAL_INTERVAL : intervalArgument(interval),
    owners: true,
    filter: { protocol: protocolsAsked(protocols) },
    ...(netns === undefined ? {} : { netns: netnsArgument(netns) }),
  };
}

async function asLines(watcher: Watcher, context: Context): Promise<void> {
  const stop = context.onInterrupt(() => void watcher.close());
  try {
    for await (const changes of watcher) {
      // Whoever reads slowly is waited for: what changes meanwhile comes as one difference.
      await context.write(changes.map(jsonLine).join(''));
    }
  } finally {
    stop();
  }
}

const sortKeys: Readonly<Record<string, Sorting>> = {
  w: 'who',
  p: 'port',
  n: 'process',
  c: 'connections',
};

async function onScreen(watcher: Watcher, screen: Screen, context: Context): Promise<void> {
  const board = new Board();
  const look: Look = { sorting: 'who', filter: '', typing: false, above: 0 };
  let timer: NodeJS.Timeout | null = null;
  const draw = () => {
    timer = null;
    const { columns, rows } = screen.size;
    screen.draw(boardLines(board, look, { ...context.view, width: columns }, rows));
  };
  const drawSoon = () => {
    timer ??= setTimeout(draw, DRAWN_WITHIN);
  };
  screen.onResize(draw);
  screen.onKey((key) => {
    if (key === 'interrupt' || (key === 'q' && !look.typing)) void watcher.close();
    else {
      press(key, look, screen.size.rows, board.rows.length);
      drawSoon();
    }
  });
  draw();
  try {
    for await (const changes of watcher) {
      board.take(changes as Change[]);
      drawSoon();
    }
  } finally {
    if (timer) clearTimeout(timer);
  }
}

/** What a key does to the look of things. */
export function press(key: string, look: Look, height: number, rows: number): void {
  if (look.typing) {
    if (key === 'return') look.typing = false;
    else if (key === 'escape') Object.assign(look, { typing: false, filter: '' });
    else if (key === 'backspace') look.filter = look.filter.slice(0, -1);
    else if ([...key].length === 1) look.filter += key;
    look.above = 0;
    return;
  }
  const page = Math.max(1, height - 6);
  const steps: Readonly<Record<string, number>> = {
    up: -1,
    k: -1,
    down: 1,
    j: 1,
    pageup: -page,
    pagedown: page,
    home: -rows,
    end: rows,
  };
  const step = steps[key];
  const sorting = sortKeys[key];
  if (step !== undefined) {
    look.above = firstShown(rows, page, { ...look, above: look.above + step });
  } else if (sorting !== undefined) look.sorting = sorting;
  else if (key === '/') look.typing = true;
  else if (key === 'escape') look.filter = '';
}
