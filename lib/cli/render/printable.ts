/*
 * What is printed without regard to its width: measuring that loads much, and most of what starts
 * has no need of it.
 */

/**
 * The text with everything that would not print escaped: what other programs chose (process names,
 * arguments, interface names) must not be able to move the cursor or to turn the reading direction.
 */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}]/gu, escaped);
}

function escaped(character: string): string {
  const code = character.codePointAt(0)!;
  if (character === '\n') return '\\n';
  if (character === '\t') return '\\t';
  return code < 256 ? `\\x${hexadecimal(code, 2)}` : `\\u{${hexadecimal(code, 4)}}`;
}

function hexadecimal(value: number, digits: number): string {
  return value.toString(16).padStart(digits, '0');
}

/** One JSON document with a line end. The controls that JSON leaves as they are, are escaped too. */
export function jsonDocument(value: unknown): string {
  return withoutControls(JSON.stringify(value, null, 2));
}

/** The same on one line. */
export function jsonLine(value: unknown): string {
  return withoutControls(JSON.stringify(value));
}

function withoutControls(json: string): string {
  return `${json.replace(/[\u007f-\u009f]/g, (c) => `\\u${hexadecimal(c.charCodeAt(0), 4)}`)}\n`;
}
