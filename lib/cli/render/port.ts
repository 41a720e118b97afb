import { isLinkLocal, parseAddress } from '../../model/address.js';
import type { HostState } from '../../model/host-state.js';
import type { Interface } from '../../model/interface.js';
import type { Socket, Transport } from '../../model/socket.js';
import type { Exposure, Reach } from '../../reach/exposure-row.js';
import { type Failure, failures } from './blocked.js';
import type { Advice } from './causes.js';
import { type Field, fields, sideBySide } from './fields.js';
import { fixFields } from './fixes.js';
import { interfacesByInterest } from './interface-names.js';
import { missingText } from './missing.js';
import { PeerNames } from './peers.js';
import { printable } from './printable.js';
import { commandLine, commandText, holders } from './processes.js';
import { hostName, type Row, rowsOf, standingOf } from './rows.js';
import { answeredFrom, letThrough, targetsText } from './sent-on.js';
import { reachText, share, shareableAddress } from './share.js';
import { interfaceLines, isWildcard, standsOn } from './stands-on.js';
import { symptomWords } from './symptom-words.js';
import { count, enumerate, fold, paragraph, shorten } from './text.js';
import { type Palette, palette, type View } from './view.js';
import { assumed, assumedReach, outsiders, standingStyle } from './who.js';

/** What was asked: one port, of one protocol or of both. */
export interface PortQuestion {
  port: number;
  protocols: readonly Transport[];
}

/** Users by number, as far as this machine knows them. */
export type UserNames = ReadonlyMap<number, string>;

/** Everything about one port: who listens, who gets in, who does not and why, and what to share. */
export function portText(
  state: HostState,
  question: PortQuestion,
  exposures: readonly Exposure[],
  users: UserNames,
  view: View,
): string {
  const rows = rowsOf(exposures);
  const names = new PeerNames(state);
  const parts =
    rows.length === 0
      ? [nobodyText(state, question, view)]
      : rows.map((row) => rowText(row, { state, names, users, view, colours: palette(view) }));
  if (state.missing.length > 0) parts.push(missingText(state, view));
  return `${parts.join('\n\n')}\n`;
}

interface Surrounding {
  state: HostState;
  names: PeerNames;
  users: UserNames;
  view: View;
  colours: Palette;
}

function rowText(row: Row, around: Surrounding): string {
  const { state, names, view, colours } = around;
  const reach = row.exposures.flatMap((exposure) => exposure.reach);
  const advice: Advice = {
    protocol: row.protocol,
    port: row.port,
    shareable: shareableAddress(state),
    sockets: row.sockets,
  };
  const closed = failures(
    row.exposures.flatMap((exposure) => exposure.blocked),
    reach,
    names,
    advice,
  );
  const untold = row.exposures.flatMap((exposure) => exposure.unknown);
  const answered = answeredFrom(reach, names);
  const open = failures(untold, reach, names, advice);
  return [
    headline(row, around),
    '',
    ...fields(listenerFields(row, around), view.width, '  ', colours.faint),
    ...section('Gets in', reachLines(row, around), colours),
    ...section('Let through', failureLines(answered, colours.caution, around), colours),
    ...section('Unknown', failureLines(open, colours.unknown, around), colours),
    ...section('Does not get in', failureLines(closed, colours.danger, around), colours),
  ].join('\n');
}

function headline(row: Row, { names, view, colours }: Surrounding): string {
  const on = `${row.port}/${row.protocol}`;
  const style = standingStyle(standingOf(row), colours);
  const text = `${on} ${headlineText(row, names)}`;
  const [first, ...rest] = fold(text, view.width) as [string, ...string[]];
  return [colours.strong(on) + style(first.slice(on.length)), ...rest.map(style)].join('\n');
}

function headlineText(row: Row, names: PeerNames): string {
  const [likely] = row.uncertain && row.scope !== 'link' ? assumed(row, names) : [];
  if (likely !== undefined) return `is open to ${likely}.`;
  const others = row.uncertain ? '; whether others get in is unknown' : '';
  const through = letThrough(row, names);
  if (through !== null) {
    const reach = row.exposures.flatMap((exposure) => exposure.reach);
    return `is open to ${enumerate([...outsiders(reach, names), through], 3)}${others}.`;
  }
  switch (row.scope) {
    case 'routed':
    case 'link': {
      const reach = row.exposures.flatMap((exposure) => exposure.reach);
      return `is open to ${enumerate(outsiders(reach, names), 3)}${others}.`;
    }
    case 'host':
      if (row.atMost) return 'is open to this host at most; whether it gets in is unknown.';
      return row.uncertain ? `is open to this host${others}.` : 'is open to this host only.';
    case 'nobody':
      return row.uncertain ? 'may be open: who gets in could not be told.' : 'is open to nobody.';
  }
}

function listenerFields(row: Row, around: Surrounding): Field[] {
  const { state, names, colours } = around;
  const found = share(
    state,
    row.exposures.flatMap((exposure) => exposure.reach),
    names,
  );
  const standing = row.sockets.length > 0;
  return [
    {
      label: 'Listener',
      lines: standing
        ? processLines(row.sockets, around)
        : ['nobody on this host: the port is forwarded'],
    },
    standing
      ? { label: 'Stands on', lines: placeLines(row.sockets, around) }
      : { label: 'Goes to', lines: [targetsText(row, 6)] },
    found
      ? { label: 'Share', lines: [found.text], style: colours.link }
      : { label: 'Share', lines: [likelyToShare(row, around)] },
  ];
}

/** How many interfaces are told on a terminal; a file gets all. */
const mostInterfaces = 8;

function placeLines(sockets: readonly Socket[], { state, view }: Surrounding): string[] {
  const lines = interfaceLines(state, sockets);
  const told = view.interactive ? lines.slice(0, mostInterfaces) : lines;
  const more = lines.length - told.length;
  // The lines say it all where no socket takes every address, and each address is an interface's.
  const summary = sockets.some(isWildcard) || lines.length === 0 ? [standsOn(sockets, 6)] : [];
  return [...summary, ...told, ...(more > 0 ? [`and ${count(more, 'more interface')}`] : [])];
}

/** Nothing is sure to work from beyond this host: what would, if the firewall lets it. */
function likelyToShare(row: Row, { state, names }: Surrounding): string {
  const likely = share(state, assumedReach(row), names);
  if (likely) return `${likely.text} (if the firewall lets it through)`;
  return standingOf(row) === 'unknown'
    ? 'no address is known to work from beyond this host'
    : 'no address works from beyond this host';
}

/** How many processes of one socket are told in full. */
const mostProcesses = 4;

function processLines(sockets: readonly Socket[], { users, view }: Surrounding): string[] {
  const found = holders(sockets);
  const [socket] = sockets as readonly [Socket, ...Socket[]];
  if (found.length === 0) {
    return [`a process that is not visible, socket of ${userText(socket.uid, users)}`];
  }
  const lines = found.slice(0, mostProcesses).flatMap((process) => {
    const head = `${commandText(process)}, pid ${process.pid}, user ${userText(process.uid, users)}`;
    const command = commandLine(process);
    if (command === '' || command === process.name) return [head];
    // On a terminal one line is enough to know it by; a file gets it whole.
    return [head, view.interactive ? shorten(command, view.width - 13) : command];
  });
  const more = found.length - mostProcesses;
  return more > 0 ? [...lines, `and ${more} more processes`] : lines;
}

function userText(uid: number, users: UserNames): string {
  const name = users.get(uid);
  return name === undefined ? `${uid}` : printable(name);
}

/** How many addresses of one interface are told. The JSON has all. */
const mostAddresses = 3;

function reachLines(row: Row, { state, names, view, colours }: Surrounding): string[] {
  const reach = row.exposures.flatMap((exposure) => exposure.reach);
  const pairs = interfacesByInterest(state).flatMap((device) => {
    const here = reach.filter(
      (entry) => entry.interface === device.name && entry.forwardedTo === null,
    );
    const byWho = new Map<string, Set<string>>();
    for (const entry of worthTelling(here, device)) {
      const who = names.describe({ interface: device.name, peers: entry.peers });
      const at = byWho.get(who) ?? new Set();
      byWho.set(who, at.add(reachText(entry)));
    }
    return [...byWho].map(([who, at]) => ({
      left: who,
      right: limited([...at]),
      style: colours.link,
    }));
  });
  return sideBySide(pairs, view.width, '    ');
}

/** Of an interface's addresses those that people use: its own, and link-local ones for want of others. */
function worthTelling(reach: readonly Reach[], device: Interface): readonly Reach[] {
  const own = reach.filter(({ address }) =>
    device.addresses.some((entry) => entry.address === address),
  );
  const lasting = own.filter(({ address }) => {
    const parsed = parseAddress(address);
    return parsed !== null && !isLinkLocal(parsed);
  });
  return [lasting, own].find((list) => list.length > 0) ?? reach;
}

function limited(items: readonly string[]): string[] {
  const more = items.length - mostAddresses;
  return more > 0 ? [...items.slice(0, mostAddresses), `and ${more} more`] : [...items];
}

function failureLines(
  found: readonly Failure[],
  style: (text: string) => string,
  { view, colours }: Surrounding,
): string[] {
  return found.flatMap((failure) => [
    ...fold(enumerate(failure.who, 4), view.width - 4).map((line) => `    ${style(line)}`),
    ...fields(failureFields(failure), view.width, '      ', colours.faint),
  ]);
}

function failureFields(failure: Failure): Field[] {
  const entries: Field[] = [{ label: 'Why', lines: [failure.words.why] }];
  if (failure.symptom !== null)
    entries.push({ label: 'Sees', lines: [symptomWords(failure.symptom)] });
  if (failure.otherwise !== null) entries.push({ label: 'If let by', lines: [failure.otherwise] });
  if (failure.remedies.length > 0) entries.push(...fixFields(failure.remedies, 'change'));
  else if (failure.words.hint !== null) {
    entries.push({ label: 'Change', lines: [failure.words.hint] });
  }
  return entries;
}

function section(title: string, lines: readonly string[], colours: Palette): string[] {
  return lines.length === 0 ? [] : ['', `  ${colours.strong(title)}`, ...lines];
}

function nobodyText(state: HostState, { port, protocols }: PortQuestion, view: View): string {
  const which = protocols.map((protocol) => protocol.toUpperCase()).join(' or ');
  const host = printable(hostName(state));
  if (state.missing.some(({ what }) => what === 'sockets')) {
    return paragraph(
      `Whether anybody listens on ${which} port ${port} of ${host} is unknown.`,
      view.width,
    );
  }
  const lines = [
    `Nobody listens on ${which} port ${port} of ${host}.`,
    ...nearMisses(state, port, protocols),
  ];
  return lines.map((line) => paragraph(line, view.width)).join('\n');
}

/** Sockets on that port that take nobody new, or that are of the protocol that was not asked for. */
function nearMisses(state: HostState, port: number, protocols: readonly Transport[]): string[] {
  const near = state.sockets.filter((socket) => socket.local.port === port);
  return [...new Set(near.map((socket) => nearMiss(socket, protocols)))].flatMap(
    (text) => text ?? [],
  );
}

function nearMiss(socket: Socket, protocols: readonly Transport[]): string | null {
  const [holder] = holders([socket]);
  const who = holder
    ? `${commandText(holder)} (pid ${holder.pid})`
    : 'A process that is not visible';
  const on = `${socket.local.port}/${socket.protocol}`;
  if (!protocols.includes(socket.protocol)) {
    const verb = socket.state === 'listen' || socket.state === 'unconnected' ? 'listens on' : 'has';
    return `${who} ${verb} ${on}.`;
  }
  if (socket.state === 'bound') return `${who} is bound to ${on} and has not called listen().`;
  if (socket.remote !== null) return `${who} has ${on} connected to one peer and takes no other.`;
  return null;
}
