import { median } from './measure.mjs';

/** @typedef {import('./questions.mjs').Answerer} Answerer */
/** @typedef {import('./turns.mjs').Answers} Answers */

/** @param {number} value */
const short = (value) =>
  Number.isNaN(value) ? '–' : value.toFixed(value >= 100 ? 0 : value >= 10 ? 1 : 2);

/** @param {number} milliseconds */
const time = (milliseconds) =>
  Number.isNaN(milliseconds)
    ? 'failed'
    : `${milliseconds < 1 ? milliseconds.toFixed(3) : short(milliseconds)} ms`;

/** What one socket costs on hosts of various sizes. @typedef {{ size: number, buckets: number, floor: number, columns: number, records: number, bytes: number }} Cost */

/** @param {Cost[]} costs in milliseconds for all, and bytes for one @returns {string} in Markdown */
export function costTable(costs) {
  const each = (/** @type {number} */ milliseconds, /** @type {number} */ size) =>
    `${((milliseconds * 1e6) / size).toFixed(0)} ns`;
  const rows = costs.map(
    ({ size, buckets, floor, columns, records, bytes }) =>
      `| ${size.toLocaleString('en')} | ${buckets.toLocaleString('en')} buckets | ${each(floor, size)} | ${each(columns, size)} | ${each(records, size)} | ${bytes} bytes |`,
  );
  const head = [
    '| one of so many TCP sockets | in a hash table of | bare C | earshot, columns | earshot, records | held in columns |',
    '| --: | --: | --: | --: | --: | --: |',
  ];
  return `${[...head, ...rows].join('\n')}\n`;
}

/**
 * A table in Markdown; the ratio is to the floor, or to the first where there is none. `broken` are
 * the ratios that are not kept.
 * @param {string} what
 * @param {Answerer[]} answerers
 * @param {Answers[]} results
 */
export function table(what, answerers, results) {
  const medians = results.map(({ times }) => median(times));
  const base = medians[0] ?? NaN;
  /** @type {string[]} */
  const broken = [];
  const own = answerers.findIndex(({ name }) => name.startsWith('earshot'));
  const rows = answerers.map(({ name, most, slower }, at) => {
    const took = medians[at] ?? NaN;
    const ratio = took / base;
    if (most !== undefined && !(ratio <= most)) {
      broken.push(`${what}: ${name} takes ${short(ratio)} times the floor, above ${most}`);
    }
    const factor = took / (medians[own] ?? NaN);
    if (slower !== undefined && !(factor >= slower)) {
      broken.push(
        `${what}: ${name} takes ${short(factor)} times as long as earshot, below ${slower}`,
      );
    }
    const { count, peak } = results[at] ?? { count: -1, peak: 0 };
    const found = count < 0 ? 'failed' : count.toLocaleString('en');
    return `| ${name} | ${time(took)} | ${short(ratio)} | ${found} | ${(peak / 1024).toFixed(0)} MiB |`;
  });
  const head = [
    `| ${what} | median | ratio | told | peak memory |`,
    '| --- | --: | --: | --: | --: |',
  ];
  return { text: `${[...head, ...rows].join('\n')}\n`, broken };
}
