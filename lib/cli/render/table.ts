import { fold, pad, widthOf } from './text.js';

/** One column of a table. */
export interface Column {
  header: string;
  /** The narrowest it may be made when the table is too wide. */
  least: number;
  /** A column that is wider than this gives way before the others do. */
  ease?: number;
}

/** What stands in a row of a column: plain text that may hold line ends, and how it is coloured. */
export interface Cell {
  text: string;
  style?: (text: string) => string;
}

/** Blanks between two columns. */
export const gap = 2;

/**
 * A table in at most `width` columns. Each column is as wide as its widest cell; where that is too
 * much those with an ease give way first, then the widest, and cells are folded to the lines below.
 * `below` has lines that stand under a row as they are.
 */
export function table(
  columns: readonly Column[],
  rows: readonly (readonly Cell[])[],
  width: number,
  headerStyle: (text: string) => string = (text) => text,
  below: readonly (readonly string[])[] = [],
): string[] {
  const widths = fitted(columns, rows, width);
  const header = columns.map((column) => ({ text: column.header, style: headerStyle }));
  return [
    ...rowLines(header, widths),
    ...rows.flatMap((row, index) => [...rowLines(row, widths), ...(below[index] ?? [])]),
  ];
}

function fitted(
  columns: readonly Column[],
  rows: readonly (readonly Cell[])[],
  width: number,
): number[] {
  const widths = columns.map((column) => widthOf(column.header));
  for (const row of rows) {
    for (const [index, cell] of row.entries()) {
      for (const line of cell.text.split('\n')) {
        widths[index] = Math.max(widths[index]!, widthOf(line));
      }
    }
  }
  const room = width - gap * (columns.length - 1);
  let excess = widths.reduce((sum, each) => sum + each, 0) - room;
  for (; excess > 0; excess--) {
    const giving = widestAbove(widths, columns, ({ ease }) => ease);
    const widest = giving ?? widestAbove(widths, columns, ({ least }) => least);
    if (widest === undefined) break;
    widths[widest]!--;
  }
  return widths;
}

/** The widest column of those wider than a limit and than their header. */
function widestAbove(
  widths: readonly number[],
  columns: readonly Column[],
  limit: (column: Column) => number | undefined,
): number | undefined {
  let found: number | undefined;
  for (const [index, column] of columns.entries()) {
    const least = limit(column);
    if (least === undefined || widths[index]! <= Math.max(least, widthOf(column.header))) continue;
    if (found === undefined || widths[index]! > widths[found]!) found = index;
  }
  return found;
}

function rowLines(row: readonly Cell[], widths: readonly number[]): string[] {
  const folded = row.map((cell, index) =>
    cell.text.split('\n').flatMap((line) => fold(line, widths[index]!)),
  );
  const height = Math.max(...folded.map((lines) => lines.length));
  return Array.from({ length: height }, (_, line) => {
    const pieces = row.map((cell, index) => {
      const text = folded[index]![line] ?? '';
      const blank = pad('', widths[index]! - widthOf(text));
      const styled = text === '' || !cell.style ? text : cell.style(text);
      return styled + blank;
    });
    return pieces.join(' '.repeat(gap)).trimEnd();
  });
}
