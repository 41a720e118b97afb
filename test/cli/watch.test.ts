import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import test, { type ExecutionContext } from 'ava';
import { press } from '#earshot/cli/commands/watch.js';
import { Board } from '#earshot/cli/live/board.js';
import { boardLines, type Look } from '#earshot/cli/render/board.js';
import { keysIn } from '#earshot/cli/screen.js';
import { namespaceFor, SYSTEM_ENVIRONMENT } from '../kernel/support/namespace.js';
import { requires } from '../support/requirements.js';
import { everyExposure } from './laptop.js';

const live = requires('root', 'tool:ip', 'tool:script');
const main = fileURLToPath(import.meta.resolve('#earshot/cli/main.js'));

const board = new Board();
board.take(
  everyExposure.map((exposure) => ({ type: 'exposure-changed', exposure, was: null }) as const),
);
const look = (more: Partial<Look> = {}): Look => ({
  sorting: 'port',
  filter: '',
  typing: false,
  above: 0,
  ...more,
});
const view = { width: 80, colour: false, interactive: true };
const ports = (lines: string[]) =>
  lines.flatMap((line) => /^(\d+)\/(?:tcp|udp)/.exec(line)?.[1] ?? []).map(Number);

test('a screen has as many lines as the terminal, and none is wider', (t) => {
  for (const height of [8, 12, 24, 60]) {
    for (const width of [60, 80, 120]) {
      const lines = boardLines(board, look(), { ...view, width }, height);
      t.is(lines.length, height);
      t.true(
        lines.every((line) => line.length <= width),
        `${width}`,
      );
    }
  }
});

test('rows are sorted by port where that is wanted, and filtered by any text in them', (t) => {
  const all = ports(boardLines(board, look(), view, 60));
  t.true(all.length > 4);
  t.deepEqual(
    all,
    [...all].sort((one, other) => one - other),
  );
  t.deepEqual(ports(boardLines(board, look({ filter: '5432' }), view, 60)), [5432]);
});

test('keys sort, filter and scroll', (t) => {
  const one = look();
  for (const key of keysIn('/pos\u007ft\r')) press(key, one, 24, 100);
  t.deepEqual([one.filter, one.typing], ['pot', false]);
  for (const key of keysIn('c\u001b[B\u001b[B\u001b[A')) press(key, one, 24, 100);
  t.deepEqual([one.sorting, one.above], ['connections', 1]);
  press('escape', one, 24, 100);
  t.is(one.filter, '');
});

test('a connection is counted as long as it is established', (t) => {
  const here = new Board();
  const socket = { ...everyExposure[0]!.socket!, state: 'established' } as const;
  const row = { protocol: socket.protocol, port: socket.local.port } as Parameters<
    Board['connectionsOf']
  >[0];
  here.take([{ type: 'opened', socket }]);
  t.is(here.connectionsOf(row), 1);
  here.take([
    { type: 'changed', socket: { ...socket, state: 'close-wait' }, was: { state: 'established' } },
  ]);
  t.is(here.connectionsOf(row), 0);
  here.take([{ type: 'closed', socket: { ...socket, state: 'close-wait' } }]);
  t.is(here.connections, 0);
});

const server = `require('node:net').createServer().listen(4321, '127.0.0.1')`;

/** A host with a server on port 4321; and a program on it, with what it says. */
async function started(t: ExecutionContext, ...command: string[]) {
  const here = namespaceFor(t);
  here.ip('link set lo up');
  const within = (...words: string[]) =>
    spawn('ip', ['netns', 'exec', here.name, ...words], {
      env: { ...SYSTEM_ENVIRONMENT, TERM: 'xterm', COLUMNS: '80', LINES: '24' },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
  const child = within(...command);
  t.teardown(() => child.kill('SIGKILL'));
  const said = { text: '' };
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text) => {
      said.text += text;
    });
  }
  const until = async (wanted: string) => {
    for (let looks = 0; !said.text.includes(wanted); await wait(20)) {
      if (++looks > 1000) throw new Error(`it did not say ${wanted}: ${JSON.stringify(said.text)}`);
    }
  };
  const serve = () => {
    const other = within(process.execPath, '-e', server);
    t.teardown(() => other.kill('SIGKILL'));
    return other;
  };
  return { child, said, until, serve };
}

live('on a terminal a table shows who comes and goes; q gives the terminal back', async (t) => {
  const command = `${process.execPath} ${main} watch --interval 50`;
  const { child, said, until, serve } = await started(
    t,
    'script',
    '-qefc',
    `stty cols 80 rows 24; ${command}; stty -a`,
    '/dev/null',
  );
  await until('0 listening ports');
  const other = serve();
  await until('4321/tcp');
  await until('this host only');
  other.kill();
  await until('reached by nobody');
  child.stdin.write('q');
  const [status] = await once(child, 'close');
  t.is(status, 0, said.text);
  t.is(said.text.indexOf('\u001b[?1049h'), said.text.lastIndexOf('\u001b[?1049h'));
  const after = said.text.slice(said.text.lastIndexOf('\u001b[?25h\u001b[?1049l'));
  t.regex(after, / icanon/);
  t.regex(after, / echo /);
});

live('each change is a line of JSON, until it is interrupted', async (t) => {
  const { child, said, until, serve } = await started(
    t,
    process.execPath,
    main,
    'watch',
    '--json',
    '--tcp',
    '--interval',
    '50',
  );
  const watches = () => {
    const tasks = `/proc/${child.pid}/task`;
    return readdirSync(tasks).some((id) =>
      readFileSync(`${tasks}/${id}/comm`, 'utf8').startsWith('earshot-watch'),
    );
  };
  for (let looks = 0; !watches() && looks < 1000; looks++) await wait(20);
  await wait(500); // the first look follows the thread's start at once
  serve();
  await until('exposure-changed');
  child.kill('SIGINT');
  const [status] = await once(child, 'close');
  t.is(status, 0);
  const changes = said.text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  t.deepEqual(
    changes.map(({ type }) => type),
    ['opened', 'exposure-changed'],
  );
  t.is(changes[0].socket.owners[0].name, 'node');
  t.is(changes[1].exposure.scope, 'host');
});

live('without a terminal a live table is refused, with what to do', async (t) => {
  const { child, said } = await started(t, process.execPath, main, 'watch');
  const [status] = await once(child, 'close');
  t.is(status, 2);
  t.regex(said.text, /needs a terminal .* --json/);
});
