import { fold, pad, widthOf } from './text.js';

/** One labelled entry; each text is a line of its own and folded where it is too long. */
export interface Field {
  label: string;
  lines: readonly string[];
  /** A command to type, left whole so that it can be copied. */
  command?: string | null;
  /** Lines behind the command. */
  after?: readonly string[];
  style?: ((text: string) => string) | undefined;
}

/** Labelled entries below each other, the texts aligned behind the widest label. */
export function fields(
  entries: readonly Field[],
  width: number,
  indent: string,
  labelStyle: (text: string) => string,
): string[] {
  const widest = Math.max(0, ...entries.map(({ label }) => widthOf(label)));
  const margin = `${indent}${' '.repeat(widest + 2)}`;
  const room = Math.max(20, width - widthOf(margin));
  return entries.flatMap(({ label, lines, command, after, style }) =>
    [
      ...lines.flatMap((line) => fold(line, room)),
      ...(command ? [command] : []),
      ...(after ?? []).flatMap((line) => fold(line, room)),
    ].map((line, index) => {
      const lead =
        index === 0 ? indent + labelStyle(label) + ' '.repeat(widest + 2 - widthOf(label)) : margin;
      return lead + (style && line !== '' ? style(line) : line);
    }),
  );
}

/** Two columns of lines side by side, the left as wide as it needs to be and at most half the width. */
export function sideBySide(
  pairs: readonly { left: string; right: readonly string[]; style?: (text: string) => string }[],
  width: number,
  indent: string,
): string[] {
  const half = Math.floor((width - indent.length) / 2) + 4;
  const widest = Math.min(half, Math.max(0, ...pairs.map(({ left }) => widthOf(left))));
  return pairs.flatMap(({ left, right, style }) => {
    const lefts = fold(left, widest);
    const rights = right.flatMap((text) => fold(text, width - indent.length - widest - 2));
    return Array.from({ length: Math.max(lefts.length, rights.length) }, (_, line) => {
      const text = rights[line] ?? '';
      const coloured = style && text !== '' ? style(text) : text;
      return `${indent}${pad(lefts[line] ?? '', widest)}  ${coloured}`.trimEnd();
    });
  });
}
