import { spawn, spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { viewOf } from '#earshot/cli/terminal.js';
import { everyExposure, laptop } from './laptop.js';

const main = fileURLToPath(import.meta.resolve('#earshot/cli/main.js'));
const capture = JSON.stringify(
  laptop({ sockets: everyExposure.flatMap(({ socket }) => socket ?? []) }),
);

test('a capture is answered by the real library: the exit status is the answer', (t) => {
  for (const [argv, status] of [
    [['--state', '-'], 0],
    [['5432', '--state', '-'], 1],
    [['trace', '--from', '192.168.1.7', '192.168.1.10:5432', '--state', '-'], 1],
    [['trace', '127.0.0.1:x', '--state', '-'], 2],
  ] as const) {
    const { status: found, stderr } = spawnSync(process.execPath, [main, ...argv], {
      input: capture,
      encoding: 'utf8',
    });
    t.is(found, status, `${argv.join(' ')}: ${stderr}`);
  }
});

test('a reader that goes before the answer ends it quietly', async (t) => {
  const child = spawn(process.execPath, [main, 'capture', '--state', '-']);
  let err = '';
  child.stderr.on('data', (chunk) => {
    err += chunk;
  });
  child.stdout.destroy();
  child.stdin.end(capture);
  const status = await new Promise((resolve) => child.on('close', resolve));
  t.deepEqual([status, err], [0, '']);
});

test('a full disk is an error', (t) => {
  const { status, stderr } = spawnSync(
    'sh',
    ['-c', '"$0" "$1" --help > /dev/full', process.execPath, main],
    { encoding: 'utf8' },
  );
  t.is(status, 2);
  t.regex(stderr, /^earshot: cannot write to standard output: .*ENOSPC/);
});

test('the bundled command loads neither the addon nor the evaluation before they are needed', (t) => {
  const loaded = new Map<string, string>();
  const load = (path: string): void => {
    if (loaded.has(path)) return;
    const text = readFileSync(path, 'utf8');
    loaded.set(path, text);
    const imports = /\bimport\s*(?:[\w$*{},\s]+from\s*)?"(\.{1,2}|#earshot)\/([^"]+)"/g;
    for (const [, from = '', name = ''] of text.matchAll(imports)) {
      load(join(from === '#earshot' ? dist : join(dirname(path), from), name));
    }
  };
  const dist = dirname(fileURLToPath(import.meta.resolve('#earshot/index.js')));
  load(join(dist, 'earshot.js'));
  const texts = [...loaded.values()].join('\n');
  t.true(texts.includes('UsageError=class'));
  const later = readdirSync(join(dist, 'bundle'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.js'))
    .map((name) => readFileSync(join(dist, 'bundle', name), 'utf8'));
  for (const late of ['Course=class', 'node-gyp-build']) {
    t.false(texts.includes(late), late);
    t.true(
      later.some((text) => text.includes(late)),
      late,
    );
  }
});

test('colour is for terminals; FORCE_COLOR and NO_COLOR are obeyed', (t) => {
  const terminal = { isTTY: true, columns: 100 };
  t.deepEqual(viewOf(terminal, {}), { width: 100, colour: true, interactive: true });
  t.deepEqual(viewOf({}, {}), { width: 80, colour: false, interactive: false });
  t.false(viewOf(terminal, { NO_COLOR: '1' }).colour);
  t.true(viewOf(terminal, { NO_COLOR: '' }).colour);
  t.false(viewOf(terminal, { TERM: 'dumb' }).colour);
  t.true(viewOf({}, { FORCE_COLOR: '1' }).colour);
  t.false(viewOf(terminal, { FORCE_COLOR: '0' }).colour);
});
