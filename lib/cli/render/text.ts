import stringWidth from 'string-width';
import wrapAnsi from 'wrap-ansi';

/** Printable ASCII, and the signs that earshot itself draws: one column each. */
const plain = /^[\x20-\x7e·→│►●◐◔◕✓✗…]*$/;

/** The columns that a text takes on a terminal, colours not counted. */
export function widthOf(text: string): number {
  // Nearly every text is plain, and string-width takes its time.
  return plain.test(text) ? text.length : stringWidth(text);
}

/** The text cut to a number of columns, the cut shown by an ellipsis. */
export function shorten(text: string, columns: number): string {
  if (widthOf(text) <= columns) return text;
  let kept = '';
  let used = 1; // the ellipsis
  for (const { segment } of new Intl.Segmenter().segment(text)) {
    used += widthOf(segment);
    if (used > columns) break;
    kept += segment;
  }
  return `${kept.trimEnd()}…`;
}

/** The lines of a text folded at blanks to a number of columns; a word that is longer is broken. */
export function fold(text: string, columns: number): string[] {
  if (widthOf(text) <= columns) return [text];
  return wrapAnsi(text, Math.max(1, columns), { hard: true, trim: true }).split('\n');
}

/** A folded paragraph, its first line behind `lead`, the others below the text of the first. */
export function paragraph(text: string, width: number, lead = ''): string {
  const margin = widthOf(lead);
  const lines = fold(text, Math.max(20, width - margin));
  return lines.map((line, index) => (index === 0 ? lead : ' '.repeat(margin)) + line).join('\n');
}

/** The text followed by blanks up to a number of columns. */
export function pad(text: string, columns: number): string {
  return text + ' '.repeat(Math.max(0, columns - widthOf(text)));
}

/** "a", "a and b", "a, b and c"; beyond `most` the rest is counted. */
export function enumerate(items: readonly string[], most = Number.POSITIVE_INFINITY): string {
  if (items.length > most) {
    const rest = items.length - most;
    return `${items.slice(0, most).join(', ')} and ${rest} more`;
  }
  if (items.length < 2) return items.join('');
  return `${items.slice(0, -1).join(', ')} and ${items.at(-1)}`;
}

/** A number with its noun: "1 interface", "2 interfaces". */
export function count(number: number, noun: string, plural = `${noun}s`): string {
  return `${number} ${number === 1 ? noun : plural}`;
}
