import type { HostState } from '../../model/host-state.js';
import type { Exposure } from '../../reach/exposure-row.js';
import { type Line, matrixText } from './matrix.js';
import { missingText } from './missing.js';
import { PeerNames } from './peers.js';
import { printable } from './printable.js';
import { holdersText } from './processes.js';
import { countByStanding, hostName, type Row, rowsOf, type Standing, standingOf } from './rows.js';
import { targetsText } from './sent-on.js';
import { standsOn } from './stands-on.js';
import { type Column, table } from './table.js';
import { count, paragraph } from './text.js';
import { type Palette, palette, type View } from './view.js';
import { standingStyle, whoReaches } from './who.js';

const columns: readonly Column[] = [
  { header: 'PORT', least: 9 },
  { header: 'PROCESS', least: 10 },
  { header: 'STANDS ON', least: 12, ease: 18 },
  { header: 'WHO REACHES IT', least: 18 },
];

/** What stands left of the marks. */
const leftColumns: readonly Column[] = [
  { header: 'PORT', least: 9 },
  { header: 'PROCESS', least: 16 },
  { header: 'STANDS ON', least: 18 },
];

/**
 * Every listening socket and who reaches it, the widest exposed first: by interface as a matrix, or in
 * words alone where the view has no room for that.
 */
export function listText(state: HostState, exposures: readonly Exposure[], view: View): string {
  const colours = palette(view);
  const rows = rowsOf(exposures);
  const names = new PeerNames(state);
  const parts = [paragraph(summary(state, rows), view.width)];
  if (rows.length > 0) {
    const lines = rows.map((row) => lineOf(row, colours));
    parts.push(matrixText(state, leftColumns, lines, names, view) ?? wordsText(lines, names, view));
  }
  if (state.missing.length > 0) parts.push(missingText(state, view));
  return `${parts.join('\n\n')}\n`;
}

function lineOf(row: Row, colours: Palette): Line {
  const cells = [
    { text: `${row.port}/${row.protocol}`, style: colours.strong },
    { text: row.sockets.length > 0 ? holdersText(row.sockets) : 'forwarded' },
    { text: placeText(row) },
  ];
  return { cells, row, style: standingStyle(standingOf(row), colours) };
}

/** Who reaches each row in words. */
function wordsText(lines: readonly Line[], names: PeerNames, view: View): string {
  const rows = lines.map(({ cells, row, style }) => [
    ...cells,
    { text: whoReaches(row, names).join('\n'), style },
  ]);
  return table(columns, rows, view.width, palette(view).strong).join('\n');
}

function placeText(row: Row): string {
  if (row.sockets.length > 0) return standsOn(row.sockets);
  return `to ${targetsText(row, 2)}`;
}

const openTo: Readonly<Record<Standing, string>> = {
  routed: 'to the wider network',
  link: 'to neighbours',
  unknown: 'of unknown exposure',
  host: 'to this host only',
  nobody: 'to nobody',
};

function summary(state: HostState, rows: readonly Row[]): string {
  const host = printable(hostName(state));
  if (state.missing.some(({ what }) => what === 'sockets') && rows.length === 0) {
    return `Which sockets listen on ${host} could not be read.`;
  }
  if (rows.length === 0) return `Nobody listens on ${host}.`;
  const counted = [...countByStanding(rows)].filter(([, number]) => number > 0);
  const opened = counted.find(([standing]) => standing !== 'unknown')?.[0];
  const parts = counted.map(
    ([standing, number]) => `${number} ${standing === opened ? 'open ' : ''}${openTo[standing]}`,
  );
  return `${count(rows.length, 'listening port')} on ${host}: ${parts.join(', ')}.`;
}
