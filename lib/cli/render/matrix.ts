import type { HostState } from '../../model/host-state.js';
import type { Reach } from '../../reach/exposure-row.js';
import { nameInterface } from './interface-names.js';
import { InterfaceRows, type Mark, type Marks, marksOf, peersOf } from './marks.js';
import type { PeerNames } from './peers.js';
import { printable } from './printable.js';
import type { Row } from './rows.js';
import { sentOn } from './sent-on.js';
import { type Cell, type Column, gap, table } from './table.js';
import { enumerate, fold, widthOf } from './text.js';
import { type Palette, palette, type View } from './view.js';
import { assumed, untoldBecause } from './who.js';

/*
 * The listeners down, the interfaces across: at each crossing a mark, who gets in there. A row whose
 * marks do not tell all has the rest in words below it.
 */

/** One row of the matrix: what stands left of the marks, and the row that they are of. */
export interface Line {
  cells: readonly Cell[];
  row: Row;
  /** The colour of words about it. */
  style: (text: string) => string;
}

type Who = Mark['who'];

const glyphs: Readonly<Record<Who, string>> = {
  all: '●',
  most: '◕',
  link: '◐',
  some: '◔',
  sent: '→',
  unknown: '?',
  nobody: '·',
};

const meanings: Readonly<Record<Who, string>> = {
  all: 'anyone',
  most: 'anyone but some',
  link: 'neighbours',
  some: 'some',
  sent: 'let through',
  unknown: 'not known',
  nobody: 'nobody',
};

/** Narrower terminals get the list. */
const narrowest = 60;

/** Interfaces that share a column: all alike in every row. */
interface Across {
  interfaces: string[];
  /** A row's marks; `null` where nothing is told of it and this interface. */
  marks: (Marks | null)[];
}

/**
 * The matrix and its legend; `null` where the view is too narrow for its interfaces. Interfaces of
 * one kind that are alike in every row share a column where there is no room for each.
 */
export function matrixText(
  state: HostState,
  columns: readonly Column[],
  lines: readonly Line[],
  names: PeerNames,
  view: View,
): string | null {
  if (view.width < narrowest) return null;
  const each = acrossOf(state, lines, names);
  const across = [each, together(state, each)].find((some) => fits(columns, lines, some, view));
  if (!across) return null;
  const colours = palette(view);
  const cells = lines.map(({ cells }, index) => [
    ...cells,
    ...across.map(({ interfaces, marks }) => markCell(marks[index]!, interfaces, colours)),
  ]);
  const indent = ' '.repeat(widestOf(lines, 0) + gap);
  const below = lines.map(({ row, style }, index) =>
    notes(row, each, index, names)
      .flatMap((note) => fold(note, view.width - indent.length))
      .map((text) => indent + style(text)),
  );
  const headers = across.map(({ interfaces }) => ({ header: header(interfaces), least: 1 }));
  const drawn = table([...columns, ...headers], cells, view.width, colours.strong, below);
  return [...drawn, '', ...legend(across, view.width, colours)].join('\n');
}

/** Every interface that somebody could come in by, in the order in which people care about them. */
function acrossOf(state: HostState, lines: readonly Line[], names: PeerNames): Across[] {
  const byRow = lines.map(({ row }) => InterfaceRows.of(row.exposures));
  const found = [...new Set(byRow.flatMap((rows) => [...rows.keys()]))];
  return names
    .sorted(found.map((name) => ({ interface: name })))
    .map(({ interface: name }) => ({
      interfaces: [name],
      marks: byRow.map((rows) => {
        const told = rows.get(name);
        return told ? marksOf(name, told, names) : null;
      }),
    }))
    .filter(({ interfaces, marks }) => hasAddress(state, interfaces[0]!) || marks.some(isOpen));
}

function hasAddress(state: HostState, name: string): boolean {
  return state.interfaces.some((device) => device.name === name && device.addresses.length > 0);
}

function isOpen(marks: Marks | null): boolean {
  return shown(marks).some(({ who }) => who !== 'nobody');
}

/** Interfaces of one kind whose marks are the same in every row, as one. */
function together(state: HostState, across: readonly Across[]): Across[] {
  const groups = new Map<string, Across>();
  for (const { interfaces, marks } of across) {
    const device = state.interfaces.find(({ name }) => name === interfaces[0]);
    const role = device ? nameInterface(device).role : 'none';
    const key = JSON.stringify([role, marks.map(shown)]);
    const group = groups.get(key);
    if (group) group.interfaces.push(...interfaces);
    else groups.set(key, { interfaces: [...interfaces], marks });
  }
  return [...groups.values()];
}

function header([first, ...others]: readonly string[]): string {
  return printable(first!) + (others.length === 0 ? '' : ` +${others.length}`);
}

/** The marks to print: one where both families fare alike, else that of IPv4 and that of IPv6. */
function shown(marks: Marks | null): Mark[] {
  const { ipv4 = null, ipv6 = null } = marks ?? {};
  if (ipv4 === null || ipv6 === null) return [ipv4 ?? ipv6 ?? []].flat();
  return ipv4.who === ipv6.who ? [ipv4] : [ipv4, ipv6];
}

function glyphsOf(marks: Marks | null): string {
  return shown(marks)
    .map(({ who }) => glyphs[who])
    .join('');
}

function markCell(marks: Marks | null, interfaces: readonly string[], colours: Palette): Cell {
  const each = shown(marks);
  const style = (text: string) =>
    [...text].map((glyph, index) => markStyle(each[index]!, interfaces, colours)(glyph)).join('');
  return { text: glyphsOf(marks), style };
}

function markStyle(
  mark: Mark,
  interfaces: readonly string[],
  colours: Palette,
): (text: string) => string {
  if (mark.who === 'nobody') return colours.faint;
  if (mark.who === 'unknown') return colours.unknown;
  if (interfaces.includes('lo')) return colours.calm;
  if (mark.who === 'sent') return mark.beyond ? colours.danger : colours.caution;
  return mark.who === 'all' || mark.who === 'most' ? colours.danger : colours.caution;
}

/** As much as the columns may take: those on the left at their least. */
function fits(
  columns: readonly Column[],
  lines: readonly Line[],
  across: readonly Across[],
  { width }: View,
): boolean {
  const left = columns.map(({ header: text, least }, index) =>
    Math.max(widthOf(text), Math.min(least, widestOf(lines, index))),
  );
  const marked = across.map(({ interfaces, marks }) =>
    Math.max(widthOf(header(interfaces)), ...marks.map((each) => shown(each).length)),
  );
  const widths = [...left, ...marked];
  return widths.reduce((sum, each) => sum + each, gap * (widths.length - 1)) <= width;
}

function widestOf(lines: readonly Line[], column: number): number {
  return Math.max(0, ...lines.flatMap(({ cells }) => cells[column]!.text.split('\n').map(widthOf)));
}

/** What the marks of a row leave open: who some are, where rules send them, why it is not known. */
function notes(row: Row, across: readonly Across[], index: number, names: PeerNames): string[] {
  const marked = (...wanted: Who[]) =>
    across
      .filter(({ marks }) => shown(marks[index]!).some(({ who }) => wanted.includes(who)))
      .map(({ interfaces }) => interfaces[0]!);
  const rows = InterfaceRows.of(row.exposures);
  const told: string[] = [];
  for (const name of marked('most', 'some')) {
    told.push(...partText(name, across, index, rows.get(name)!.reach, names));
  }
  for (const name of marked('sent')) told.push(sentText(name, rows.get(name)!, names));
  const unknown = marked('unknown');
  if (unknown.length > 0) told.push(...unknownText(row, unknown, names));
  return [...new Set(told)];
}

/** Who those are that get in by an interface where others do not: a text for each family that needs it. */
function partText(
  name: string,
  across: readonly Across[],
  index: number,
  reach: readonly Reach[],
  names: PeerNames,
): string[] {
  const { marks } = across.find(({ interfaces }) => interfaces.includes(name))!;
  const { ipv4 = null, ipv6 = null } = marks[index] ?? {};
  const text = (of: (address: string) => boolean) => {
    const peers = peersOf(reach.filter(({ address }) => of(address)));
    return names.describe({ interface: name, peers }, true);
  };
  const part = (mark: Mark | null) => mark?.who === 'most' || mark?.who === 'some';
  if (ipv4?.who === 'some' && ipv6?.who === 'some') return [text(() => true)];
  return [
    ...(part(ipv4) ? [text((address) => !address.includes(':'))] : []),
    ...(part(ipv6) ? [text((address) => address.includes(':'))] : []),
  ];
}

function sentText(name: string, { reach }: InterfaceRows, names: PeerNames): string {
  const sent = sentOn(reach);
  const targets = [...new Set(sent.map(({ to }) => to))];
  return `${names.describe({ interface: name, peers: peersOf(sent) }, true)}, let through to ${enumerate(targets, 3)}`;
}

function unknownText(row: Row, interfaces: readonly string[], names: PeerNames): string[] {
  const likely = assumed(row, names);
  if (likely.length > 0) return likely;
  const where = enumerate(interfaces.map(printable), 3);
  return [`not known of ${where}: ${untoldBecause(row).slice(0, 2).join('; ')}`];
}

/** What the marks mean that there are; which interfaces share a column. */
function legend(across: readonly Across[], width: number, colours: Palette): string[] {
  const cells = across.flatMap(({ interfaces, marks }) =>
    marks.map((each) => ({ interfaces, marks: shown(each) })),
  );
  const entries: Cell[] = [];
  for (const who of Object.keys(glyphs) as Who[]) {
    const cell = cells.find(({ marks }) => marks.some((mark) => mark.who === who));
    const mark = cell?.marks.find((each) => each.who === who);
    if (!cell || !mark) continue;
    // The colour of other hosts, where there are any: this host's is its own.
    const outside = cells.find(
      ({ interfaces, marks }) =>
        !interfaces.includes('lo') && marks.some((each) => each.who === who),
    );
    const style = markStyle(mark, (outside ?? cell).interfaces, colours);
    entries.push({ text: `${glyphs[who]} ${meanings[who]}`, style });
  }
  if (cells.some(({ marks }) => marks.length === 2)) {
    entries.push({ text: 'two marks: IPv4, IPv6' });
  }
  const lines = [''];
  const styled = [''];
  for (const { text, style = (plain: string) => plain } of entries) {
    const between = lines.at(-1) === '' ? '' : ' '.repeat(3);
    if (widthOf(lines.at(-1)! + between + text) > width) {
      lines.push('');
      styled.push('');
    }
    const start = lines.at(-1) === '' ? '' : between;
    lines[lines.length - 1] += start + text;
    styled[styled.length - 1] += start + style(text);
  }
  const shared = across
    .filter(({ interfaces }) => interfaces.length > 1)
    .flatMap(({ interfaces }) =>
      fold(`${header(interfaces)}: ${enumerate(interfaces.map(printable))}`, width),
    );
  return [...styled, ...shared];
}
