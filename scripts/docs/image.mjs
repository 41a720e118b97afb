/*
 * A picture of what a terminal shows, from the very bytes that were written to it: SVG, so that the
 * text stays text. It brings its own ground, and is light or dark as the reader's screen is.
 */

const cell = { width: 8.4, height: 19 };
const margin = 18;
const fontSize = 14;

/** The codes that picocolors writes, each with the class that it begins or the classes that it ends. */
/** @type {Record<string, { begins?: string, ends?: string[] }>} */
const codes = {
  0: { ends: ['strong', 'faint', 'red', 'green', 'yellow', 'magenta', 'cyan'] },
  1: { begins: 'strong' },
  2: { begins: 'faint' },
  22: { ends: ['strong', 'faint'] },
  31: { begins: 'red' },
  32: { begins: 'green' },
  33: { begins: 'yellow' },
  35: { begins: 'magenta' },
  36: { begins: 'cyan' },
  39: { ends: ['red', 'green', 'yellow', 'magenta', 'cyan'] },
};

const light = {
  ground: '#f6f8fa',
  edge: '#d0d7de',
  text: '#1f2328',
  faint: '#59636e',
  red: '#cf222e',
  green: '#1a7f37',
  yellow: '#8a5a00',
  magenta: '#8250df',
  cyan: '#1b7c83',
};
/** @type {typeof light} */
const dark = {
  ground: '#0d1117',
  edge: '#30363d',
  text: '#e6edf3',
  faint: '#9198a1',
  red: '#ff7b72',
  green: '#3fb950',
  yellow: '#e3b341',
  magenta: '#bc8cff',
  cyan: '#39c5cf',
};

/** @param {typeof light} colours */
function rules({ ground, edge, text, ...others }) {
  const classes = Object.entries(others).map(([name, colour]) => `.${name}{fill:${colour}}`);
  return `rect{fill:${ground};stroke:${edge}}text{fill:${text}}${classes.join('')}`;
}

/**
 * @param {string} output what was written to the terminal
 * @param {string} title what it shows, for those who cannot see it
 * @returns {string} an SVG document
 */
export function imageOf(output, title) {
  const lines = linesOf(output.trimEnd());
  const columns = Math.max(...lines.map((runs) => endOf(runs.at(-1))));
  const width = Math.ceil(columns * cell.width + 2 * margin);
  const height = lines.length * cell.height + 2 * margin;
  const texts = lines.flatMap((runs, line) => {
    const y = margin + line * cell.height + fontSize;
    return runs.map((run) => textElement(run, y));
  });
  return `${[
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img">`,
    `<title>${escaped(title)}</title>`,
    `<style>text{font-size:${fontSize}px;font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono","Liberation Mono",monospace;white-space:pre}.strong{font-weight:700}${rules(light)}@media(prefers-color-scheme:dark){${rules(dark)}}</style>`,
    `<rect x="0.5" y="0.5" width="${width - 1}" height="${height - 1}" rx="8"/>`,
    ...texts,
    '</svg>',
  ].join('\n')}\n`;
}

/**
 * Words of one look: each is put at its own column, for no two fonts agree on the width of a sign.
 * @typedef {{ text: string, column: number, classes: string[] }} Run
 */

/** @param {Run | undefined} run */
function endOf(run) {
  return run ? run.column + [...run.text].length : 0;
}

/**
 * @param {string} output
 * @returns {Run[][]} by line
 */
function linesOf(output) {
  /** @type {Set<string>} */
  const classes = new Set();
  return output.split('\n').map((line) => {
    /** @type {Run[]} */
    const runs = [];
    let column = 0;
    // biome-ignore lint/suspicious/noControlCharactersInRegex: that is how a terminal is told
    for (const [piece, code] of line.matchAll(/\x1b\[(\d+)m|[^\x1b]+|\x1b/g)) {
      if (code !== undefined) {
        const meaning = codes[code];
        if (!meaning) throw new Error(`no look is known for the code ${code}`);
        if (meaning.begins) classes.add(meaning.begins);
        for (const name of meaning.ends ?? []) classes.delete(name);
        continue;
      }
      for (const words of piece.matchAll(/\S+(?: \S+)*/g)) {
        const before = [...piece.slice(0, words.index)].length;
        runs.push({ text: words[0], column: column + before, classes: [...classes] });
      }
      column += [...piece].length;
    }
    return runs;
  });
}

/**
 * @param {Run} run
 * @param {number} y
 */
function textElement({ text, column, classes }, y) {
  const x = round(margin + column * cell.width);
  const look = classes.length === 0 ? '' : ` class="${classes.join(' ')}"`;
  const length = round([...text].length * cell.width);
  return `<text x="${x}" y="${y}" textLength="${length}"${look}>${escaped(text)}</text>`;
}

/** @param {number} value */
function round(value) {
  return Math.round(value * 10) / 10;
}

/** @param {string} text */
function escaped(text) {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
