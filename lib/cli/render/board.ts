import type { Change } from '../../watch/change.js';
import type { Board } from '../live/board.js';
import { printable } from './printable.js';
import { holdersText } from './processes.js';
import { type Row, type Standing, standingOf } from './rows.js';
import { standsOn } from './stands-on.js';
import { type Cell, type Column, table } from './table.js';
import { count, shorten } from './text.js';
import { palette, type View } from './view.js';
import { standingStyle } from './who.js';

export const sortings = ['who', 'port', 'process', 'connections'] as const;
export type Sorting = (typeof sortings)[number];

/** How a board is looked at. */
export interface Look {
  sorting: Sorting;
  /** Rows that hold this text. */
  filter: string;
  /** The filter is being typed. */
  typing: boolean;
  /** How many rows are above the screen. */
  above: number;
}

const columns: readonly Column[] = [
  { header: 'PORT', least: 9 },
  { header: 'PROCESS', least: 8 },
  { header: 'STANDS ON', least: 9, ease: 18 },
  { header: 'REACHED BY', least: 10 },
  { header: 'CONNECTED', least: 9 },
];

const reachedBy: Readonly<Record<Standing, string>> = {
  routed: 'anyone routed here',
  link: 'neighbours',
  unknown: 'not known',
  host: 'this host only',
  nobody: 'nobody',
};

interface Shown {
  row: Row;
  texts: string[];
}

/** A screen full: what is there now, no more lines than `height`, none wider than the view. */
export function boardLines(board: Board, look: Look, view: View, height: number): string[] {
  const colours = palette(view);
  const rows = shownRows(board, look);
  const summary = `${count(board.rows.length, 'listening port')}, ${count(board.connections, 'connection')}`;
  const head = [colours.strong(shorten(summary, view.width)), ''];
  const foot = ['', shorten(lastChange(board), view.width), shorten(keysText(look), view.width)];
  const room = Math.max(1, height - head.length - foot.length - 1);
  const above = firstShown(rows.length, room, look);
  const cells = rows.slice(above, above + room).map(({ row, texts }): Cell[] =>
    texts.map((text, column) => ({
      text,
      ...(column === 3 ? { style: standingStyle(standingOf(row), colours) } : {}),
    })),
  );
  // A cell that is folded takes more lines than one.
  const lines = table(columns, cells, view.width, colours.strong).slice(0, room + 1);
  while (lines.length < room + 1) lines.push('');
  return [...head, ...lines, ...foot].slice(0, height);
}

/** The first row on the screen, so that it is not scrolled beyond the end. */
export function firstShown(rows: number, room: number, { above }: Look): number {
  return Math.max(0, Math.min(above, rows - room));
}

function shownRows(board: Board, { sorting, filter }: Look): Shown[] {
  const wanted = filter.toLowerCase();
  const shown = board.rows
    .map((row) => ({ row, texts: textsOf(row, board) }))
    .filter(({ texts }) => texts.some((text) => text.toLowerCase().includes(wanted)));
  // The rows come in the order of who reaches them; sort() keeps it among those that are alike.
  switch (sorting) {
    case 'who':
      return shown;
    case 'port':
      return shown.sort((one, other) => one.row.port - other.row.port);
    case 'process':
      return shown.sort((one, other) => one.texts[1]!.localeCompare(other.texts[1]!));
    case 'connections':
      return shown.sort(
        (one, other) => board.connectionsOf(other.row) - board.connectionsOf(one.row),
      );
  }
}

function textsOf(row: Row, board: Board): string[] {
  const standing = standingOf(row);
  return [
    `${row.port}/${row.protocol}`,
    row.sockets.length > 0 ? holdersText(row.sockets) : 'forwarded',
    row.sockets.length > 0 ? standsOn(row.sockets) : 'elsewhere',
    row.atMost ? 'this host at most' : reachedBy[standing],
    String(board.connectionsOf(row)),
  ];
}

function lastChange({ recent }: Board): string {
  const last = recent.at(-1);
  return last ? `Last: ${changeText(last)}` : '';
}

/** A change in a few words. */
export function changeText(change: Change): string {
  switch (change.type) {
    case 'opened':
    case 'closed':
    case 'changed':
      return `${change.type} ${change.socket.local.port}/${change.socket.protocol}`;
    case 'network-changed':
      return `${change.what} changed`;
    case 'missed':
      return 'some short connections were missed';
    case 'exposure-changed': {
      const { endpoint, scope } = change.exposure;
      const was = change.was ? `, was reached by ${reachedBy[change.was.scope]}` : '';
      return printable(
        `${endpoint.port}/${endpoint.protocol}: reached by ${reachedBy[scope]}${was}`,
      );
    }
  }
}

function keysText({ sorting, filter, typing }: Look): string {
  if (typing) return `Filter: ${printable(filter)}_  (return: keep, escape: drop)`;
  const sorts = sortings.map((each) => (each === sorting ? `[${each}]` : each)).join(' ');
  const filtered = filter === '' ? '/ filter' : `/ filter (${printable(filter)})`;
  return `w p n c sort: ${sorts}   ${filtered}   arrows scroll   q quit`;
}
