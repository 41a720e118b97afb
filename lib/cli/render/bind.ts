import { formatEndpoint } from '../../model/endpoint.js';
import type { HostState } from '../../model/host-state.js';
import type { BindCheck, HeldPort } from '../../reach/bind.js';
import { type Field, fields } from './fields.js';
import { missingText } from './missing.js';
import { PeerNames } from './peers.js';
import { printable } from './printable.js';
import { holdersText } from './processes.js';
import { rowsOf } from './rows.js';
import { fold } from './text.js';
import { palette, type View } from './view.js';
import { whoReaches } from './who.js';

/** How many of those in the way are named before the rest is counted. */
const mostNamed = 5;

/** Whether a bind() would work, who is in the way, and who could reach the socket then. */
export function bindText(state: HostState, check: BindCheck, view: View): string {
  const colours = palette(view);
  const style = check.ok ? colours.calm : check.unknown ? colours.unknown : colours.danger;
  const entries: Field[] = [];
  const holders = [...check.conflicts.map(socketLine), ...check.connections.map(connectionLine)];
  if (holders.length > 0) {
    const more = holders.length - mostNamed;
    const lines = holders.slice(0, mostNamed);
    if (more > 0) lines.push(`and ${more} more`);
    entries.push({ label: check.unknown ? 'Perhaps' : 'Taken by', lines });
  }
  if (check.exposure) {
    const names = new PeerNames(state);
    const lines = rowsOf([check.exposure]).flatMap((row) => whoReaches(row, names));
    entries.push({ label: check.ok ? 'Reached by' : 'Then reached by', lines });
  }
  if (check.unless.length > 0)
    entries.push({ label: 'Unless', lines: check.unless.map(printable) });
  const lines = [
    ...fold(printable(check.explanation), view.width).map(style),
    ...fields(entries, view.width, '  ', colours.faint),
  ];
  const untold = check.exposure?.scope === 'unknown' && state.missing.length > 0;
  const note = untold || check.unknown ? missingText(state, view) : '';
  return `${lines.join('\n')}\n${note === '' ? '' : `\n${note}\n`}`;
}

function socketLine(socket: BindCheck['conflicts'][number]): string {
  const device = socket.boundInterface === null ? '' : ` on ${printable(socket.boundInterface)}`;
  return `${formatEndpoint(socket.local)}${device}, ${socket.state}: ${holdersText([socket])}`;
}

function connectionLine({ address, port, timeWait, uid }: HeldPort): string {
  const what = timeWait ? 'closed connections (TIME-WAIT)' : `connections of uid ${uid}`;
  return `${formatEndpoint({ address, port })}: ${what}`;
}
