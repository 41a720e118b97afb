// What a scrape of the exporter costs beside a bare C dump of the same sockets, in one run.
// Usage: npm run bench:exporter [-- SOCKETS…] [--rounds N] [--check]
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { inRoot } from '../support/paths.mjs';
import { main, run, StepError } from '../support/step.mjs';
import { compile } from './compile.mjs';
import { insideNamespace, median, shown } from './measure.mjs';

/** From so many sockets on, a scrape may take so many times as long as the dump: --check holds it to that. */
const PROMISED = 100_000;
const MOST = 1.5;
const url = 'http://127.0.0.1:19747/metrics';

await main(async () => {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      rounds: { type: 'string', default: '15' },
      check: { type: 'boolean', default: false },
    },
  });
  const rounds = Number(values.rounds);
  const sizes = (positionals.length > 0 ? positionals : ['1000', '100000']).map(Number);
  if ([rounds, ...sizes].some((number) => !Number.isInteger(number) || number < 2)) {
    throw new StepError(`'${positionals.join(' ')}' rounds ${values.rounds}`, 'give whole numbers');
  }
  await compile(['floor', 'load']);
  insideNamespace();
  await run('ip', ['link', 'set', 'lo', 'up']);
  console.log('medians in milliseconds; ratio to the bare dump; kilobytes of a page, MiB');
  for (const size of sizes) {
    const ratio = await measure(size, rounds);
    if (values.check && size >= PROMISED && !(ratio <= MOST)) {
      throw new StepError(`a scrape takes ${shown(ratio, 2)} dumps, above ${MOST}`, 'see above');
    }
  }
});

/** A program that answers lines. @param {string} file @param {string[]} args */
function speaking(file, args) {
  const child = spawn(file, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return { child, next: async () => String((await lines.next()).value) };
}

/** How many dumps a scrape takes. @param {number} size @param {number} rounds */
async function measure(size, rounds) {
  const load = speaking(inRoot('build/bench/load'), [String(size)]);
  const floor = speaking(inRoot('build/bench/floor'), []);
  const exporter = spawn(process.execPath, [inRoot('dist/earshot.js'), 'exporter'], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const ended = [load.child, floor.child, exporter].map((child) => once(child, 'exit'));
  try {
    const said = await load.next();
    if (!said.startsWith('ready')) throw new StepError(`${size} sockets cannot be held`, said);
    await once(exporter.stderr, 'data');
    await page(/earshot_watch_up 1/);
    /** @type {number[][]} */
    const [dumps = [], scrapes = [], readings = []] = [[], [], []];
    let text = '';
    for (let round = 0; round <= rounds; round++) {
      floor.child.stdin.write('tcp\n');
      const dump = Number((await floor.next()).split(' ')[0]);
      const before = readSeconds(text);
      const began = performance.now();
      text = await page();
      const scrape = performance.now() - began;
      if (round === 0) continue; // code that is not warm
      dumps.push(dump);
      scrapes.push(scrape);
      readings.push((readSeconds(text) - before) * 1000);
    }
    const bare = median(dumps);
    const peak = Number(/^process_resident_memory_bytes (\S+)$/m.exec(text)?.[1]) / 2 ** 20;
    console.log(
      `${shown(size, 0).padStart(9)} sockets: bare dump ${shown(bare)}, read ${shown(median(readings))} (${shown(median(readings) / bare, 2)}), scrape ${shown(median(scrapes))} (${shown(median(scrapes) / bare, 2)}), page ${shown(text.length / 1000)}, resident ${shown(peak)}`,
    );
    return median(scrapes) / bare;
  } finally {
    load.child.stdin.end();
    floor.child.stdin.end();
    exporter.kill();
    await Promise.all(ended);
  }
}

/** The metrics, once they match. */
async function page(pattern = /^/) {
  for (;;) {
    const text = await (await fetch(url)).text();
    if (pattern.test(text)) return text;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** @param {string} text */
function readSeconds(text) {
  return Number(/^earshot_read_duration_seconds_sum (\S+)$/m.exec(text)?.[1] ?? 0);
}
